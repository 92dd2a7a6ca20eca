/** One run from its recipe to its page. */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import type { Recipe } from "../loop/recipe-schema.ts";
import { RunDirectory } from "../loop/run-directory.ts";
import { train } from "../loop/train.ts";
import type { Progress } from "../loop/world.ts";
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

/** Trains in a directory, which may hold the beginning of the run, and returns the last evaluation. */
export async function trainInDirectory(options: RunOptions): Promise<Metrics> {
  const { recipe, directory } = options;
  const run = new RunDirectory(directory);
  await run.writeConfig(recipe);
  if (recipe.run.tensorboard) run.writeEvents();
  const opened = await openWorld({ ...options, run });
  try {
    const last = await train(opened.world);
    await writeFile(run.file("index.html"), exportPage([directory]));
    return last;
  } finally {
    await opened.close();
  }
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
