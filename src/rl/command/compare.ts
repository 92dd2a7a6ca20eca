/**
 * Algorithms against each other: for each seed one imitation stage, from which every algorithm goes on by itself, so
 * that what differs between two runs of a seed is the algorithm alone.
 */
import { cpSync, existsSync, mkdirSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { RunDirectory } from "../loop/run-directory.ts";
import { recipeOf, RecipeError } from "../loop/recipe.ts";
import type { Recipe } from "../loop/recipe-schema.ts";
import { drawCurves } from "../view/picture.ts";
import { curvesOf, curvesPage, readMetrics, type Measured, type Series } from "./curves.ts";
import { trainInDirectory, type RunOptions } from "./one-run.ts";

/** Last steps over which a run's numbers are averaged, as a part of its policy steps. */
const LAST_PART = 0.25;

/** What may be compared: the algorithm's keys that make it. */
const ALGORITHMS: Readonly<Record<string, Partial<Recipe["algorithm"]>>> = {
  grpo: { kind: "grpo" },
  "grpo-roc": { kind: "grpo-roc", variant: "paper", countErrorsBy: "outcome" },
  // As the published code does it, which is not as the paper says.
  "grpo-roc-released": { kind: "grpo-roc", variant: "released", countErrorsBy: "word" },
};

export interface Compared {
  readonly name: string;
  /** One for each seed. */
  readonly accuracy: readonly number[];
  readonly errorsInRight: readonly number[];
  readonly rightLength: readonly number[];
}

/** What an algorithm came to, seed by seed: evaluations and steps of the last quarter of each run. */
export function summarise({ name, runs }: Series, attempts: number): Compared {
  const over = (metric: string): number[] => runs.map((lines) => lastMean(lines, metric));
  return {
    name,
    accuracy: over(`eval/all/avg@${attempts}`),
    errorsInRight: over("eval/roc/tool_error_ratio/positive"),
    rightLength: over("eval/response_length/correct/mean"),
  };
}

function lastMean(lines: readonly Measured[], metric: string): number {
  const told = lines.filter(({ phase }) => phase === "eval");
  const end = Number(told.at(-1)?.["step"] ?? 0);
  const values = told
    .filter(({ step }) => Number(step) > end * (1 - LAST_PART))
    .map((line) => Number(line[metric]));
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** `0.912 (0.900 to 0.930)`. */
export function spreadText(values: readonly number[], digits: number): string {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return `${mean.toFixed(digits)} (${low.toFixed(digits)} to ${high.toFixed(digits)})`;
}

function recipeFor(recipe: Recipe, name: string, seed: number): Recipe {
  return recipeOf({
    ...recipe,
    // The first checkpoint is where the other algorithms begin.
    run: { ...recipe.run, seed, checkpointsKept: 1000 },
    algorithm: { ...recipe.algorithm, ...ALGORITHMS[name] },
  });
}

/** Gives a run the imitation stage of another. */
function beginFrom(from: string, directory: string): void {
  const source = new RunDirectory(from);
  const target = new RunDirectory(directory);
  const first = path.join("checkpoints", "step-000000");
  if (existsSync(target.file(first)) || !existsSync(source.file(first))) return;
  cpSync(source.file(first), target.file(first), { recursive: true });
  // All of it: the loop cuts it to where the checkpoint was made.
  cpSync(source.file("metrics.jsonl"), target.file("metrics.jsonl"));
}

/** Runs what is not there yet, then writes the table and the page. @returns lines for the terminal */
export async function compare(
  options: RunOptions,
  names: readonly string[],
  seeds: number,
): Promise<readonly string[]> {
  const known = Object.keys(ALGORITHMS);
  for (const name of names)
    if (!known.includes(name))
      throw new RecipeError(`--compare knows ${known.join(", ")}, not ${JSON.stringify(name)}`);
  mkdirSync(options.directory, { recursive: true });
  const first = options.recipe.run.seed;
  const place = (name: string, seed: number) => path.join(options.directory, `${name}-seed-${seed}`);
  for (let seed = first; seed < first + seeds; seed += 1) {
    for (const [at, name] of names.entries()) {
      options.progress.note(`${name}, seed ${seed}`);
      if (at > 0) beginFrom(place(names[0] as string, seed), place(name, seed));
      const recipe = recipeFor(options.recipe, name, seed);
      await trainInDirectory({ ...options, recipe, directory: place(name, seed) });
    }
  }
  const series = names.map((name) => ({
    name,
    runs: Array.from({ length: seeds }, (_, at) =>
      readMetrics(path.join(place(name, first + at), "metrics.jsonl")),
    ),
  }));
  const { attempts } = options.recipe.evaluation;
  const rows = [
    ["", "accuracy, held out", "tool errors inside right rollouts", "tokens of right rollouts"],
    ...series
      .map((one) => summarise(one, attempts))
      .map(({ name, accuracy, errorsInRight, rightLength }) => [
        name,
        spreadText(accuracy, 3),
        spreadText(errorsInRight, 3),
        spreadText(rightLength, 1),
      ]),
  ];
  const title = `${names.join(", ")} over ${seeds} seeds`;
  await writeFile(
    path.join(options.directory, "index.html"),
    curvesPage(title, series, curvesOf(attempts), rows),
  );
  await writeFile(path.join(options.directory, "curves.svg"), drawCurves(series, attempts));
  await writeFile(path.join(options.directory, "comparison.json"), `${JSON.stringify(rows, null, 2)}\n`);
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => (row[at] ?? "").length)));
  return rows.map((row) => row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join("  "));
}
