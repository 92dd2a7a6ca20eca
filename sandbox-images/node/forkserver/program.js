/** Runs one program as `node main.js` would, in the process that was forked for it. */
"use strict";

const Module = require("node:module");

const WORK_DIRECTORY = "/work";
const PATH = `${WORK_DIRECTORY}/main.js`;
/** Characters of a message; six bytes each at most fit the report. */
const REPORT_TEXT_MAX = 32 * 1024;

/** What nearly every program makes Node load or compile, done once and before the first fork. */
function prepare() {
  // Forgets where this server was started, which Node would otherwise tell programs.
  process.chdir(WORK_DIRECTORY);
  for (const name of [
    "util",
    "events",
    "stream",
    "timers",
    "timers/promises",
    "assert",
    "buffer",
    "path",
    "url",
    "os",
  ])
    require(name);
  require("node:child_process");
  require("node:crypto");
  require("node:util").inspect({ a: [1, new Map([[1, "b"]])], e: new Error("x") });
  require("node:net");
  require("node:tty");
  delete process.env.LD_PRELOAD;
}

/** A generator of random numbers of this call's own: V8's would give every call the same. xoshiro128**, by Blackman and Vigna. */
function randomFrom(seed) {
  let [a, b, c, d] = new Uint32Array(seed);
  const next = () => {
    const product = Math.imul(b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = (d << 11) | (d >>> 21);
    return result;
  };
  // Fifty-three bits, as Math.random has.
  const random = () => ((next() >>> 5) * 67108864 + (next() >>> 6)) / 9007199254740992;
  return random;
}

/** Writes what the program says about itself where its slot reads it. */
function fillReport(buffer, fields) {
  const text = Buffer.from(JSON.stringify(fields));
  const view = new DataView(buffer);
  if (text.length + 4 > buffer.byteLength) return;
  new Uint8Array(buffer, 4).set(text);
  view.setUint32(0, text.length, true);
}

/**
 * @param {unknown} thrown
 * @param {string} file whose lines are the program's own
 */
function describe(thrown, file) {
  if (!(thrown instanceof Error)) return { type: "Error", message: `Uncaught ${String(thrown)}`, line: null };
  // Whatever the program has made of these fields.
  const [type, message, stack] = [thrown.name, thrown.message, thrown.stack].map(String);
  const line = stack.includes(`${file}:`)
    ? /^\d+/.exec(stack.slice(stack.indexOf(`${file}:`) + file.length + 1))
    : null;
  return {
    type: type.slice(0, REPORT_TEXT_MAX),
    message: message.slice(0, REPORT_TEXT_MAX),
    line: line === null ? null : Number(line[0]),
  };
}

/**
 * Ends the process at once when its program has come to its end: what Node takes down then is the kernel's to free, and
 * takes longer than most programs. An error that nobody caught ends as in Node, which has yet to print it.
 */
function endAtOnce(report, exit) {
  let isFatal = false;
  const emit = process.emit.bind(process);
  const emitThenEnd = (...event) => {
    const heard = emit(...event);
    if (event[0] === "exit" && !isFatal) exit(process.exitCode || 0);
    return heard;
  };
  Object.defineProperty(process, "emit", { value: emitThenEnd, configurable: true, writable: true });
  process.reallyExit = (code) => exit(code || 0);
  process.on("uncaughtExceptionMonitor", (error) => {
    isFatal = true;
    try {
      fillReport(report, { error: describe(error, PATH) });
    } catch {
      // What an error of the program's says of itself is the program's code.
    }
  });
}

/** @param pid as this process knows itself: Node has looked once, before the fork */
function setPid(pid) {
  Object.defineProperty(process, "pid", {
    value: pid,
    enumerable: true,
    configurable: true,
    writable: false,
  });
}

/**
 * Makes this process look as if it had just been started, with nothing of the fork server's.
 * @param call {pid, env, random} as the slot has them; `env` is NAME=value
 * @param argv what follows the interpreter on the command line
 */
function startAnew({ pid, env, random }, argv) {
  for (const entry of env) {
    const at = entry.indexOf("=");
    process.env[entry.slice(0, at)] = entry.slice(at + 1);
  }
  setPid(pid);
  process.argv = [process.execPath, ...argv];
  process.execArgv = [];
  Math.random = randomFrom(random);
  for (const path of Object.keys(require.cache)) delete require.cache[path];
}

/**
 * @param call {pid, args, env, report, random} as the slot has them
 * @param exit ends the process with a code
 */
function run(call, exit) {
  startAnew(call, [PATH, ...call.args]);
  endAtOnce(call.report, exit);
  // From Node's own code, so that no frame of ours is in a stack.
  process.nextTick(Module.runMain, PATH);
}

module.exports = { prepare, run, startAnew, setPid, randomFrom, describe, REPORT_TEXT_MAX };
