/* Enough of async_hooks for streams and events; V8 tells this realm nothing of asynchronous contexts. */
const { ReflectApply } = primordials;

class AsyncResource {
  #type;
  constructor(type) {
    this.#type = type;
  }
  runInAsyncScope(fn, thisArg, ...args) {
    return ReflectApply(fn, thisArg, args);
  }
  emitDestroy() {
    return this;
  }
  asyncId() {
    return 1;
  }
  triggerAsyncId() {
    return 0;
  }
  bind(fn) {
    return fn.bind(null);
  }
  static bind(fn) {
    return fn;
  }
}
exports.AsyncResource = AsyncResource;
exports.executionAsyncId = () => 1;
exports.triggerAsyncId = () => 0;
exports.executionAsyncResource = () => ({});
exports.createHook = () => ({
  enable() {
    return this;
  },
  disable() {
    return this;
  },
});
