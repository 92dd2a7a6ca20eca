/*
 * The global console. It prints lines of primitives by itself; for anything else it has the console of Node's
 * library, which is loaded then and prints all from there on.
 */
const {
  FunctionPrototypeBind,
  ObjectDefineProperty,
  ReflectApply,
  SafeArrayIterator,
  StringPrototypeIncludes,
  SymbolToStringTag,
} = primordials;
const lazy = require("guest/lazy");
const output = require("guest/output");

const DESCRIPTORS = { __proto__: null, log: 1, warn: 2, error: 2, debug: 1, info: 1 };
/* In the order of Node's own. */
const METHODS = [
  "log",
  "warn",
  "error",
  "dir",
  "time",
  "timeEnd",
  "timeLog",
  "trace",
  "assert",
  "clear",
  "count",
  "countReset",
  "group",
  "groupEnd",
  "table",
  "debug",
  "info",
  "dirxml",
  "groupCollapsed",
];

/** Methods of Node's console by name, once it is loaded. */
const real = { __proto__: null };
const realMethod = (name) => {
  require("internal/console/global");
  return real[name];
};

/** The line that Node prints of `args`, or undefined when it takes more than this to know. */
function lineOf(args) {
  const { length } = args;
  if (length > 1 && typeof args[0] === "string" && StringPrototypeIncludes(args[0], "%")) return undefined;
  let line = "";
  for (let i = 0; i < length; i++) {
    const value = args[i];
    if (i > 0) line += " ";
    switch (typeof value) {
      case "string":
      case "boolean":
      case "undefined":
        line += value;
        break;
      case "number":
        line += value === 0 && 1 / value < 0 ? "-0" : value;
        break;
      case "bigint":
        line += `${value}n`;
        break;
      case "object":
        if (value !== null) return undefined;
        line += "null";
        break;
      case "symbol":
      case "function":
        return undefined;
    }
  }
  return line;
}

function method(name) {
  const fd = DESCRIPTORS[name];
  return function (...args) {
    const line = fd === undefined || require.isWhole() ? undefined : lineOf(args);
    if (line === undefined) return ReflectApply(realMethod(name), undefined, args);
    return output.write(fd, `${line}\n`);
  };
}

const console = { __proto__: {} };
for (const name of new SafeArrayIterator(METHODS)) {
  // Bound as Node's are: what makes it is not its text.
  console[name] = FunctionPrototypeBind(method(name), undefined);
  ObjectDefineProperty(console[name], "name", { __proto__: null, configurable: true, value: name });
}
lazy.define(console, "Console", true, () => require("internal/console/constructor").Console);
ObjectDefineProperty(console, SymbolToStringTag, {
  __proto__: null,
  configurable: true,
  value: "console",
});

module.exports = { console, real };
