/**
 * The JavaScript that an isolate starts with: modules of Node's own library, as this very Node carries them,
 * and the pieces of `prelude/` that stand in for what Node's library has natively. So a program prints,
 * compares and fails exactly as under Node without our copying or retelling any of it.
 *
 * The pieces are plain JavaScript, read as text when the host starts: they run in the isolate and nowhere else.
 */
import { readdirSync, readFileSync } from "node:fs";
import vm from "node:vm";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const PRELUDE = join(dirname(fileURLToPath(import.meta.url)), "prelude");
const PARAMETERS = "exports, require, module, process, internalBinding, primordials, host";
const PER_CONTEXT_PARAMETERS = "exports, primordials, privateSymbols, perIsolateSymbols";

/** Modules of Node's library that run unchanged in the isolate; what they load in turn must be here or a piece. */
const NODE_MODULES = [
  "assert",
  "assert/strict",
  "buffer",
  "diagnostics_channel",
  "events",
  "path",
  "path/posix",
  "path/win32",
  "punycode",
  "querystring",
  "readline",
  "readline/promises",
  "stream",
  "stream/promises",
  "string_decoder",
  "sys",
  "url",
  "util",
  "util/types",
  "internal/abort_controller",
  "internal/assert",
  "internal/assert/assertion_error",
  "internal/assert/calltracker",
  "internal/assert/myers_diff",
  "internal/assert/utils",
  "internal/buffer",
  "internal/cli_table",
  "internal/console/constructor",
  "internal/constants",
  "internal/data_url",
  "internal/encoding",
  "internal/encoding/single-byte",
  "internal/encoding/util",
  "internal/errors",
  "internal/event_target",
  "internal/events/abort_listener",
  "internal/events/symbols",
  "internal/fixed_queue",
  "internal/idna",
  "internal/mime",
  "internal/options",
  "internal/per_context/domexception",
  "internal/per_context/primordials",
  "internal/process/warning",
  "internal/querystring",
  "internal/readline/callbacks",
  "internal/readline/emitKeypressEvents",
  "internal/readline/interface",
  "internal/readline/promises",
  "internal/readline/utils",
  "internal/repl/history",
  "internal/streams/add-abort-signal",
  "internal/streams/compose",
  "internal/streams/destroy",
  "internal/streams/duplex",
  "internal/streams/duplexify",
  "internal/streams/duplexpair",
  "internal/streams/end-of-stream",
  "internal/streams/from",
  "internal/streams/legacy",
  "internal/streams/operators",
  "internal/streams/passthrough",
  "internal/streams/pipeline",
  "internal/streams/readable",
  "internal/streams/state",
  "internal/streams/transform",
  "internal/streams/utils",
  "internal/streams/writable",
  "internal/url",
  "internal/util",
  "internal/util/colors",
  "internal/util/comparisons",
  "internal/util/debuglog",
  "internal/util/inspect",
  "internal/util/inspector",
  "internal/util/parse_args/parse_args",
  "internal/util/parse_args/utils",
  "internal/util/types",
  "internal/validators",
  "internal/webidl",
];

function nodeSources(): Record<string, string> {
  // The only way to the text of Node's library; @types/node leaves it out because it is deprecated for addons.
  return (process as unknown as { binding(name: string): Record<string, string> }).binding("natives");
}

const PRIMORDIALS = "internal/per_context/primordials";

/** Names that the modules take from `primordials`, in the form that its file gives them before prefix and suffix. */
function primordialsTaken(texts: readonly string[]): Set<string> {
  const names = new Set<string>();
  for (const text of texts) {
    for (const [, list = ""] of text.matchAll(/const \{([^{}]*)\} = primordials;/g)) {
      for (const item of list.split(",")) names.add(item.trim().split(/[\s:]/, 1)[0] ?? "");
    }
    for (const [, name = ""] of text.matchAll(/\bprimordials\.(\w+)/g)) names.add(name);
  }
  const bare = [...names].flatMap((name) => [
    name,
    name.replace(/Apply$/, ""),
    name.replace(/[GS]et(?=[A-Z])/, ""),
    name.replace(/Prototype[GS]et(?=[A-Z])/, "Prototype"),
  ]);
  return new Set(bare);
}

/**
 * Node's file copies some 1,500 intrinsics; making only those that are taken saves a realm 1.2 of its 4 ms. Where
 * the file does not look as expected, it does all of its work.
 */
