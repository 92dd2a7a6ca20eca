const clock = require("guest/clock");

exports.now = clock.now;
exports.getTimeOriginTimestamp = clock.origin;
exports.getMilestoneTimestamp = () => 0;
