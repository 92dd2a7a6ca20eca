/* What V8 tells Node of promises and iterators, noted down as a program makes them; in place before it runs. */
const {
  ArrayPrototypePush,
  MapPrototype,
  MapPrototypeEntries,
  MapPrototypeKeys,
  MapPrototypeValues,
  ObjectDefineProperty,
  Promise,
  ReflectApply,
  SafeWeakMap,
  SetPrototype,
  SetPrototypeEntries,
  SetPrototypeValues,
} = primordials;
const types = internalBinding("types");

const kFulfilled = 1;
const kRejected = 2;
exports.kFulfilled = kFulfilled;
exports.kRejected = kRejected;

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
exports.promiseDetails = (promise) => settled.get(promise);

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
exports.install = () => {
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
