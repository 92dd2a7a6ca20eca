/*
 * The methods of the language that Node's library relies on as it loads, by which Node has loaded before any
 * program runs. Here a program may have replaced them before: they are put back while the library loads.
 */
const {
  ArrayIteratorPrototype,
  ArrayPrototype,
  ArrayPrototypePush,
  FunctionPrototype,
  MapPrototype,
  ObjectGetOwnPropertyDescriptor,
  PromisePrototype,
  ReflectDefineProperty,
  ReflectOwnKeys,
  RegExpPrototype,
  SafeArrayIterator,
  SetPrototype,
  StringPrototype,
  WeakMapPrototype,
} = primordials;

/* Owner, key and value in turn. */
const noted = [];

/** Once, when all is as a program finds it. */
exports.note = () => {
  for (const owner of new SafeArrayIterator([
    ArrayIteratorPrototype,
    ArrayPrototype,
    FunctionPrototype,
    MapPrototype,
    PromisePrototype,
    RegExpPrototype,
    SetPrototype,
    StringPrototype,
    WeakMapPrototype,
    globalThis.Array,
    globalThis.Object,
    globalThis.Promise,
    globalThis.Reflect,
  ])) {
    for (const key of new SafeArrayIterator(ReflectOwnKeys(owner))) {
      const { value } = ObjectGetOwnPropertyDescriptor(owner, key);
      if (typeof value === "function") ArrayPrototypePush(noted, owner, key, value);
    }
  }
};

/** Runs `load` with all as noted, and then puts back what the program had. */
exports.withNoted = (load) => {
  const replaced = [];
  for (let i = 0; i < noted.length; i += 3) {
    const owner = noted[i];
    const key = noted[i + 1];
    const value = noted[i + 2];
    const found = ObjectGetOwnPropertyDescriptor(owner, key);
    if (found !== undefined && found.value === value) continue;
    ArrayPrototypePush(replaced, owner, key, found);
    ReflectDefineProperty(owner, key, {
      __proto__: null,
      configurable: true,
      writable: true,
      enumerable: false,
      value,
    });
  }
  try {
    load();
  } finally {
    for (let i = 0; i < replaced.length; i += 3) {
      const found = replaced[i + 2];
      if (found === undefined) delete replaced[i][replaced[i + 1]];
      else ReflectDefineProperty(replaced[i], replaced[i + 1], found);
    }
  }
};
