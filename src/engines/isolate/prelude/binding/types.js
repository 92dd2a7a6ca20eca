/*
 * Node asks V8 for these; a program in JavaScript can ask an object's internal slots only by calling a method
 * that needs them, which throws where they are missing.
 */
const {
  ArrayBufferPrototypeGetByteLength,
  ArrayIteratorPrototype,
  ArrayPrototype,
  AsyncFunctionPrototype,
  AsyncGeneratorFunctionPrototype,
  BigIntPrototypeValueOf,
  BooleanPrototypeValueOf,
  DataViewPrototypeGetByteLength,
  DatePrototypeGetTime,
  Error,
  FunctionPrototype,
  GeneratorFunctionPrototype,
  MapIteratorPrototype,
  MapPrototypeGetSize,
  NumberPrototypeValueOf,
  ObjectGetOwnPropertyDescriptor,
  ObjectGetPrototypeOf,
  ObjectPrototype,
  ObjectPrototypeIsPrototypeOf,
  ObjectPrototypeToString,
  PromisePrototype,
  Proxy,
  ReflectConstruct,
  RegExpPrototypeGetSource,
  SafeSet,
  SafeWeakMap,
  SetIteratorPrototype,
  SetPrototypeGetSize,
  StringPrototypeValueOf,
  SymbolPrototypeValueOf,
  SymbolToStringTag,
  WeakMapPrototypeHas,
  WeakSetPrototypeHas,
} = primordials;

const isObject = (value) => (typeof value === "object" && value !== null) || typeof value === "function";
const PLAIN = new SafeSet([ObjectPrototype, ArrayPrototype, FunctionPrototype, ArrayIteratorPrototype, null]);

/** True when `probe` does not throw; objects that are plainly something else are not probed, a throw is dear. */
const brand = (probe) => (value) => {
  if (
    typeof value !== "object" ||
    value === null ||
    proxies.has(value) ||
    PLAIN.has(ObjectGetPrototypeOf(value))
  )
    return false;
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    probe(value);
    return true;
  } catch {
    return false;
  } finally {
    Error.stackTraceLimit = limit;
  }
};
const inherits = (prototype) => (value) =>
  isObject(value) && !proxies.has(value) && ObjectPrototypeIsPrototypeOf(prototype, value);

const proxies = new SafeWeakMap();

const inheritsAsync = inherits(AsyncFunctionPrototype);
const inheritsAsyncGenerator = inherits(AsyncGeneratorFunctionPrototype);
const inheritsGenerator = inherits(GeneratorFunctionPrototype);
const inheritsGeneratorObject = inherits(GeneratorFunctionPrototype.prototype);
const inheritsAsyncGeneratorObject = inherits(AsyncGeneratorFunctionPrototype.prototype);

exports.isExternal = () => false;
exports.isDate = brand(DatePrototypeGetTime);
exports.isArgumentsObject = (value) =>
  isObject(value) &&
  !proxies.has(value) &&
  ObjectGetPrototypeOf(value) === ObjectPrototype &&
  !(SymbolToStringTag in value) &&
  ObjectPrototypeToString(value) === "[object Arguments]";
exports.isBigIntObject = brand(BigIntPrototypeValueOf);
exports.isBooleanObject = brand(BooleanPrototypeValueOf);
exports.isNumberObject = brand(NumberPrototypeValueOf);
exports.isStringObject = brand(StringPrototypeValueOf);
exports.isSymbolObject = brand(SymbolPrototypeValueOf);
exports.isBoxedPrimitive = (value) =>
  exports.isNumberObject(value) ||
  exports.isStringObject(value) ||
  exports.isBooleanObject(value) ||
  exports.isBigIntObject(value) ||
  exports.isSymbolObject(value);
exports.isRegExp = brand((value) => value !== primordials.RegExpPrototype && RegExpPrototypeGetSource(value));
exports.isAsyncFunction = (value) =>
  typeof value === "function" && (inheritsAsync(value) || inheritsAsyncGenerator(value));
exports.isGeneratorFunction = (value) =>
  typeof value === "function" && (inheritsGenerator(value) || inheritsAsyncGenerator(value));
exports.isGeneratorObject = (value) => inheritsGeneratorObject(value) || inheritsAsyncGeneratorObject(value);
exports.isPromise = inherits(PromisePrototype);
exports.isMap = brand(MapPrototypeGetSize);
exports.isSet = brand(SetPrototypeGetSize);
exports.isMapIterator = inherits(MapIteratorPrototype);
exports.isSetIterator = inherits(SetIteratorPrototype);
exports.isWeakMap = brand((value) => WeakMapPrototypeHas(value, value));
exports.isWeakSet = brand((value) => WeakSetPrototypeHas(value, value));
exports.isArrayBuffer = brand(ArrayBufferPrototypeGetByteLength);
exports.isSharedArrayBuffer = () => false;
exports.isAnyArrayBuffer = exports.isArrayBuffer;
exports.isDataView = brand(DataViewPrototypeGetByteLength);
exports.isProxy = (value) => isObject(value) && proxies.has(value);
exports.isModuleNamespaceObject = (value) =>
  typeof value === "object" &&
  value !== null &&
  !proxies.has(value) &&
  ObjectGetPrototypeOf(value) === null &&
  ObjectGetOwnPropertyDescriptor(value, SymbolToStringTag)?.configurable === false;
exports.isEventTarget = () => false;

/** What V8 tells Node about a proxy: [target, handler], or undefined. */
exports.proxyDetails = (value) => (isObject(value) ? proxies.get(value) : undefined);

/** A Proxy constructor that remembers what it made, so that printing one never runs its traps. */
exports.RecordingProxy = new Proxy(Proxy, {
  construct(Target, args, newTarget) {
    const proxy = ReflectConstruct(Target, args, newTarget);
    proxies.set(proxy, [args[0], args[1]]);
    return proxy;
  },
  get(Target, key) {
    if (key !== "revocable") return Target[key];
    return function revocable(target, handler) {
      const made = primordials.ProxyRevocable(target, handler);
      const { revoke } = made;
      const details = [target, handler];
      proxies.set(made.proxy, details);
      made.revoke = () => {
        details[0] = details[1] = null;
        revoke();
      };
      return made;
    };
  },
});
