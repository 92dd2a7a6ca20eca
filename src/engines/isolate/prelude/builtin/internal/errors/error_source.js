/*
 * The text of the call that assert() was made by, for its message. Node finds the call's end with a whole
 * parser; matching brackets outside of string literals finds the same for all but odd sources.
 */
const { RegExpPrototypeExec, StringPrototypeSlice } = primordials;

const OPEN = "([{";
const CLOSE = ")]}";

function callEnd(line, from) {
  let depth = 0;
  let quote = "";
  for (let i = from; i < line.length; i++) {
    const char = line[i];
    if (quote !== "") {
      if (char === "\\") i++;
      else if (char === quote) quote = "";
    } else if (char === "'" || char === '"' || char === "`") quote = char;
    else if (OPEN.includes(char)) depth++;
    else if (CLOSE.includes(char) && --depth <= 0) return depth < 0 ? i : i + 1;
    else if (char === ";" && depth === 0) return i;
  }
  return line.length;
}

exports.getErrorSourceLocation = () => undefined;
exports.getErrorSourceExpression = (error) => {
  const { placeOf } = require("guest/fatal");
  const at = placeOf(error.stack);
  const line = at && require("guest/sources").lineOf(at.file, at.line);
  if (line === undefined) return undefined;
  const before = RegExpPrototypeExec(
    /[\w$]+(?:\??\.[\w$]*|\[['"]\w+['"]\])*$/,
    StringPrototypeSlice(line, 0, at.column - 1),
  );
  const start = at.column - 1 - (before?.[0].length ?? 0);
  return StringPrototypeSlice(line, start, callEnd(line, at.column - 1));
};
