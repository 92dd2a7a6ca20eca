/** A module run by a Node of its own, with `rollcall` standing for this tree's sources and a list of what it loaded. */
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "./pages.ts";

const SOURCES: Readonly<Record<string, string>> = {
  rollcall: "src/index.ts",
  "rollcall/client": "src/client/index.ts",
};

/** What package.json's `exports` point to is built; here the same names lead to what it is built from. */
const hooks = (loaded: string): string => `
import { appendFileSync } from "node:fs";
import { registerHooks } from "node:module";
const sources = ${JSON.stringify(
  Object.fromEntries(
    Object.entries(SOURCES).map(([name, file]) => [name, pathToFileURL(path.join(root, file)).href]),
  ),
)};
registerHooks({
  resolve: (specifier, context, next) =>
    Object.hasOwn(sources, specifier) ? { url: sources[specifier], format: "module-typescript", shortCircuit: true } : next(specifier, context),
  load(url, context, next) {
    appendFileSync(${JSON.stringify(loaded)}, url + "\\n");
    return next(url, context);
  },
});`;

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end. */
export function run(command: string, args: readonly string[], cwd = root): Promise<Finished> {
  const child = spawn(command, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString("utf8")));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString("utf8")));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

/**
 * @param directory where the module and the list are put
 * @param loaded file that gets the URL of every module that was loaded, one a line
 */
export function runModule(source: string, directory: string, loaded: string): Promise<Finished> {
  const hook = path.join(directory, "hooks.mjs");
  const entry = path.join(directory, "example.mjs");
  writeFileSync(hook, hooks(loaded));
  writeFileSync(entry, source);
  return run(process.execPath, ["--import", pathToFileURL(hook).href, entry], directory);
}
