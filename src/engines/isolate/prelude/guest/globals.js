/* The global object of the program. What a realm of V8 alone has and a program must not have is removed. */
const { ObjectDefineProperty, PromisePrototypeThen, PromiseResolve, SafeArrayIterator } = primordials;
const { defineLazyProperties } = internalBinding("util");
const { validateFunction } = require("internal/validators");
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
  validateFunction(callback, "callback");
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

exports.install = () => {
  internalBinding("util").installObservers();
  define("Proxy", internalBinding("types").RecordingProxy);
  define("global", globalThis);
  define("process", process);
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
  defineLazyProperties(globalThis, "buffer", ["Buffer", "atob", "btoa"], false);
  defineLazyProperties(globalThis, "internal/encoding", ["TextEncoder", "TextDecoder"], false);
  defineLazyProperties(globalThis, "internal/url", ["URL", "URLSearchParams"], false);
  defineLazyProperties(globalThis, "internal/event_target", ["Event", "EventTarget"], false);
  defineLazyProperties(globalThis, "internal/abort_controller", ["AbortController", "AbortSignal"], false);
  defineLazyProperties(globalThis, "guest/structured-clone", ["structuredClone"], false);
  defineLazyProperties(globalThis, "perf_hooks", ["performance"], false);
  define("console", require("internal/console/global"));
  ObjectDefineProperty(globalThis, "crypto", {
    __proto__: null,
    configurable: true,
    enumerable: true,
    get: () => require("crypto").webcrypto,
  });
  define("DOMException", require("internal/util").lazyDOMExceptionClass());
  define("print", (...args) => globalThis.console.log(...args));
  define("readline", () => require("guest/stdin").readLine());
};
