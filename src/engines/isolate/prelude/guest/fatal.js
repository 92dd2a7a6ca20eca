/* An error that nobody caught: shown as Node shows it, with the frames of the program only. */
const {
  Error,
  ErrorPrototype,
  NumberParseInt,
  ObjectPrototypeIsPrototypeOf,
  RegExpPrototypeExec,
  RegExpPrototypeSymbolReplace,
  StringPrototypeLastIndexOf,
  StringPrototypeRepeat,
  StringPrototypeSlice,
  StringPrototypeSplit,
} = primordials;
const output = require("guest/output");
const finish = require("guest/finish");
const { lineOf } = require("guest/sources");

const FRAME = /^ {4}at (?:.* \()?(?:file:\/\/)?(\/[^()]*?):(\d+):(\d+)\)?$/m;
const OWN_FRAMES = /\n {4,}at [^\n]*?(?:node:internal\/|<isolated-vm boundary>|:1:-\d)[^\n]*?( \{)?(?=\n|$)/g;
const REJECTION_NOTE =
  "This error originated either by throwing inside of an async function without a catch block, or by rejecting a promise which was not handled with .catch(). The promise rejected with the reason ";

exports.withoutOwnFrames = (text) => RegExpPrototypeSymbolReplace(OWN_FRAMES, text, "$1");

const isError = (value) =>
  internalBinding("types").isNativeError(value) ||
  (typeof value === "object" && value !== null && ObjectPrototypeIsPrototypeOf(ErrorPrototype, value));

/** Where the program's own code was, by the first of its frames, or undefined. */
exports.placeOf = (stack) => {
  const frame = typeof stack === "string" ? RegExpPrototypeExec(FRAME, stack) : null;
  if (frame === null) return undefined;
  return { file: frame[1], line: NumberParseInt(frame[2], 10), column: NumberParseInt(frame[3], 10) };
};

/** The source line with a caret below, as Node prints before an uncaught error. */
exports.excerpt = ({ file, line, column }, { width = 1, isThrown = false } = {}) => {
  const source = lineOf(file, line);
  if (source === undefined || source.length > 10_000) return `${file}:${line}\n`;
  // V8 points at the statement that threw; a stack knows the expression that made the error.
  const thrown = isThrown
    ? RegExpPrototypeExec(/throw [^;]*$/, StringPrototypeSlice(source, 0, column - 1))
    : null;
  const caretAt = thrown?.index ?? column - 1;
  const indent = RegExpPrototypeSymbolReplace(/[^\t]/g, StringPrototypeSlice(source, 0, caretAt), " ");
  return `${file}:${line}\n${source}\n${indent}${StringPrototypeRepeat("^", width)}\n\n`;
};

const footer = () => `\n\nNode.js ${process.version}\n`;

function describe(error, isRejection) {
  const { inspect } = require("internal/util/inspect");
  if (isError(error)) {
    const stack = error.stack;
    const at = exports.placeOf(stack);
    const type = error.constructor?.name ?? error.name;
    return {
      text: `${at === undefined ? "Uncaught:\n" : exports.excerpt(at, { isThrown: !isRejection })}${exports.withoutOwnFrames(inspect(error))}`,
      report: {
        type: finish.capped(`${type}`, 256),
        message: finish.capped(`${error.message}`),
        line: at?.line ?? null,
      },
    };
  }
  const shown = inspect(error);
  if (isRejection) {
    const message = `${REJECTION_NOTE}"${typeof error === "string" ? error : shown}".`;
    return {
      text: `node:internal/process/promises\n      triggerUncaughtException(err, true /* fromPromise */);\n      ^\n\n[UnhandledPromiseRejection: ${message}] {\n  code: 'ERR_UNHANDLED_REJECTION'\n}`,
      report: { type: "UnhandledPromiseRejection", message: finish.capped(message), line: null },
    };
  }
  return {
    text: `Uncaught:\n${shown}\n(Use \`node --trace-uncaught ...\` to show where the exception was thrown)`,
    report: { type: error === null ? "null" : typeof error, message: finish.capped(shown), line: null },
  };
}

let reporting = false;

/** Ends the program unless it has a handler for this. */
exports.uncaught = (error, isRejection = false) => {
  if (!reporting && require.isWhole() && process.listenerCount("uncaughtException") > 0) {
    process.emit("uncaughtException", error, isRejection ? "unhandledRejection" : "uncaughtException");
    return;
  }
  if (reporting) finish.exitNow(7);
  reporting = true;
  let described;
  try {
    described = describe(error, isRejection);
  } catch {
    described = {
      text: "Uncaught:\nan error that cannot be shown",
      report: { type: "Error", message: "", line: null },
    };
  }
  finish.report({ error: described.report });
  output.write(2, `${finish.capped(described.text, 1 << 20)}${footer()}`);
  finish.exit(1);
};

/** A rejection that nobody handled by the end of the turn's microtasks. */
exports.unhandledRejection = (error) => {
  if (require.isWhole() && process.listenerCount("unhandledRejection") > 0)
    process.emit(
      "unhandledRejection",
      error,
      primordials.PromiseReject(error).catch(() => undefined),
    );
  else exports.uncaught(error, true);
};

/** A source that does not compile; never returns. */
exports.syntaxError = (message, file, line, column) => {
  reporting = true;
  finish.report({ error: { type: "SyntaxError", message: finish.capped(message), line } });
  const width = message === "Unexpected end of input" ? 0 : 1;
  output.write(2, `${exports.excerpt({ file, line, column }, { width })}SyntaxError: ${message}${footer()}`);
  finish.exit(1);
};
