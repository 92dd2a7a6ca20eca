/** One run from its recipe to its page. */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import type { Recipe } from "../loop/recipe-schema.ts";
import { evaluate } from "../loop/evaluate.ts";
import { RunDirectory } from "../loop/run-directory.ts";
import { loadCheckpoint, train } from "../loop/train.ts";
import type { Progress, World } from "../loop/world.ts";
import type { Metrics } from "../ports.ts";
import { exportPage } from "../view/export.ts";
import { readMetrics } from "./curves.ts";
import { openWorld } from "./open-world.ts";

export interface RunOptions {
  readonly recipe: Recipe;
  readonly directory: string;
  readonly serviceUrl: string;
  readonly progress: Progress;
  readonly signal?: AbortSignal;
}

/** Opens what the recipe names, lets `work` be done in the directory, and writes its page. */
async function inDirectory<T>(options: RunOptions, work: (world: World) => Promise<T>): Promise<T> {
  const { recipe, directory } = options;
  const run = new RunDirectory(directory);
  await run.writeConfig(recipe);
  if (recipe.run.tensorboard) run.writeEvents();
  const opened = await openWorld({ ...options, run });
  try {
    const done = await work(opened.world);
    await writeFile(run.file("index.html"), exportPage([directory]));
    return done;
  } finally {
    await opened.close();
  }
}

/** Trains in a directory, which may hold the beginning of the run, and returns the last evaluation. */
export function trainInDirectory(options: RunOptions): Promise<Metrics> {
  return inDirectory(options, train);
}

/**
 * Evaluates on the held-out problems and trains nothing.
 * @param from a run whose last checkpoint is evaluated; null for the model as it is
 */
export function evaluateInDirectory(options: RunOptions, from: string | null): Promise<Metrics> {
  return inDirectory(options, async (world) => {
    if (from === null) return evaluate(world, "evaluation", 0);
    const state = await loadCheckpoint(world, new RunDirectory(from));
    if (state === null) throw new Error(`${from} has no checkpoint`);
    return evaluate(world, "evaluation", state.step);
  });
}

/** What changed over a run, in a few lines. */
export function summaryOf(directory: string, attempts: number): string[] {
  const lines = readMetrics(path.join(directory, "metrics.jsonl"));
  const told = lines.filter(({ phase }) => phase === "eval");
  const between = (metric: string): string =>
    [told[0], told.at(-1)].map((line) => Number(line?.[metric]).toFixed(3)).join(" -> ");
  const calls = lines.reduce((sum, line) => sum + Number(line["tool/calls"] ?? 0), 0);
  return [
    `accuracy on held-out problems      ${between(`eval/all/avg@${attempts}`)}`,
    `tool errors inside right rollouts  ${between("eval/roc/tool_error_ratio/positive")}`,
    `tokens of right rollouts           ${between("eval/response_length/correct/mean")}`,
    `tool calls of policy steps         ${calls}`,
  ];
}
