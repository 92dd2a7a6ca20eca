/**
 * The interpreter of a JavaScript session: Node's own REPL without its terminal. It runs one call after another in one
 * global scope, and is forked between them. A call is done when its source has come to its end and nothing is left to
 * wait for, as a program is; or when it is interrupted.
 */
"use strict";

const { PassThrough } = require("node:stream");
const fs = require("node:fs");
const repl = require("node:repl");
const util = require("node:util");
const { startAnew, setPid, randomFrom, describe, REPORT_TEXT_MAX } = require("./program.js");

const CELL = 1;
const INTERRUPTED = "ERR_SCRIPT_EXECUTION_INTERRUPTED";
/** Exit codes as Node and shells have them. */
const FAILED = 1;
const UNSETTLED = 13;
const SIGINT_CODE = 130;
/** How often a call that must not wait for all there is looks whether its own is done. */
const LOOK_MS = 5;
const INTERNAL_FRAME = /\n {4}at [^\n]*(?:node:|\/opt\/rollcall\/)[^\n]*/g;

/** What REPLServer asks of a domain; errors that nobody caught come to the process instead. */
const NO_DOMAIN = {
  bind: (call) => call,
  on() {
    return this;
  },
  enter() {},
  exit() {},
};

/** How many timers, handles and requests keep the event loop alive. */
function waitedFor() {
  return process.getActiveResourcesInfo().filter((kind) => kind !== "Immediate").length;
}

function say(text) {
  try {
    fs.writeSync(2, `${text}\n`);
  } catch {
    // It was closed, or is full and its reader gone: nobody is there to be told.
  }
}

/** The REPL wraps the error of a source that more lines could complete. */
function unwrapped(error) {
  return error instanceof SyntaxError && error.err instanceof SyntaxError ? error.err : error;
}

class Session {
  #slots;
  #server;
  #count = 0;
  /** The call that runs: `code`, `report`, and whether its source has come to its end. */
  #call = null;
  #input = null;
  /** Whether an interrupted call left something to wait for, which later calls do not wait for; and how many such things. */
  #hasLeftovers = false;
  #leftovers = 0;
  #onInterrupt = () => this.#interrupted();

  constructor(slots) {
    this.#slots = slots;
    this.#server = new repl.REPLServer({
      input: new PassThrough(),
      output: new PassThrough(),
      terminal: false,
      prompt: "",
      useGlobal: true,
      breakEvalOnSigint: true,
      domain: NO_DOMAIN,
    });
    Object.defineProperty(process, "stdin", {
      get: () => this.#stdin(),
      configurable: true,
      enumerable: true,
    });
    process.on("uncaughtException", (error) => this.#failed(error));
    process.on("beforeExit", () => this.#idle());
  }

  /** Waits for orders; comes back once there is a call to run, which keeps the event loop alive. */
  listen() {
    for (;;) {
      const order = this.#slots.sessionNext();
      if (order.kind === "call") {
        setImmediate(() => this.#run(order));
        return;
      }
      if (order.kind === "fork") this.#fork(order.reseed);
      else {
        say(order.message);
        this.#slots.sessionDone(FAILED, "");
      }
    }
  }

  #fork(reseed) {
    const fork = this.#slots.sessionFork();
    if (fork === null) return;
    setPid(fork.pid);
    if (reseed) Math.random = randomFrom(fork.random);
    this.#slots.sessionReady();
  }

  /** Input is each call's own. */
  #stdin() {
    this.#input ??= fs.createReadStream("", { fd: 0, autoClose: false });
    return this.#input;
  }

  #run({ flags, source }) {
    const call = { code: 0, report: {}, isOver: false, name: `<cell ${++this.#count}>` };
    this.#call = call;
    this.#input = null;
    this.#leftovers = waitedFor();
    // While code runs the REPL hears interrupts itself, and better where nobody else listens.
    process.off("SIGINT", this.#onInterrupt);
    this.#evaluate(call, source, (flags & CELL) !== 0);
    process.on("SIGINT", this.#onInterrupt);
  }

  #evaluate(call, source, isCell) {
    this.#server.eval(source, this.#server.context, call.name, (error, value) => {
      if (this.#call !== call) return;
      call.isOver = true;
      if (this.#hasLeftovers) setImmediate(() => this.#endWithLeftovers(call));
      if (error?.code === INTERRUPTED) this.#interrupted();
      else if (error !== null && error !== undefined) this.#failed(unwrapped(error));
      else if (isCell && value !== undefined) this.#show(value);
    });
  }

  #show(value) {
    try {
      this.#call.report = { value: util.inspect(value).slice(0, REPORT_TEXT_MAX) };
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Prints what was thrown, with the frames of the program only. */
  #failed(thrown) {
    const call = this.#call;
    if (call === null) return;
    call.code = FAILED;
    try {
      call.report = { error: describe(thrown, call.name) };
      if (thrown instanceof Error && typeof thrown.stack === "string")
        thrown.stack = thrown.stack.replaceAll(INTERNAL_FRAME, "");
      // A syntax error's stack begins with its place, which `inspect` takes for something that is not to be shown so.
      say(
        `Uncaught ${thrown instanceof SyntaxError ? (thrown.stack ?? String(thrown)) : util.inspect(thrown)}`,
      );
    } catch {
      // What an error of the program's shows of itself is the program's code.
    }
  }

  /** What the call left to wait for goes on while later ones run. */
  #interrupted() {
    if (this.#call === null) return;
    this.#call.code = SIGINT_CODE;
    this.#hasLeftovers = true;
    this.#end();
  }

  #endWithLeftovers(call) {
    if (this.#call !== call) return;
    if (waitedFor() <= this.#leftovers) this.#end();
    else setTimeout(() => this.#endWithLeftovers(call), LOOK_MS);
  }

  /** Nothing is left to wait for. */
  #idle() {
    this.#hasLeftovers = false;
    const call = this.#call;
    if (call === null) return;
    if (!call.isOver) {
      say("Warning: Detected unsettled top-level await");
      call.code ||= UNSETTLED;
    }
    this.#end();
  }

  #end() {
    const { code, report } = this.#call;
    this.#call = null;
    // A child that the program forked, and that came here, is not the session.
    this.#slots.sessionOwn();
    this.#slots.sessionDone(code, Object.keys(report).length === 0 ? "" : JSON.stringify(report));
    this.listen();
  }
}

/**
 * Serves the session's calls.
 * @param slots the compiled part
 * @param call {pid, env, random} as the slot has them
 */
function serveSession(slots, call) {
  startAnew(call, []);
  process.reallyExit = (code) => slots.exit(code || 0);
  const session = new Session(slots);
  slots.sessionOwn();
  slots.sessionReady();
  session.listen();
}

module.exports = { serveSession };
