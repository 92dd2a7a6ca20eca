/**
 * `node scripts/run.mjs scripts/skyrl/main.ts [serve | train [key=value ...]]`: a real Tinker server on this machine.
 *
 * `serve` (the default) keeps it running until Ctrl-C. `train` runs recipes/skyrl-cpu.yaml against it.
 */
import { spawn } from "node:child_process";
import path from "node:path";
import { prepareSkyrl, startSkyrl } from "./server.ts";

const ROOT = path.resolve(import.meta.dirname, "../..");
const say = (line: string): void => void process.stderr.write(`${line}\n`);

const RECIPE = path.join(ROOT, "recipes/skyrl-cpu.yaml");

async function train(url: string, overrides: readonly string[]): Promise<number> {
  const words = ["src/main.ts", "train", RECIPE, `engine.url=${url}`, ...overrides];
  const child = spawn(process.execPath, words, { cwd: ROOT, stdio: "inherit" });
  return new Promise((resolve) => child.once("exit", (code) => resolve(code ?? 1)));
}

const [verb = "serve", ...overrides] = process.argv.slice(2);
if (verb !== "serve" && verb !== "train") {
  say(`${verb} is not known: serve, or train with overrides of the recipe`);
  process.exitCode = 2;
} else {
  await prepareSkyrl(say);
  const server = await startSkyrl();
  say(`SkyRL listens on ${server.url}; its output is in ${server.logFile}`);
  const stopped = new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, resolve);
  });
  try {
    if (verb === "serve") await stopped;
    else process.exitCode = await train(server.url, overrides);
  } finally {
    await server.close();
  }
}
