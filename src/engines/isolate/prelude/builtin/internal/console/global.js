/*
 * Node's lib/internal/console/global.js, but for a console that is there before it: the methods are bound to
 * an object behind the program's console, so that they find what a program has put in place of one of them.
 */
const {
  FunctionPrototypeBind,
  ObjectDefineProperty,
  ObjectGetOwnPropertySymbols,
  ReflectDefineProperty,
  ReflectGetOwnPropertyDescriptor,
  ReflectOwnKeys,
  SafeArrayIterator,
} = primordials;
const { Console, kBindProperties, kBindStreamsLazy } = require("internal/console/constructor");
const { console, real } = require("guest/console");

const behind = { __proto__: console };
for (const key of new SafeArrayIterator(ReflectOwnKeys(Console.prototype))) {
  if (key === "constructor") continue;
  const descriptor = ReflectGetOwnPropertyDescriptor(Console.prototype, key);
  if (typeof descriptor.value === "function") {
    const { name } = descriptor.value;
    descriptor.value = FunctionPrototypeBind(descriptor.value, behind);
    ObjectDefineProperty(descriptor.value, "name", { __proto__: null, value: name });
  }
  if (typeof key === "string" && key in console) real[key] = descriptor.value;
  else if (typeof key === "string") ReflectDefineProperty(console, key, descriptor);
  else ReflectDefineProperty(behind, key, descriptor);
}
behind[kBindProperties](true, "auto");
behind[kBindStreamsLazy](process);
for (const key of new SafeArrayIterator(ObjectGetOwnPropertySymbols(behind)))
  ReflectDefineProperty(console, key, ReflectGetOwnPropertyDescriptor(behind, key));
for (const key of new SafeArrayIterator(["_stdout", "_stderr"]))
  ReflectDefineProperty(console, key, ReflectGetOwnPropertyDescriptor(behind, key));
/* Asked for, it is there as Node has it: as a plain property. */
void console.Console;

module.exports = console;
