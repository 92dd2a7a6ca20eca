exports.isEnabled = () => false;
exports.has = () => true;
