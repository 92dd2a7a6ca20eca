/** One run from its recipe to its page. */
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import type { Recipe } from "../loop/recipe-schema.ts";
import { RunDirectory } from "../loop/run-directory.ts";
import { train } from "../loop/train.ts";
import type { TranscriptLine } from "../loop/transcript.ts";
import type { Progress } from "../loop/world.ts";
import type { Metrics } from "../ports.ts";
import { curvesOf, curvesPage, readMetrics } from "./curves.ts";
import { openWorld } from "./open-world.ts";

export interface RunOptions {
  readonly recipe: Recipe;
  readonly directory: string;
  readonly serviceUrl: string;
  readonly progress: Progress;
  readonly signal?: AbortSignal;
}

/** Rollouts shown on the page. */
const TEXTS = 24;

/** Trains in a directory, which may hold the beginning of the run, and returns the last evaluation. */
export async function trainInDirectory(options: RunOptions): Promise<Metrics> {
  const { recipe, directory } = options;
  const run = new RunDirectory(directory);
  await run.writeConfig(recipe);
  const opened = await openWorld({ ...options, run });
  try {
    const last = await train(opened.world);
    await writePage(run, recipe, last);
    return last;
  } finally {
    await opened.close();
  }
}

async function writePage(run: RunDirectory, recipe: Recipe, last: Metrics): Promise<void> {
  const lines = readMetrics(run.file("metrics.jsonl"));
  const rl = lines.filter(({ phase }) => phase === "rl");
  const step = String(rl.length).padStart(6, "0");
  const told = readFileSync(run.file("transcripts", `eval-${step}.jsonl`), "utf8").split("\n", TEXTS);
  const texts = told
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as TranscriptLine)
    .map(({ text, reward, problem }) => `${reward === 1 ? "right" : "wrong"}  ${text}  (${problem.answer})`);
  const accuracy = `eval/all/avg@${recipe.evaluation.attempts}`;
  const calls = rl.reduce((sum, line) => sum + Number(line["tool/calls"] ?? 0), 0);
  const first = lines.find(({ phase }) => phase === "eval");
  const rows = [
    ["", "before", "after"],
    ["accuracy on held-out problems", share(first?.[accuracy]), share(last[accuracy])],
    [
      "tool errors inside right rollouts",
      share(first?.["eval/roc/tool_error_ratio/positive"]),
      share(last["eval/roc/tool_error_ratio/positive"]),
    ],
    ["tool calls of policy steps", "", String(calls)],
  ];
  const page = curvesPage(
    `Run ${run.name}`,
    [{ name: run.name, runs: [lines] }],
    curvesOf(recipe.evaluation.attempts),
    rows,
    texts,
  );
  await writeFile(run.file("index.html"), page);
}

function share(value: number | string | undefined): string {
  return typeof value === "number" ? value.toFixed(3) : "";
}
