/*
 * The loader inside the isolate, the counterpart of Node's lib/internal/bootstrap/realm.js. In scope is
 * `library`: the modules that every program needs, as functions with the parameters that Node gives its internal
 * modules. The rest, nearly all of Node's library, the host adds when the program first needs one of it.
 *
 * Invariant: what a program can reach is made of this realm's own objects. The functions of the host stay in
 * the closure of `host`, take and return primitives only, and are called by pieces of this directory alone.
 * All intrinsics are copied before the program runs, so that what is loaded after it began can rely on them.
 */
const privateSymbols = new Proxy({ __proto__: null }, { get: (seen, name) => (seen[name] ??= Symbol(name)) });
const perIsolateSymbols = new Proxy(
  { __proto__: null },
  { get: (seen, name) => (seen[name] ??= Symbol(name)) },
);
const primordials = {};
library["internal/per_context/primordials"]({}, primordials, privateSymbols, perIsolateSymbols);

let ask;
const host = { __proto__: null };
for (const name of ["end", "file", "hash", "library", "memory", "random", "url"])
  host[name] = (first, second, third) => ask(name, first, second, third);

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
/* "whole" when the rest is there and in place; "broken" when a program made that impossible, which is then its loss. */
let state = "core";

function makeWhole() {
  if (state === "core") host.library();
  if (state === "core" || state === "broken")
    throw new primordials.Error("Node's library could not be loaded");
}

function requireBuiltin(id) {
  // The rest, when it comes, loads some of itself.
  if (library[id] === undefined) makeWhole();
  const known = loaded.get(id);
  if (known !== undefined) return known.exports;
  const body = library[id];
  if (body === undefined) throw new primordials.Error(`No such built-in module: ${id}`);
  const module = { id, exports: {} };
  loaded.set(id, module);
  body(module.exports, requireBuiltin, module, process, internalBinding, primordials, host);
  return module.exports;
}
requireBuiltin.globalNames = languageGlobals;
requireBuiltin.makeWhole = makeWhole;
requireBuiltin.isWhole = () => state === "whole";
requireBuiltin.known = (id) => loaded.get(id)?.exports;

/** Stands in for Node's native bindings; only what our modules use is there. */
function internalBinding(name) {
  if (library[`binding/${name}`] === undefined) makeWhole();
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

const main = requireBuiltin("guest/main");

/*
 * In each new context. When V8 makes one from a snapshot it puts back what was removed, and adds the newer parts
 * of the language, which are not there when the snapshot is made.
 */
main.connect = (askHost) => {
  ask = askHost;
  internalBinding("types").isNativeError = globalThis.Error.isError;
  requireBuiltin("guest/globals").remove();
};

/*
 * Called by the host while the program waits for `host.library()`, on a stack of the host's own: a module that
 * met the end of the program's stack would stay loaded by half.
 */
main.extend = (rest) => {
  const ids = primordials.ObjectKeys(rest);
  for (let i = 0; i < ids.length; i++) library[ids[i]] = rest[ids[i]];
  requireBuiltin("guest/intrinsics").withNoted(() => {
    state = "loading";
    try {
      main.installRest();
      state = "whole";
    } finally {
      if (state === "loading") state = "broken";
    }
  });
};
main.install();

/* The one thing the host takes hold of: all is called by name. */
return (name, ...args) => main[name](...new primordials.SafeArrayIterator(args));
