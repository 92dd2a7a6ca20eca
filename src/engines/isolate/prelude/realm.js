/*
 * The loader inside the isolate, the counterpart of Node's lib/internal/bootstrap/realm.js. In scope is
 * `library`: each module of Node's own library that we use, and each piece of this directory, as a function
 * with the parameters that Node gives its internal modules.
 *
 * Invariant: what a program can reach is made of this realm's own objects. The functions of the host stay in
 * the closure of `host`, take and return primitives only, and are called by pieces of this directory alone.
 */
const privateSymbols = new Proxy({ __proto__: null }, { get: (seen, name) => (seen[name] ??= Symbol(name)) });
const perIsolateSymbols = new Proxy(
  { __proto__: null },
  { get: (seen, name) => (seen[name] ??= Symbol(name)) },
);
const primordials = {};
library["internal/per_context/primordials"]({}, primordials, privateSymbols, perIsolateSymbols);

const host = { __proto__: null };
const process = {
  versions: {},
  platform: "linux",
  arch: "x64",
  env: {},
  argv: [],
  execArgv: [],
  version: "",
  emitWarning() {},
};
const loaded = new primordials.SafeMap();
const bindings = new primordials.SafeMap();

function requireBuiltin(id) {
  const known = loaded.get(id);
  if (known !== undefined) return known.exports;
  const body = library[id];
  if (body === undefined) throw new primordials.Error(`No such built-in module: ${id}`);
  const module = { id, exports: {} };
  loaded.set(id, module);
  body(module.exports, requireBuiltin, module, process, internalBinding, primordials, host);
  return module.exports;
}

/** Stands in for Node's native bindings; only what our modules use is there. */
function internalBinding(name) {
  const known = bindings.get(name);
  if (known !== undefined) return known;
  const body = library[`binding/${name}`];
  const binding = body === undefined ? internalBinding("tables")[name] : {};
  if (binding === undefined) throw new primordials.Error(`No such binding: ${name}`);
  bindings.set(name, binding);
  body?.(
    binding,
    requireBuiltin,
    { library, privateSymbols, perIsolateSymbols },
    process,
    internalBinding,
    primordials,
    host,
  );
  return binding;
}

/* The one thing the host takes hold of. `connect` gives the realm its host functions; all are called by name. */
const main = requireBuiltin("guest/main");
main.install();
main.connect = (names, ...functions) => {
  const list = primordials.StringPrototypeSplit(names, ",");
  for (let i = 0; i < list.length; i++) host[list[i]] = functions[i];
  requireBuiltin("guest/globals").remove();
};
return main;
