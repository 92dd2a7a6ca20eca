#!/usr/bin/env node
/**
 * Runs a TypeScript entry of this repository on a fresh clone: `node scripts/run.mjs <entry.ts> [arguments]`.
 *
 * Works under any Node from 20 on and needs no package. It first makes sure of what the entry needs, each
 * step once (see `bootstrap/`), says on stderr what it does and how long that took, and then starts the
 * entry under Node 24. When everything is there it says nothing and adds the start of one Node process.
 */
import { spawn } from "node:child_process";
import os from "node:os";
import path from "node:path";
import { forkServerStep } from "./bootstrap/fork-server.mjs";
import { lock } from "./bootstrap/lock.mjs";
import { modulesStep } from "./bootstrap/modules.mjs";
import { nodePath, nodeStep } from "./bootstrap/node.mjs";
import { packagesStep } from "./bootstrap/python.mjs";
import { fromRoot, root } from "./bootstrap/repository.mjs";
import { BootstrapError, say, timed } from "./bootstrap/say.mjs";
import { systemStep } from "./bootstrap/system.mjs";

/** Entries that start no sandbox, and the verbs of src/main.ts that start none. */
const ENTRIES_WITHOUT_SANDBOX = new Set(["scripts/check.ts", "scripts/build.ts"]);
const VERBS_WITHOUT_SANDBOX = new Set(["engine", "simulate", "view", "doctor", "config", "help", "version"]);

/** Whether the entry is going to start Python sandboxes. */
function needsSandbox(entry, args) {
  if (args.includes("--help") || args.includes("-h") || args.includes("--version")) return false;
  const file = path.relative(root, path.resolve(root, entry));
  if (ENTRIES_WITHOUT_SANDBOX.has(file)) return false;
  if (file === "src/main.ts") {
    const verb = args.find((argument) => !argument.startsWith("-"));
    return verb !== undefined && !VERBS_WITHOUT_SANDBOX.has(verb);
  }
  return true;
}

/** Does what is missing, in order, one process at a time. */
async function prepare(steps) {
  if (steps.every((step) => step.missing() === null)) return;
  const release = await lock(fromRoot(".rollcall/lock"));
  const umask = process.umask(0o022);
  try {
    for (const step of steps) {
      const missing = step.missing();
      if (missing !== null) await timed(missing, () => step.make());
    }
  } finally {
    process.umask(umask);
    release();
  }
}

/** Starts the entry and hands signals on; resolves with the exit code to end with. */
function start(entry, args) {
  return new Promise((resolve) => {
    const child = spawn(nodePath(), [path.resolve(root, entry), ...args], { stdio: "inherit", cwd: root });
    for (const signal of ["SIGTERM", "SIGHUP", "SIGINT"]) {
      process.on(signal, () => {
        // A terminal sends its interrupt to the whole group: the child already has it.
        if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
      });
    }
    child.on("error", (error) => {
      say(`cannot start ${nodePath()}: ${error.message}`);
      resolve(1);
    });
    child.on("exit", (code, signal) => resolve(code ?? 128 + os.constants.signals[signal]));
  });
}

const [entry, ...args] = process.argv.slice(2);
if (entry === undefined) {
  say("usage: node scripts/run.mjs <entry.ts> [arguments], or --prepare for all the steps and nothing else");
  process.exit(2);
}
try {
  await prepare([
    nodeStep,
    modulesStep,
    ...(needsSandbox(entry, args) ? [systemStep, packagesStep, forkServerStep] : []),
  ]);
  if (entry !== "--prepare") process.exitCode = await start(entry, args);
} catch (error) {
  if (!(error instanceof BootstrapError)) throw error;
  say(error.message);
  process.exitCode = 1;
}
