const loop = require("guest/loop");

for (const name of [
  "setTimeout",
  "clearTimeout",
  "setInterval",
  "clearInterval",
  "setImmediate",
  "clearImmediate",
])
  exports[name] = loop[name];
primordials.ObjectDefineProperty(exports, "promises", {
  __proto__: null,
  configurable: true,
  enumerable: true,
  get: () => require("timers/promises"),
});

const custom = require("internal/util").promisify.custom;
for (const name of ["setTimeout", "setImmediate"]) {
  primordials.ObjectDefineProperty(exports[name], custom, {
    __proto__: null,
    enumerable: true,
    get: () => require("timers/promises")[name],
  });
}
