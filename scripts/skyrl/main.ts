/**
 * `node scripts/run.mjs scripts/skyrl/main.ts [serve | train [key=value ...]]`: a real Tinker server on this machine.
 *
 * `serve` (the default) keeps it running until Ctrl-C. `train` runs a few steps of the loop against it;
 * a model of random weights writes no call that parses in so few, and learns nothing of them.
 */
import { spawn } from "node:child_process";
import path from "node:path";
import { prepareSkyrl, startSkyrl, TOKENIZER } from "./server.ts";

const say = (line: string): void => void process.stderr.write(`${line}\n`);

/**
 * Small enough for a processor. The model first imitates the teacher of the tiny language, a token for each
 * character: a model of random weights would have nothing right, and a step without a right answer has no gradient.
 */
const RECIPE = [
  "engine.backend=tinker",
  "engine.server=skyrl",
  "engine.loraRank=8",
  "engine.contextTokens=96",
  "engine.renderer=tiny",
  `engine.tokenizer=${TOKENIZER}`,
  "data.train=64",
  "data.heldOut=4",
  "sft.steps=20",
  "sft.batch=16",
  "sft.trajectories=320",
  "sft.learningRate=0.01",
  "algorithm.prompts=2",
  "algorithm.groupSize=2",
  "algorithm.minibatches=1",
  "stages.0.steps=2",
  "stages.0.responseTokensMax=64",
  "stages.0.turnsMax=2",
  "evaluation.responseTokensMax=64",
  "evaluation.turnsMax=2",
];

async function train(url: string, overrides: readonly string[]): Promise<number> {
  const root = path.resolve(import.meta.dirname, "../..");
  const words = ["src/main.ts", "train", `engine.url=${url}`, ...RECIPE, ...overrides];
  const child = spawn(process.execPath, words, { cwd: root, stdio: "inherit" });
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
