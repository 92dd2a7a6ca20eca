/* structuredClone in plain JavaScript: the algorithm of the HTML standard for the types there are here. */
const {
  ArrayBufferIsView,
  ArrayBufferPrototypeSlice,
  ArrayIsArray,
  Date,
  DatePrototypeGetTime,
  Error,
  Map,
  MapPrototypeForEach,
  Object,
  ObjectDefineProperty,
  ObjectGetOwnPropertyDescriptor,
  ObjectKeys,
  ObjectPrototypeHasOwnProperty,
  RegExp,
  RegExpPrototypeGetFlags,
  RegExpPrototypeGetSource,
  SafeMap,
  Set,
  SetPrototypeForEach,
  String,
  Symbol,
} = primordials;
const types = require("internal/util/types");
const { lazyDOMExceptionClass } = require("internal/util");

const ERRORS = {
  __proto__: null,
  EvalError: globalThis.EvalError,
  RangeError: globalThis.RangeError,
  ReferenceError: globalThis.ReferenceError,
  SyntaxError: globalThis.SyntaxError,
  TypeError: globalThis.TypeError,
  URIError: globalThis.URIError,
};

function refuse(value) {
  const DOMException = lazyDOMExceptionClass();
  return new DOMException(
    `${typeof value === "symbol" ? String(value) : typeof value === "function" ? `${value}` : "#<Promise>"} could not be cloned.`,
    "DataCloneError",
  );
}

function cloneError(value) {
  const Class = ERRORS[value.name] ?? Error;
  const copy = new Class();
  const keep = (key, from) =>
    ObjectDefineProperty(copy, key, { __proto__: null, configurable: true, writable: true, value: from });
  if (ObjectPrototypeHasOwnProperty(value, "message")) keep("message", `${value.message}`);
  keep("stack", `${value.stack}`);
  return copy;
}

function shell(value) {
  if (types.isDate(value)) return new Date(DatePrototypeGetTime(value));
  if (types.isRegExp(value))
    return new RegExp(RegExpPrototypeGetSource(value), RegExpPrototypeGetFlags(value));
  if (types.isBoxedPrimitive(value) && !types.isSymbolObject(value)) return Object(value.valueOf());
  if (types.isArrayBuffer(value)) return ArrayBufferPrototypeSlice(value, 0);
  if (types.isNativeError(value)) return cloneError(value);
  return undefined;
}

function clone(value, seen) {
  if (typeof value === "symbol" || typeof value === "function") throw refuse(value);
  if (typeof value !== "object" || value === null) return value;
  const known = seen.get(value);
  if (known !== undefined) return known;
  const keep = (copy) => {
    seen.set(value, copy);
    return copy;
  };
  const whole = shell(value);
  if (whole !== undefined) return keep(whole);
  if (ArrayBufferIsView(value)) {
    const Class = types.isDataView(value)
      ? globalThis.DataView
      : globalThis[primordials.TypedArrayPrototypeGetSymbolToStringTag(value)];
    return keep(
      new Class(
        clone(value.buffer, seen),
        value.byteOffset,
        types.isDataView(value) ? value.byteLength : value.length,
      ),
    );
  }
  if (types.isMap(value)) {
    const copy = keep(new Map());
    MapPrototypeForEach(value, (item, key) => copy.set(clone(key, seen), clone(item, seen)));
    return copy;
  }
  if (types.isSet(value)) {
    const copy = keep(new Set());
    SetPrototypeForEach(value, (item) => copy.add(clone(item, seen)));
    return copy;
  }
  if (
    types.isPromise(value) ||
    types.isWeakMap(value) ||
    types.isWeakSet(value) ||
    types.isGeneratorObject(value)
  )
    throw refuse(value);
  const copy = keep(ArrayIsArray(value) ? new primordials.Array(value.length) : {});
  const keys = ObjectKeys(value);
  for (let i = 0; i < keys.length; i++) copy[keys[i]] = clone(value[keys[i]], seen);
  return copy;
}

exports.structuredClone = (value) => clone(value, new SafeMap());
