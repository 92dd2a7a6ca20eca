/**
 * The house rules that a reader would otherwise have to remember: who may import whom, how files are named
 * and how long they are, what the tree must not say. Functions of at most 70 lines are held by oxlint.
 */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";

const root = path.resolve(import.meta.dirname, "..");

const tree = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "-z"], {
  cwd: root,
  encoding: "utf8",
})
  .split("\0")
  .filter((file) => file !== "" && fs.existsSync(path.join(root, file)));

const read = (file: string) => fs.readFileSync(path.join(root, file), "utf8");

/** What the files of a folder may import besides their own folder and Node's built-ins. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  lib: [],
  contract: ["typebox"],
  core: ["contract", "lib"],
  confine: ["contract", "lib", "core/ports.ts"],
  runtimes: ["contract", "lib"],
  judge: ["contract", "lib"],
  "engines/container": ["contract", "lib", "core/ports.ts", "confine/ports.ts"],
  "engines/isolate": ["contract", "lib", "core/ports.ts", "confine/ports.ts", "isolated-vm"],
  client: ["contract", "lib", "undici"],
  config: ["contract", "lib", "typebox", "yaml"],
  observe: ["contract", "lib", "core/ports.ts", "core/observer.ts", "config (types)", "pino", "prom-client"],
  http: [
    "contract",
    "lib",
    "observe",
    "config (types)",
    "core/observer.ts (types)",
    "fastify",
    "@fastify/*",
    "typebox",
  ],
  wire: [
    "contract",
    "lib",
    "judge",
    "fastify (types)",
    "typebox",
    "@modelcontextprotocol/*",
    "zod",
    "@fastify/*",
  ],
  service: ["contract", "lib", "core/as-ready.ts", "http", "wire", "judge", "observe", "config (types)"],
  rl: [
    "lib",
    "client/index.ts",
    "@jax-js/jax",
    "@huggingface/*",
    "protobufjs",
    "hyparquet",
    "undici",
    "fastify",
    "yaml",
    "typebox",
  ],
  "compose.ts": ["core", "confine", "engines", "runtimes", "judge", "config", "observe", "contract", "lib"],
  "index.ts": ["compose.ts", "contract"],
};

interface Import {
  readonly from: string;
  /** A path relative to src/, or a package name. */
  readonly to: string;
  readonly typeOnly: boolean;
}

