/* Texts of the files that were run, by path, for the source line above an uncaught error. */
const { SafeMap, StringPrototypeSplit } = primordials;

const texts = new SafeMap();
exports.textOf = (file) => texts.get(file);
exports.note = (file, text) => texts.set(file, text);
/** The text of a line, counted from 1, or undefined. */
exports.lineOf = (file, line) => {
  const text = texts.get(file);
  return text === undefined ? undefined : StringPrototypeSplit(text, "\n", line)[line - 1];
};
