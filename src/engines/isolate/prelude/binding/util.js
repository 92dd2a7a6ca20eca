/* What Node's `util` binding says about values. Third parameter of a binding: what only it may see. */
const { privateSymbols } = module;
const {
  ArrayBuffer,
  ArrayPrototypePush,
  MapPrototype,
  MapPrototypeEntries,
  MapPrototypeKeys,
  MapPrototypeValues,
  ObjectDefineProperty,
  ObjectGetOwnPropertyDescriptor,
  ObjectGetOwnPropertyNames,
  ObjectGetOwnPropertySymbols,
  ObjectGetPrototypeOf,
  ObjectPrototypePropertyIsEnumerable,
  Promise,
  ReflectApply,
  RegExpPrototypeExec,
  SafeArrayIterator,
  SafeWeakMap,
  SetPrototype,
  SetPrototypeEntries,
  SetPrototypeValues,
  StringPrototypeToWellFormed,
} = primordials;
const types = internalBinding("types");
const observers = require("guest/observers");

const kPending = 0;
const ONLY_ENUMERABLE = 2;
const INDEX = /^(0|[1-9][0-9]*)$/;
/** Above it the names of an array are not listed: the list would be longer than the array. */
const NAMES_LISTED_MAX = 100_000;

exports.constants = {
  kPending,
  kFulfilled: observers.kFulfilled,
  kRejected: observers.kRejected,
  kExiting: 0,
  kExitCode: 1,
  kHasExitCode: 2,
  ALL_PROPERTIES: 0,
  ONLY_WRITABLE: 1,
  ONLY_ENUMERABLE,
  ONLY_CONFIGURABLE: 4,
  SKIP_STRINGS: 8,
  SKIP_SYMBOLS: 16,
  kDisallowCloneAndTransfer: 0,
  kTransferable: 1,
  kCloneable: 2,
};
exports.privateSymbols = privateSymbols;
exports.shouldAbortOnUncaughtToggle = [0];

exports.getOwnNonIndexProperties = (object, filter) => {
  const found = [];
  const keep = (key) => {
    if (filter !== ONLY_ENUMERABLE || ObjectPrototypePropertyIsEnumerable(object, key))
      ArrayPrototypePush(found, key);
  };
  if (!(object.length > NAMES_LISTED_MAX)) {
    const names = ObjectGetOwnPropertyNames(object);
    for (let i = 0; i < names.length; i++) if (RegExpPrototypeExec(INDEX, names[i]) === null) keep(names[i]);
  }
  const symbols = ObjectGetOwnPropertySymbols(object);
  for (let i = 0; i < symbols.length; i++) keep(symbols[i]);
  return found;
};

exports.getConstructorName = (object) => {
  for (let at = object; at !== null; at = ObjectGetPrototypeOf(at)) {
    const name = ObjectGetOwnPropertyDescriptor(at, "constructor")?.value?.name;
    if (typeof name === "string" && name !== "") return name;
  }
  return "Object";
};

exports.getProxyDetails = (value, both = true) => {
  const details = types.proxyDetails(value);
  if (details === undefined) return undefined;
  return both ? [details[0], details[1]] : details[0];
};

exports.getPromiseDetails = (promise) => observers.promiseDetails(promise) ?? [kPending, undefined];
exports.previewEntries = observers.previewEntries;

exports.getExternalValue = () => 0n;
exports.getCallSites = () => [];
exports.getCallerLocation = () => undefined;
exports.getSystemErrorName = (code) => `Unknown system error ${code}`;
exports.sleep = () => undefined;
exports.guessHandleType = () => "PIPE";
exports.isInsideNodeModules = () => false;
exports.isConstructor = (value) => typeof value === "function" && value.prototype !== undefined;
exports.constructSharedArrayBuffer = (size) => new ArrayBuffer(size);
exports.isArrayBufferDetached = (buffer) => buffer.detached;
exports.toUSVString = (string) => StringPrototypeToWellFormed(`${string}`);
exports.arrayBufferViewHasBuffer = () => true;
exports.parseEnv = () => ({});
exports.WeakReference = class WeakReference {
  #target;
  constructor(target) {
    this.#target = target;
  }
  get() {
    return this.#target;
  }
  incRef() {}
  decRef() {}
};
exports.defineLazyProperties = require("guest/lazy").defineFrom;
