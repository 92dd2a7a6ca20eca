/**
 * The three places a value may come from. Each gives raw settings by path with the words that name their
 * origin in a message; what they mean is checked in one place, `load.ts`.
 */
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parse as parseYaml } from "yaml";
import { LEAF_BY_PATH, LEAVES, SECTIONS, type Leaf } from "./leaves.ts";
import { nearest } from "./nearest.ts";

/** The configuration cannot be used; the message says which value, from where, and what is allowed. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

interface Setting {
  readonly value: unknown;
  /** For messages: `the flag --http.port`, `the environment variable ...`, `/etc/x.yaml`. */
  readonly origin: string;
}
export type Settings = Map<string, Setting>;

const FILE_NAMES = ["rollcall.config.json", "rollcall.config.yaml", "rollcall.config.yml"];
const FILE_BYTES_MAX = 4 << 20;
const FLAG_ALIASES: Readonly<Record<string, string>> = {
  port: "http.port",
  host: "http.host",
  wire: "wire.adapters",
};
const SECTION_PATHS = new Set(SECTIONS.map((section) => section.path));

function didYouMean(word: string, known: Iterable<string>, prefix = ""): string {
  const found = nearest(word, known);
  return found === null ? "" : `; did you mean ${prefix}${found}?`;
}

/** A word from the command line or the environment as the leaf's own type, or itself when it is none. */
function fromWord(leaf: Leaf, word: string): unknown {
  if (leaf.kind === "integer") return /^-?\d+$/.test(word) ? Number(word) : word;
  if (leaf.kind === "boolean")
    return word === "true" || word === "1" ? true : word === "false" || word === "0" ? false : word;
  if (leaf.kind === "string") return word;
  if (leaf.kind === "names")
    return word
      .split(",")
      .map((name) => name.trim())
      .filter((name) => name !== "");
  try {
    return JSON.parse(word) as unknown;
  } catch {
    return word;
  }
}

/** Settings of the command line, and the file that it names. */
export function readFlags(argv: readonly string[]): { settings: Settings; file: string | null } {
  const settings: Settings = new Map();
  let file: string | null = null;
  for (let index = 0; index < argv.length; index += 1) {
    const word = argv[index] as string;
    if (!word.startsWith("--"))
      throw new ConfigError(`unexpected argument "${word}"; flags look like --http.port 8707`);
    const equals = word.indexOf("=");
    const given = equals < 0 ? word.slice(2) : word.slice(2, equals);
    const name = FLAG_ALIASES[given] ?? given;
    const leaf = LEAF_BY_PATH.get(name);
    if (leaf === undefined && name !== "config") {
      throw new ConfigError(
        `unknown flag --${given}${didYouMean(given, [...LEAF_BY_PATH.keys(), ...Object.keys(FLAG_ALIASES), "config"], "--")}`,
      );
    }
    if (leaf?.secret)
      throw new ConfigError(
        `--${given} is a secret and would show in the process list; set ${leaf.env} or use a file`,
      );
    let value = equals < 0 ? undefined : word.slice(equals + 1);
    if (value === undefined) {
      const next = argv[index + 1];
      const takesNext =
        next !== undefined &&
        (leaf?.kind !== "boolean" || next === "true" || next === "false") &&
        !next.startsWith("--");
      if (takesNext) index += 1;
      value = takesNext ? next : leaf?.kind === "boolean" ? "true" : undefined;
    }
    if (value === undefined) throw new ConfigError(`the flag --${given} needs a value`);
    if (leaf === undefined) file = value;
    else settings.set(name, { value: fromWord(leaf, value), origin: `the flag --${given}` });
  }
  return { settings, file };
}

export function readEnvironment(env: Readonly<Record<string, string | undefined>>): {
  settings: Settings;
  file: string | null;
} {
  const settings: Settings = new Map();
  const byEnv = new Map(LEAVES.map((leaf) => [leaf.env, leaf]));
  const prefixes = [...SECTION_PATHS]
    .filter((path) => !path.includes("."))
    .map((path) => `ROLLCALL_${path.toUpperCase()}_`);
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined) continue;
    const leaf = byEnv.get(name);
    if (leaf !== undefined)
      settings.set(leaf.path, { value: fromWord(leaf, value), origin: `the environment variable ${name}` });
    // Only names below a known section are ours to refuse: Kubernetes sets ROLLCALL_PORT, ROLLCALL_SERVICE_HOST
    // and the like by itself for a service of this name.
    else if (prefixes.some((prefix) => name.startsWith(prefix))) {
      throw new ConfigError(`unknown environment variable ${name}${didYouMean(name, byEnv.keys())}`);
    }
  }
  return { settings, file: env["ROLLCALL_CONFIG"] ?? null };
}

function flatten(value: unknown, path: string, origin: string, settings: Settings): void {
  if (path !== "" && LEAF_BY_PATH.has(path)) {
    settings.set(path, { value, origin });
    return;
  }
  if (path !== "" && !SECTION_PATHS.has(path)) {
    throw new ConfigError(
      `unknown key ${path} in ${origin}${didYouMean(path, [...LEAF_BY_PATH.keys(), ...SECTION_PATHS])}`,
    );
  }
  if (value === null || value === undefined) return;
  if (typeof value !== "object" || Array.isArray(value)) {
    throw new ConfigError(
      `${path === "" ? "the top level" : path} in ${origin} must be a section with keys of its own`,
    );
  }
  for (const [name, child] of Object.entries(value))
    flatten(child, path === "" ? name : `${path}.${name}`, origin, settings);
}

/** Settings of an object with the shape of a configuration file. */
export function readObject(value: unknown, origin: string): Settings {
  const settings: Settings = new Map();
  flatten(value, "", origin, settings);
  return settings;
}

/** Content of a JSON or YAML file, told apart by its name. */
export function readDocument(file: string): unknown {
  try {
    const content = readFileSync(file);
    if (content.length > FILE_BYTES_MAX) throw new Error(`longer than ${FILE_BYTES_MAX} bytes`);
    return file.endsWith(".json")
      ? JSON.parse(content.toString("utf8"))
      : parseYaml(content.toString("utf8"));
  } catch (error) {
    throw new ConfigError(`cannot read ${file}: ${(error as Error).message}`, { cause: error });
  }
}

/** Settings of the named file, or of the one found in `cwd`. */
export function readConfigFile(
  named: string | null,
  cwd: string,
): { settings: Settings; file: string | null } {
  const found = FILE_NAMES.filter((name) => existsSync(resolve(cwd, name)));
  if (named === null && found.length > 1) {
    throw new ConfigError(`${found.join(" and ")} are both in ${cwd}; keep one or name it with --config`);
  }
  const file = named === null ? found[0] : named;
  if (file === undefined) return { settings: new Map(), file: null };
  const path = resolve(cwd, file);
  return { settings: readObject(readDocument(path), path), file: path };
}
