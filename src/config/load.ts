/**
 * From the sources to one Config: flags over environment over file over defaults, each value checked
 * against its leaf, with its origin in the message when it is wrong.
 */
import { resolve } from "node:path";
import { Type } from "typebox";
import { Value } from "typebox/value";
import { LEAVES, expected, type Leaf } from "./leaves.ts";
import { KEYS_EXPECTED, KeySchema, type Config, type Key } from "./schema.ts";
import {
  ConfigError,
  readConfigFile,
  readDocument,
  readEnvironment,
  readFlags,
  readObject,
  type Settings,
} from "./sources.ts";

export { ConfigError } from "./sources.ts";

export interface ConfigInput {
  /** Arguments after the command's name. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Directory in which a configuration file is looked for and against which paths are resolved. */
  readonly cwd: string;
}

export interface LoadedConfig {
  readonly config: Config;
  /** For each key that was set where it was set; the others have their default. */
  readonly origins: ReadonlyMap<string, string>;
  /** The file that was read, or null. */
  readonly file: string | null;
}

const KeysSchema = Type.Array(KeySchema, { maxItems: 1000 });
const PATH_LEAVES = new Set([
  "http.keysFile",
  "python.packagesDirectory",
  "container.rootfs",
  "container.stateDirectory",
  "wire.code-judge.modulesDirectory",
]);

function show(leaf: Leaf, value: unknown): string {
  return leaf.secret ? "something else" : (JSON.stringify(value) ?? String(value)).slice(0, 100);
}

function setPath(target: Record<string, unknown>, path: string, value: unknown): void {
  const names = path.split(".");
  const last = names.pop() as string;
  let at = target;
  for (const name of names) at = (at[name] ??= {}) as Record<string, unknown>;
  at[last] = value;
}

function freeze<T>(value: T): T {
  if (typeof value === "object" && value !== null) {
    for (const child of Object.values(value)) freeze(child);
    Object.freeze(value);
  }
  return value;
}

/** Keys of the file and of the list together; a name or key given twice is refused. */
function gatherKeys(config: Config, cwd: string): Key[] {
  const keys = [...config.http.keys];
  if (config.http.keysFile !== "") {
    const file = resolve(cwd, config.http.keysFile);
    const content = readDocument(file);
    if (!Value.Check(KeysSchema, content)) throw new ConfigError(`${file} must hold ${KEYS_EXPECTED}`);
    keys.push(...content);
  }
  if (new Set(keys.map((key) => key.name)).size < keys.length)
    throw new ConfigError("http.keys has two keys of the same name");
  if (new Set(keys.map((key) => key.key)).size < keys.length)
    throw new ConfigError("http.keys has the same key under two names");
  return keys;
}

/** Fills what follows from other keys: cpu from wall, and a default never above its ceiling. */
function settleLimits(config: Config, merged: Settings): void {
  const { default: defaults, ceiling } = config.limits;
  if (merged.has("limits.default.wall_ms") && !merged.has("limits.default.cpu_ms"))
    defaults.cpu_ms = 2 * defaults.wall_ms;
  for (const name of Object.keys(ceiling) as (keyof typeof ceiling)[]) {
    if (defaults[name] <= ceiling[name]) continue;
    const set = merged.get(`limits.default.${name}`);
    if (set !== undefined) {
      throw new ConfigError(
        `limits.default.${name} from ${set.origin} is ${defaults[name]}, above limits.ceiling.${name}, ${ceiling[name]}`,
      );
    }
    defaults[name] = ceiling[name];
  }
}

/**
 * Reads, merges and checks the configuration.
 * @throws ConfigError with a message for the operator.
 */
export function readConfig(input: ConfigInput): LoadedConfig {
  const flags = readFlags(input.argv);
  const environment = readEnvironment(input.env);
  const { settings: fileSettings, file } = readConfigFile(flags.file ?? environment.file, input.cwd);
  const merged: Settings = new Map([...fileSettings, ...environment.settings, ...flags.settings]);
  const origins = new Map([...merged].map(([path, setting]) => [path, setting.origin]));
  return { config: settle(merged, input.cwd), origins, file };
}

/** Every key of the configuration, none of them required. */
export type PartialConfig = {
  readonly [S in keyof Config]?: {
    readonly [K in keyof Config[S]]?: Config[S][K] extends object ? Partial<Config[S][K]> : Config[S][K];
  };
};

/**
 * A configuration made by a program; what it leaves out has its default.
 * @throws ConfigError with a message for the programmer.
 */
export function configOf(value: PartialConfig, cwd: string): Config {
  return settle(readObject(value, "the given configuration"), cwd);
}

/** Checks each value and fills in what was not set. */
function settle(merged: Settings, cwd: string): Config {
  const raw: Record<string, unknown> = {};
  for (const leaf of LEAVES) {
    const setting = merged.get(leaf.path);
    if (setting !== undefined && !Value.Check(leaf.schema, setting.value)) {
      throw new ConfigError(
        `${leaf.path} from ${setting.origin} must be ${expected(leaf)}, not ${show(leaf, setting.value)}`,
      );
    }
    let value = setting === undefined ? structuredClone(leaf.default) : setting.value;
    if (PATH_LEAVES.has(leaf.path) && value !== "") value = resolve(cwd, value as string);
    setPath(raw, leaf.path, value);
  }
  const config = raw as unknown as Config;
  config.http.keys = gatherKeys(config, cwd);
  settleLimits(config, merged);
  return freeze(config);
}

/**
 * The configuration of this process, frozen, keys of `http.keysFile` among `http.keys`.
 * @throws ConfigError with a message for the operator.
 */
export function loadConfig(input: ConfigInput): Config {
  return readConfig(input).config;
}