const IMPORT =
  /^\s*(?:import|export)\s+(type\s)?[^"';]*?from\s+"([^"]+)"|^\s*import\s+"([^"]+)"|\bimport\(\s*"([^"]+)"\s*\)/gm;

function packageName(specifier: string): string {
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
}

function importsOf(file: string): Import[] {
  const found: Import[] = [];
  for (const match of read(file).matchAll(IMPORT)) {
    const specifier = match[2] ?? match[3] ?? match[4] ?? "";
    const to = specifier.startsWith(".")
      ? path.relative("src", path.join(path.dirname(file), specifier))
      : packageName(specifier);
    found.push({ from: path.relative("src", file), to, typeOnly: match[1] !== undefined });
  }
  return found;
}

const sources = tree.filter((file) => /^src\/.*\.ts$/.test(file));
const imports = sources.flatMap(importsOf);

/** The row of the table that a file under src/ falls under, or undefined for main.ts, which may import anything. */
function roomOf(file: string): string | undefined {
  return Object.keys(MAY_IMPORT).find((room) => file === room || file.startsWith(`${room}/`));
}

function allows(rule: string, one: Import): boolean {
  const [target = "", types] = rule.split(" ");
  if (types !== undefined && !one.typeOnly) return false;
  if (target.endsWith("/*")) return one.to.startsWith(target.slice(0, -1));
  return one.to === target || one.to.startsWith(`${target}/`);
}

test("every folder imports only what the table of the architecture allows", () => {
  const broken = imports.filter((one) => {
    const room = roomOf(one.from);
    if (room === undefined || one.to.startsWith("node:") || roomOf(one.to) === room) return false;
    return !(MAY_IMPORT[room] ?? []).some((rule) => allows(rule, one));
  });
  expect(broken.map((one) => `${one.from} imports ${one.to}`)).toEqual([]);
});

test("every folder of src has a row in the table", () => {
  const roomless = sources
    .map((file) => path.relative("src", file))
    .filter((file) => roomOf(file) === undefined);
  expect(roomless.filter((file) => file !== "main.ts")).toEqual([]);
});

test("only index and main import compose", () => {
  const importers = imports.filter((one) => one.to === "compose.ts").map((one) => one.from);
  expect(importers.filter((file) => file !== "index.ts" && file !== "main.ts")).toEqual([]);
});

test("no import cycles", () => {
  const next = Map.groupBy(imports, (one) => one.from);
  const done = new Set<string>();
  const cycles: string[] = [];
  const walk = (file: string, trail: readonly string[]): void => {
    if (trail.includes(file)) {
      cycles.push([...trail.slice(trail.indexOf(file)), file].join(" -> "));
      return;
    }
    if (done.has(file)) return;
    for (const one of next.get(file) ?? []) walk(one.to, [...trail, file]);
    done.add(file);
  };
  for (const file of next.keys()) walk(file, []);
  expect(cycles).toEqual([]);
});

test("no file of src is longer than 400 lines", () => {
  const long = sources.filter((file) => read(file).trimEnd().split("\n").length > 400);
  expect(long).toEqual([]);
});

const code = tree.filter((file) => /^(src|test|scripts|bench|workload)\/.*\.(ts|mjs)$/.test(file));

test("files are named in kebab-case, for the noun they hold", () => {
  const empty = new Set(["util", "utils", "helper", "helpers", "manager", "misc", "common", "rollcall"]);
  const misnamed = code.filter((file) => {
    const name = path.basename(file);
    return (
      !/^[a-z0-9]+(-[a-z0-9]+)*(\.test)?\.(ts|mjs)$/.test(name) ||
      name.split(/[-.]/).some((word) => empty.has(word))
    );
  });
  expect(misnamed).toEqual([]);
});

const expects = (file: string): boolean => /\bexpect[A-Za-z]*\b\s*[.(<]/.test(read(file));

/** Files below test/ that a test file takes suites or checks from. */
function suitesOf(file: string): string[] {
  return importsOf(file)
    .map((one) => path.join("src", one.to))
    .filter((target) => target.startsWith("test/") && tree.includes(target));
}

test("every test file expects something, itself or by a suite that it imports", () => {
  const idle = tree.filter((file) => file.endsWith(".test.ts") && ![file, ...suitesOf(file)].some(expects));
  expect(idle).toEqual([]);
});

/** Put together here so that this file does not say them. */
const UNSAID: readonly RegExp[] = [
  new RegExp(["\\.\\.", "shared"].join("/")),
  new RegExp(["", "work", "(main|shared)", ""].join("/")),
  // Not /proc/self/root/: the home of this machine's own root user.
  new RegExp(["(?<![A-Za-z0-9])", "root", ""].join("/")),
  new RegExp(`\\b(${["TO.DO", "FIX.ME", "X.XX"].join("|").replaceAll(".", "")})\\b`),
  new RegExp(
    [
      ["registry", "npmjs"],
      ["pypi", "org"],
      ["pythonhosted", "org"],
      ["deb", "debian"],
      ["yarnpkg", "com"],
    ]
      .map((host) => host.join("\\."))
      .join("|"),
  ),
];

test("the tree names no workplace and no registry, and holds no unfinished business", () => {
  const said: string[] = [];
  for (const file of tree) {
    if (/\.(png|gif|svg|ico|woff2?|gz|so)$/.test(file)) continue;
    for (const [index, line] of read(file).split("\n").entries()) {
      if (UNSAID.some((words) => words.test(line)))
        said.push(`${file}:${index + 1}: ${line.trim().slice(0, 120)}`);
    }
  }
  expect(said).toEqual([]);
});

test("the lock file leaves the choice of the registry to the machine", () => {
  const lock = JSON.parse(read("package-lock.json")) as { packages: Record<string, { resolved?: string }> };
  expect(Object.entries(lock.packages).filter(([, entry]) => entry.resolved !== undefined)).toEqual([]);
});

test("versions of dependencies are exact", () => {
  const manifest = JSON.parse(read("package.json")) as Record<string, Record<string, string>>;
  const versions = Object.entries({ ...manifest["dependencies"], ...manifest["devDependencies"] });
  expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
});

test("what package.json exports has a source", () => {
  const manifest = JSON.parse(read("package.json")) as {
    bin: Record<string, string>;
    exports: Record<string, { types: string; default: string }>;
  };
  const built = [
    ...Object.values(manifest.bin),
    ...Object.values(manifest.exports).flatMap((entry) => [entry.types, entry.default]),
  ];
  const sourceOf = (file: string) => file.replace("./dist/", "src/").replace(/(\.d\.ts|\.js)$/, ".ts");
  expect(built.map(sourceOf).filter((file) => !sources.includes(file))).toEqual([]);
});
