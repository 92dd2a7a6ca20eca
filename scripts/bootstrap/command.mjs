/** Other programs: run with their output kept, shown only when they fail. */
import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { root } from "./repository.mjs";
import { BootstrapError } from "./say.mjs";

/** Some programs say what is wrong first, some last. */
const LINES_SHOWN = { first: 8, last: 8 };

function shorten(output) {
  const lines = output.trimEnd().split("\n");
  const left = lines.length - LINES_SHOWN.first - LINES_SHOWN.last;
  if (left > 1) lines.splice(LINES_SHOWN.first, left, `(${left} lines left out)`);
  return lines.join("\n  ");
}

/**
 * Runs a command to its end and returns what it printed on stdout.
 * @throws BootstrapError with what it printed when it fails.
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
      reject(
        new BootstrapError(
          `${[command, ...args].join(" ")} ended with ${signal ?? code}:\n  ${shorten(all)}`,
        ),
      );
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
