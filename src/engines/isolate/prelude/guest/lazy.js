/* Properties whose value is made when first asked for; what a program puts in their place stays. */
const { ObjectDefineProperty, ReflectDefineProperty, SafeArrayIterator } = primordials;

function define(target, key, enumerable, make) {
  const put = (value) =>
    ReflectDefineProperty(target, key, {
      __proto__: null,
      configurable: true,
      enumerable,
      writable: true,
      value,
    });
  ObjectDefineProperty(target, key, {
    __proto__: null,
    configurable: true,
    enumerable,
    get() {
      const value = make();
      put(value);
      return value;
    },
    set: put,
  });
}

exports.define = define;
exports.defineFrom = (target, id, keys, enumerable = true) => {
  for (const key of new SafeArrayIterator(keys)) define(target, key, enumerable, () => require(id)[key]);
};
