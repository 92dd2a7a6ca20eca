/*
 * The end of the program, from inside: its last handlers run, the collected files and the report go to the
 * host as strings of bounded length, and nothing of the program runs after that.
 */
const { JSONStringify, Number, NumberIsInteger, SafeArrayIterator, StringPrototypeSlice } = primordials;

const TEXT_UNITS_MAX = 65_536;
let collect = [];
let report = {};
let ended = false;

exports.setCollected = (paths) => {
  collect = paths;
};
exports.report = (fields) => {
  report = { ...report, ...fields };
};
exports.capped = (text, max = TEXT_UNITS_MAX) =>
  text.length > max ? StringPrototypeSlice(text, 0, max) : text;

function sendEnd(exitCode) {
  ended = true;
  const files = require("guest/files");
  for (const path of new SafeArrayIterator(collect)) {
    const { kind, content } = files.collected(path);
    host.file(path, kind, content);
  }
  host.end("exit", exitCode, JSONStringify({ __proto__: null, ...report }));
}

/*
 * The host disposes of the isolate once it sees the mark. Not sooner: what reaches a thread that still waits for
 * the host's answer comes out of that wait as an exception, which a program could catch.
 */
function halt() {
  require("guest/output").markHalted();
  for (;;);
}

const asExitCode = (code) => {
  const number = code === undefined || code === null ? 0 : Number(code);
  return NumberIsInteger(number) ? number & 255 : 1;
};

/** Emits `exit`, as Node does once, and gives the exit code that the handlers leave. */
function lastHandlers(code) {
  if (process._exiting) return asExitCode(code);
  process._exiting = true;
  if (code !== undefined) process.exitCode = code;
  // Before the whole library is loaded, nobody can have asked for it.
  if (require.isWhole()) process.emit("exit", asExitCode(process.exitCode));
  return asExitCode(process.exitCode);
}

/** process.exit(): does not return. */
exports.exit = (code) => {
  if (!ended) sendEnd(lastHandlers(code ?? process.exitCode));
  halt();
};
/** process.reallyExit(): as exit, without handlers. */
exports.exitNow = (code) => {
  if (!ended) sendEnd(asExitCode(code));
  halt();
};
/** The program has nothing left to wait for. */
exports.finish = (code) => {
  if (!ended) sendEnd(lastHandlers(code));
};
exports.endForOutput = () => {
  ended = true;
  host.end("output", 0, "{}");
  halt();
};