function slimmed(primordials: string, taken: ReadonlySet<string>): string {
  const step = "const newKey = getNewKey(key);";
  return [
    `let taken = new globalThis.Set(${JSON.stringify([...taken].join())}.split(","));`,
    primordials.replaceAll(step, `${step} if (!taken.has(prefix + newKey)) continue;`),
    // Functions of the file keep its scope, and each isolate would have the set twice.
    "taken = undefined;",
  ].join("\n");
}

const ERRORS = "internal/errors";

/**
 * Node's file makes 350 classes of errors as it loads, of which a program meets one or none: here a class is made
 * when it is first asked for, 0.5 of the 3 ms that the library takes. A text that is not as expected stays as it is.
 */
function withLateErrors(text: string): string {
  const table = "const codes = {};";
  const making = "  const ErrClass = def === SystemError ?";
  if (!text.includes(table) || !text.includes(making)) return text;
  return text
    .replace(
      table,
      `const late = { __proto__: null };
const codes = new primordials.Proxy({ __proto__: null }, {
  __proto__: null,
  get: (made, sym) => (made[sym] ??= late[sym]?.(sym)),
});`,
    )
    .replace(
      making,
      `  if (otherClasses.length === 0) {
    late[sym] = def === SystemError ? makeSystemErrorWithCode : (key) => makeNodeErrorWithCode(def, key);
    return;
  }
${making}`,
    );
}

function pieces(): Map<string, string> {
  const found = new Map<string, string>();
  for (const entry of readdirSync(PRELUDE, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith(".js")) continue;
    const path = join(entry.parentPath, entry.name);
    found.set(
      relative(PRELUDE, path)
        .slice(0, -".js".length)
        .replace(/^builtin\//, ""),
      readFileSync(path, "utf8"),
    );
  }
  return found;
}

/** What every program needs; the order is of no matter. */
const CORE = new Set([
  PRIMORDIALS,
  "binding/types",
  "guest/clock",
  "guest/console",
  "guest/fatal",
  "guest/files",
  "guest/finish",
  "guest/globals",
  "guest/intrinsics",
  "guest/lazy",
  "guest/loop",
  "guest/main",
  "guest/modules",
  "guest/observers",
  "guest/output",
  "guest/sources",
  "guest/stdin",
  "guest/utf8",
]);

export interface GuestLibrarySource {
  /** An expression whose value is the realm's entry: a function of the name of an export of `guest/main` and its arguments. */
  readonly core: string;
  /** A script whose value is the object of all other modules, for `extend` of `guest/main`. */
  readonly rest: string;
}

/** Not those of the moment: inspect() tells by them the classes of the language from those of a program. */
const withEarlyGlobals = (text: string) =>
  text.replaceAll("ObjectGetOwnPropertyNames(globalThis)", "require.globalNames");

function adapted(id: string, text: string): string {
  return withEarlyGlobals(id === ERRORS ? withLateErrors(text) : text);
}

/** Made once for each host. */
export function guestLibrarySource(): GuestLibrarySource {
  const own = pieces();
  const realm = own.get("realm");
  own.delete("realm");
  if (realm === undefined) throw new Error(`${PRELUDE} holds no realm.js`);
  const node = nodeSources();
  const bodies = [...NODE_MODULES.map((id) => [id, adapted(id, node[id] ?? "")] as const), ...own].filter(
    ([, text]) => text !== "",
  );
  const taken = primordialsTaken([...bodies.map(([, text]) => text), realm]);
  const object = (isCore: boolean) => {
    const members = bodies
      .filter(([id]) => CORE.has(id) === isCore)
      .map(([id, text]) => {
        const parameters = id.startsWith("internal/per_context/") ? PER_CONTEXT_PARAMETERS : PARAMETERS;
        const body = id === PRIMORDIALS ? slimmed(text, taken) : text;
        return `${JSON.stringify(id)}: function (${parameters}) {${body}\n}`;
      });
    return `{ __proto__: null,\n${members.join(",\n")}\n}`;
  };
  const names = vm.runInNewContext("Object.getOwnPropertyNames(globalThis)") as unknown;
  return {
    core: `(() => {\n"use strict";\nconst languageGlobals = ${JSON.stringify(names)};\nconst library = ${object(true)};\n${realm}\n})()`,
    rest: `(() => {\n"use strict";\nreturn ${object(false)};\n})()`,
  };
}
