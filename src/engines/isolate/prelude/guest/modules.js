/* require() as a program sees it: the modules that are safe here, and the files of the call. */
const {
  JSONParse,
  ObjectDefineProperty,
  RegExpPrototypeSymbolReplace,
  SafeMap,
  SafeSet,
  StringPrototypeEndsWith,
  StringPrototypeSlice,
  StringPrototypeStartsWith,
  SyntaxError,
  Error,
  ObjectAssign,
  ObjectKeys,
  ArrayPrototypeFilter,
  ReflectApply,
  SafeArrayIterator,
} = primordials;
const files = require("guest/files");
const sources = require("guest/sources");

const ROOT_FILE = "/work/main.js";
const AVAILABLE = new SafeSet([
  "assert",
  "assert/strict",
  "async_hooks",
  "buffer",
  "console",
  "crypto",
  "diagnostics_channel",
  "events",
  "fs",
  "fs/promises",
  "module",
  "os",
  "path",
  "path/posix",
  "path/win32",
  "perf_hooks",
  "process",
  "punycode",
  "querystring",
  "readline",
  "readline/promises",
  "stream",
  "stream/promises",
  "string_decoder",
  "sys",
  "timers",
  "timers/promises",
  "url",
  "util",
  "util/types",
]);

const bare = (id) => (StringPrototypeStartsWith(id, "node:") ? StringPrototypeSlice(id, 5) : id);

/** The module, or undefined when there is none of that name here. */
exports.builtin = (id) => (AVAILABLE.has(bare(id)) ? require(bare(id)) : undefined);
exports.isBuiltin = (id) => AVAILABLE.has(bare(id));
exports.names = () => [...AVAILABLE];

function notFound(id, from) {
  const error = new Error(`Cannot find module '${id}'\nRequire stack:\n- ${from}`);
  return ObjectAssign(error, { code: "MODULE_NOT_FOUND", requireStack: [from] });
}

const cache = new SafeMap();

/** Absolute path of the file that `id` names from `directory`, or undefined. */
exports.locate = (id, directory) => {
  const { posix } = require("path");
  const base = posix.resolve(directory, id);
  for (const candidate of new SafeArrayIterator([
    base,
    `${base}.js`,
    `${base}.cjs`,
    `${base}.mjs`,
    `${base}.json`,
    posix.join(base, "index.js"),
  ]))
    if (files.read(candidate) !== undefined) return candidate;
  return undefined;
};

function load(path) {
  const known = cache.get(path);
  if (known !== undefined) return known.exports;
  const module = { id: path, filename: path, loaded: false, exports: {}, children: [], paths: [] };
  cache.set(path, module);
  const text = files.asText(files.read(path));
  if (StringPrototypeEndsWith(path, ".json")) {
    module.exports = JSONParse(text);
  } else {
    sources.note(path, text);
    const compile = globalThis.eval;
    const body = RegExpPrototypeSymbolReplace(/^#!/, text, "//");
    const wrapped = (0, compile)(
      `(function (exports, require, module, __filename, __dirname) { ${body}\n})\n//# sourceURL=${path}`,
    );
    ReflectApply(wrapped, module.exports, [
      module.exports,
      exports.requireFrom(path),
      module,
      path,
      require("path").posix.dirname(path),
    ]);
  }
  module.loaded = true;
  return module.exports;
}

/** A require() for the file at `from`. */
exports.requireFrom = (from) => {
  const find = (id) => {
    if (typeof id !== "string") require("internal/validators").validateString(id, "id");
    if (id === "")
      throw new (require("internal/errors").codes.ERR_INVALID_ARG_VALUE)(
        "id",
        id,
        "must be a non-empty string",
      );
    if (exports.isBuiltin(id)) return undefined;
    const isPath =
      StringPrototypeStartsWith(id, "./") ||
      StringPrototypeStartsWith(id, "../") ||
      StringPrototypeStartsWith(id, "/") ||
      id === "." ||
      id === "..";
    const path = isPath ? exports.locate(id, require("path").posix.dirname(from)) : undefined;
    if (path === undefined) throw notFound(id, from);
    return path;
  };
  const requireHere = (id) => {
    const path = find(id);
    return path === undefined ? exports.builtin(id) : load(path);
  };
  return ObjectAssign(requireHere, {
    resolve: (id) => find(id) ?? id,
    main: undefined,
    cache: {},
    extensions: {},
  });
};

/** Names that `import { name } from` may take of a built-in module, joined by commas; undefined for others. */
exports.exportNames = (id) => {
  const module = exports.builtin(id);
  if (module === undefined) return undefined;
  return ArrayPrototypeFilter(
    ObjectKeys(module),
    (name) => name !== "default" && /^[A-Za-z_$][\w$]*$/.test(name),
  ).join(",");
};
exports.ROOT_FILE = ROOT_FILE;
