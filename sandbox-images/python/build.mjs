/**
 * Builds the fork servers. Python's: its C files into one extension module `_slot.so` beside copies of its Python
 * files. Node's, below `node/`: the same C files with its own into `slot.node`, `outlive.so`, and its JavaScript. Used by the bootstrap of a clone and by the Dockerfile:
 * `node sandbox-images/python/build.mjs <out directory>`.
 */
import { execFile } from "node:child_process";
import crypto from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const execute = promisify(execFile);

/** The system's interpreter: one found by PATH may be a version manager's and not be there inside a sandbox. */
export const PYTHON = "/usr/bin/python3";

const MODULE = "_slot.so";
const FLAGS = [
  "-O2",
  "-Wall",
  "-Wextra",
  "-Werror",
  "-fstack-protector-strong",
  "-U_FORTIFY_SOURCE",
  "-D_FORTIFY_SOURCE=2",
  "-shared",
  "-fPIC",
];

const here = path.dirname(fileURLToPath(import.meta.url));
const nodeSource = path.join(here, "../node/forkserver");
/** The files that only Python's or only Node's have a use for. */
const PYTHON_BINDING = "module.c";
const NODE_PRELOAD = "outlive.c";

/** The files that belong to the fork server; its tests and what an editor leaves behind do not. */
function sourceFiles(source) {
  if (!fs.existsSync(source)) return [];
  return fs
    .readdirSync(source)
    .filter((name) => /\.(c|h|py|js|json)$/.test(name) && !name.startsWith("test_") && !name.startsWith("."))
    .sort();
}

/** Changes when a source file, this build or the interpreter changes. */
export function forkServerKey(source) {
  const hash = crypto.createHash("sha256");
  hash.update(fs.readFileSync(fileURLToPath(import.meta.url)));
  hash.update(fs.existsSync(PYTHON) ? fs.realpathSync(PYTHON) : "");
  for (const directory of [source, nodeSource])
    for (const name of sourceFiles(directory))
      hash.update(`\0${name}\0`).update(fs.readFileSync(path.join(directory, name)));
  return hash.digest("hex");
}

/** Builds beside `out` and swaps, so that a half-done build is never used. */
export async function buildForkServer({ source, out }) {
  const names = sourceFiles(source);
  const fresh = `${out}.new`;
  fs.rmSync(fresh, { recursive: true, force: true });
  fs.mkdirSync(fresh, { recursive: true });
  for (const name of names.filter((file) => file.endsWith(".py")))
    fs.copyFileSync(path.join(source, name), path.join(fresh, name));
  const units = names.filter((file) => file.endsWith(".c"));
  if (units.length > 0) {
    await compilePython(source, units, path.join(fresh, MODULE));
    await buildNode(source, units, path.join(fresh, "node"));
  }
  // Bytecode beside the sources: the sandbox sees this directory read-only.
  await execute(PYTHON, ["-I", "-m", "compileall", "-q", fresh]);
  for (const entry of fs.readdirSync(fresh, { recursive: true })) {
    const file = path.join(fresh, entry);
    fs.chmodSync(file, fs.statSync(file).isDirectory() || /\.(so|node)$/.test(file) ? 0o755 : 0o644);
  }
  fs.chmodSync(fresh, 0o755);
  fs.rmSync(out, { recursive: true, force: true });
  fs.renameSync(fresh, out);
}

async function compilePython(source, units, out) {
  const { stdout } = await execute(PYTHON, [
    "-I",
    "-c",
    'import sysconfig; print(sysconfig.get_paths()["include"])',
  ]);
  await cc(
    units.map((name) => path.join(source, name)),
    [stdout.trim(), source],
    out,
  );
}

async function buildNode(source, units, out) {
  fs.mkdirSync(out);
  const names = sourceFiles(nodeSource);
  for (const name of names.filter((file) => /\.(js|json)$/.test(file)))
    fs.copyFileSync(path.join(nodeSource, name), path.join(out, name));
  const shared = units.filter((name) => name !== PYTHON_BINDING).map((name) => path.join(source, name));
  const own = names.filter((name) => name.endsWith(".c") && name !== NODE_PRELOAD);
  await cc(
    [...shared, ...own.map((name) => path.join(nodeSource, name))],
    [source, nodeSource],
    path.join(out, "slot.node"),
  );
  await cc([path.join(nodeSource, NODE_PRELOAD)], [], path.join(out, "outlive.so"));
}

async function cc(units, includes, out) {
  const options = [...FLAGS, ...includes.map((directory) => `-I${directory}`)];
  await execute("cc", [...options, "-o", out, ...units]).catch((error) => {
    throw new Error(`the fork server does not compile:\n${error.stderr ?? error.message}`);
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const out = process.argv[2];
  if (out === undefined) throw new Error("usage: node build.mjs <out directory>");
  await buildForkServer({ source: path.join(here, "forkserver"), out: path.resolve(out) });
}
