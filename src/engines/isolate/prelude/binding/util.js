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

const kPending = 0;
const kFulfilled = 1;
const kRejected = 2;
const ONLY_ENUMERABLE = 2;
const INDEX = /^(0|[1-9][0-9]*)$/;
/** Above it the names of an array are not listed: the list would be longer than the array. */
const NAMES_LISTED_MAX = 100_000;

exports.constants = {
  kPending,
  kFulfilled,
  kRejected,
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

/* The state of a promise shows to nobody before its reactions run, so that of the plain cases is noted down. */
const settled = new SafeWeakMap();
const note = (method, state) =>
  ({
    [method](value) {
      const promise =
        state === kFulfilled
          ? ReflectApply(nativeResolve, this, [value])
          : ReflectApply(nativeReject, this, [value]);
      const plain =
        state === kRejected ||
        (typeof value !== "object" && typeof value !== "function") ||
        value === null ||
        (!types.isProxy(value) && !("then" in value));
      if (plain && this === Promise) settled.set(promise, [state, value]);
      return promise;
    },
  })[method];
const nativeResolve = Promise.resolve;
const nativeReject = Promise.reject;
exports.getPromiseDetails = (promise) => settled.get(promise) ?? [kPending, undefined];

/* Nor can an iterator of a Map or Set be read without moving it: those made by a named method know their source. */
const sources = new SafeWeakMap();
const remember = (prototype, name, method) =>
  ObjectDefineProperty(prototype, name, {
    __proto__: null,
    configurable: true,
    writable: true,
    value: {
      [name]() {
        const iterator = method(this);
        sources.set(iterator, [method, this]);
        return iterator;
      },
    }[name],
  });
exports.previewEntries = (value, isIterator) => {
  const entries = [];
  const source = sources.get(value);
  const isKeyed =
    source !== undefined && (source[0] === MapPrototypeEntries || source[0] === SetPrototypeEntries);
  const iterator =
    source === undefined
      ? types.isMap(value)
        ? MapPrototypeEntries(value)
        : types.isSet(value)
          ? SetPrototypeValues(value)
          : undefined
      : source[0](source[1]);
  const flat = isKeyed || types.isMap(value);
  if (iterator !== undefined) {
    for (let step = iterator.next(); !step.done; step = iterator.next()) {
      if (flat) ArrayPrototypePush(entries, step.value[0], step.value[1]);
      else ArrayPrototypePush(entries, step.value);
    }
  }
  return isIterator ? [entries, isKeyed] : entries;
};

/** Puts the remembering constructors and methods in place; called once, before the program. */
exports.installObservers = () => {
  ObjectDefineProperty(Promise, "resolve", {
    __proto__: null,
    configurable: true,
    writable: true,
    value: note("resolve", kFulfilled),
  });
  ObjectDefineProperty(Promise, "reject", {
    __proto__: null,
    configurable: true,
    writable: true,
    value: note("reject", kRejected),
  });
  remember(MapPrototype, "keys", MapPrototypeKeys);
  remember(MapPrototype, "values", MapPrototypeValues);
  remember(MapPrototype, "entries", MapPrototypeEntries);
  remember(SetPrototype, "values", SetPrototypeValues);
  remember(SetPrototype, "entries", SetPrototypeEntries);
};

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
exports.defineLazyProperties = (target, id, keys, enumerable = true) => {
  for (const key of new SafeArrayIterator(keys)) {
    ObjectDefineProperty(target, key, {
      __proto__: null,
      configurable: true,
      enumerable,
      get() {
        const value = require(id)[key];
        ObjectDefineProperty(target, key, {
          __proto__: null,
          configurable: true,
          enumerable,
          writable: true,
          value,
        });
        return value;
      },
      set(value) {
        ObjectDefineProperty(target, key, {
          __proto__: null,
          configurable: true,
          enumerable,
          writable: true,
          value,
        });
      },
    });
  }
};
