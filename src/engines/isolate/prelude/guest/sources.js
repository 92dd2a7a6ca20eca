/* Texts of the files that were run, by path, for the source line above an uncaught error. */
const { SafeMap } = primordials;

const texts = new SafeMap();
exports.textOf = (file) => texts.get(file);
exports.note = (file, text) => texts.set(file, text);
