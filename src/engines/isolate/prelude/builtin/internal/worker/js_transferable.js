/* Nothing is ever posted to another thread, so nothing is marked for it. */
const { Symbol } = primordials;

exports.markTransferMode = () => undefined;
exports.setup = () => undefined;
exports.structuredClone = (value, options) =>
  require("guest/structured-clone").structuredClone(value, options);
exports.kClone = Symbol("kClone");
exports.kDeserialize = Symbol("kDeserialize");
exports.kTransfer = Symbol("kTransfer");
exports.kTransferList = Symbol("kTransferList");
