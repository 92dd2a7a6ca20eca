const { Promise, PromiseReject } = primordials;
const { AbortError } = require("internal/errors");
const loop = require("guest/loop");

const later =
  (start, stop) =>
  (value, { signal, ref = true } = {}) => {
    if (signal?.aborted) return PromiseReject(new AbortError(undefined, { cause: signal.reason }));
    return new Promise((resolve, reject) => {
      const timer = start(() => {
        signal?.removeEventListener("abort", abort);
        resolve(value);
      });
      if (!ref) timer.unref();
      function abort() {
        stop(timer);
        reject(new AbortError(undefined, { cause: signal.reason }));
      }
      signal?.addEventListener("abort", abort, { __proto__: null, once: true });
    });
  };

exports.setTimeout = (after, value, options) =>
  later((done) => loop.setTimeout(done, after), loop.clearTimeout)(value, options);
exports.setImmediate = later(loop.setImmediate, loop.clearImmediate);
exports.setInterval = async function* setInterval(after, value, { signal, ref = true } = {}) {
  for (;;) yield await exports.setTimeout(after, value, { signal, ref });
};
exports.scheduler = {
  wait: (after, options) => exports.setTimeout(after, undefined, options),
  yield: () => exports.setImmediate(),
};
