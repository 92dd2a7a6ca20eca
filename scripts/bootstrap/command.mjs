/** Other programs: run with their output kept, shown only when they fail. */
import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { root } from "./repository.mjs";
import { BootstrapError } from "./say.mjs";

const OUTPUT_LINES_SHOWN = 12;

/**
 * Runs a command to its end and returns what it printed on stdout.
 * @throws BootstrapError with the end of its output when it fails.
 */
export function run(command, args, { env = {}, cwd = root } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "";
    let all = "";
    child.stdout.on("data", (chunk) => {
      stdout += chunk;
      all += chunk;
    });
    child.stderr.on("data", (chunk) => (all += chunk));
    child.on("error", (error) => reject(new BootstrapError(`cannot run ${command}: ${error.message}`)));
    child.on("close", (code, signal) => {
      if (code === 0) return resolve(stdout);
      const tail = all.trimEnd().split("\n").slice(-OUTPUT_LINES_SHOWN).join("\n  ");
      reject(new BootstrapError(`${[command, ...args].join(" ")} ended with ${signal ?? code}:\n  ${tail}`));
    });
  });
}

/** Full path of a command, or null. The system's directories count even when PATH leaves them out. */
export function findCommand(name) {
  const directories = [
    ...(process.env.PATH ?? "").split(path.delimiter),
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
  ];
  for (const directory of directories) {
    if (directory === "") continue;
    const file = path.join(directory, name);
    try {
      fs.accessSync(file, fs.constants.X_OK);
      return file;
    } catch {
      // Not in this directory.
    }
  }
  return null;
}
