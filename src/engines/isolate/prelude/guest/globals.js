/* The global object of the program. What a realm of V8 alone has and a program must not have is removed. */
const {
  ErrorPrototypeToString,
  ObjectDefineProperty,
  PromisePrototypeThen,
  PromiseResolve,
  SafeArrayIterator,
  StringPrototypeStartsWith,
} = primordials;
const lazy = require("guest/lazy");
const loop = require("guest/loop");

const REMOVED = ["WebAssembly", "SharedArrayBuffer", "Atomics"];

function define(name, value) {
  ObjectDefineProperty(globalThis, name, {
    __proto__: null,
    configurable: true,
    writable: true,
    enumerable: false,
    value,
  });
}

function queueMicrotask(callback) {
  if (typeof callback !== "function") require("internal/validators").validateFunction(callback, "callback");
  PromisePrototypeThen(PromiseResolve(), () => {
    try {
      callback();
    } catch (error) {
      require("guest/fatal").uncaught(error);
    }
  });
}

/** In each new context: V8 puts these back when it makes one from a snapshot. */
exports.remove = () => {
  for (const name of new SafeArrayIterator(REMOVED)) delete globalThis[name];
};

/* The call around a script's wrapper, which lies before the first column. */
const isCallOfRunner = (frame) => frame.getColumnNumber() === null && frame.getFunctionName() === null;

/*
 * As Node's own (internal) one: errors of Node's library show their code. Frames of this library are left out,
 * where under Node those of its loader would follow; a program that sets its own gets all of them.
 */
function prepareStackTrace(error, frames) {
  const kIsNodeError = require.known("internal/errors")?.kIsNodeError;
  let text;
  try {
    text =
      kIsNodeError !== undefined && kIsNodeError in error
        ? `${error.name} [${error.code}]: ${error.message}`
        : ErrorPrototypeToString(error);
  } catch {
    text = "<error>";
  }
  for (let i = 0; i < frames.length; i++) {
    const file = frames[i].getFileName();
    const isOwn =
      typeof file === "string" &&
      (StringPrototypeStartsWith(file, "node:internal/") || isCallOfRunner(frames[i]));
    if (!isOwn) text += `\n    at ${frames[i]}`;
  }
  return text;
}

exports.install = () => {
  ObjectDefineProperty(globalThis.Error, "prepareStackTrace", {
    __proto__: null,
    configurable: true,
    writable: true,
    value: prepareStackTrace,
  });
  require("guest/observers").install();
  define("Proxy", internalBinding("types").RecordingProxy);
  define("global", globalThis);
  lazy.define(globalThis, "process", false, () => {
    require.makeWhole();
    return process;
  });
  define("queueMicrotask", queueMicrotask);
  for (const name of [
    "setTimeout",
    "clearTimeout",
    "setInterval",
    "clearInterval",
    "setImmediate",
    "clearImmediate",
  ])
    define(name, loop[name]);
  lazy.defineFrom(globalThis, "buffer", ["Buffer", "atob", "btoa"], false);
  lazy.defineFrom(globalThis, "internal/encoding", ["TextEncoder", "TextDecoder"], false);
  lazy.defineFrom(globalThis, "internal/url", ["URL", "URLSearchParams"], false);
  lazy.defineFrom(globalThis, "internal/event_target", ["Event", "EventTarget"], false);
  lazy.defineFrom(globalThis, "internal/abort_controller", ["AbortController", "AbortSignal"], false);
  lazy.defineFrom(globalThis, "guest/structured-clone", ["structuredClone"], false);
  lazy.defineFrom(globalThis, "perf_hooks", ["performance"], false);
  define("console", require("guest/console").console);
  ObjectDefineProperty(globalThis, "crypto", {
    __proto__: null,
    configurable: true,
    enumerable: true,
    get: () => require("crypto").webcrypto,
  });
  lazy.define(globalThis, "DOMException", false, () => require("internal/util").lazyDOMExceptionClass());
  define("print", (...args) => globalThis.console.log(...args));
  define("readline", () => require("guest/stdin").readLine());
};
