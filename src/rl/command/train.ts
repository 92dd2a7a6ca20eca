/** `rollcall train`: arguments, service, run. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { stringify } from "yaml";
import { assertTrainable, readRecipe, recipeWith } from "../loop/recipe.ts";
import type { Recipe } from "../loop/recipe-schema.ts";
import { readArguments, type TrainArguments } from "./arguments.ts";
import { compare } from "./compare.ts";
import { evaluateInDirectory, summaryOf, trainInDirectory, type RunOptions } from "./one-run.ts";
import { startOwnService } from "./own-service.ts";
import { createProgress } from "./progress.ts";

const HELP = `Usage: rollcall train [recipe.yaml] [key.of.recipe=value ...] [flags]

Without arguments the embedded model learns the built-in puzzles, on the processor, by calls of a service that is
started for it.

  --dry-run             print the resolved recipe and end
  --resume [RUN]        go on with a run directory, or with the newest one
  --evaluate-only       train nothing: accuracy on the held-out problems, of the model as it is or, with --resume, of a
                        run's last checkpoint
  --compare grpo,grpo-roc,grpo-roc-released
                        run each over several seeds and draw them together
  --seeds N             for --compare; default 3
`;

/** The newest directory of runs that has a recipe. */
function newestRun(directory: string): string {
  const runs = existsSync(directory) ? readdirSync(directory).map((name) => path.join(directory, name)) : [];
  const [newest] = runs
    .filter((run) => existsSync(path.join(run, "config.json")))
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  if (newest === undefined) throw new Error(`there is no run below ${directory}`);
  return newest;
}

interface Chosen {
  readonly recipe: Recipe;
  readonly directory: string;
  /** The run whose last checkpoint an evaluation is of. */
  readonly from: string | null;
}

/** A directory of its own, named by the recipe or by the time. */
function freshDirectory({ run }: Recipe, suffix = ""): string {
  const now = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
  return path.join(run.directory, `${run.name || now}${suffix}`);
}

/** The recipe asked for and where its run is. */
function choose({ file, overrides, resume, isEvaluateOnly }: TrainArguments): Chosen {
  if (resume === null) {
    const recipe = readRecipe(file, overrides);
    return { recipe, directory: freshDirectory(recipe), from: null };
  }
  const directory = resume || newestRun(readRecipe(null, overrides).run.directory);
  const config = JSON.parse(readFileSync(path.join(directory, "config.json"), "utf8")) as unknown;
  const recipe = recipeWith(config, overrides);
  return isEvaluateOnly
    ? { recipe, directory: freshDirectory(recipe, "-evaluation"), from: directory }
    : { recipe, directory, from: null };
}

/** What was asked for, with a service that listens. */
async function carryOut(asked: TrainArguments, options: RunOptions, from: string | null): Promise<void> {
  const { recipe, directory, progress } = options;
  if (asked.isEvaluateOnly) {
    await evaluateInDirectory(options, from);
  } else if (asked.compare.length > 0) {
    for (const line of await compare(options, asked.compare, asked.seeds)) process.stdout.write(`${line}\n`);
  } else {
    await trainInDirectory(options);
    for (const line of summaryOf(directory, recipe.evaluation.attempts)) progress.note(line);
  }
  progress.note(`curves and rollouts: ${path.join(directory, "index.html")}`);
}

/** Aborts at the first SIGINT or SIGTERM; a second one ends the process. */
function interruption(): AbortSignal {
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const)
    process.on(name, () => {
      if (stop.signal.aborted) process.exit(1);
      stop.abort(new Error(`interrupted by ${name}; --resume goes on from the last checkpoint`));
    });
  return stop.signal;
}

/** @returns the exit code */
export async function runTrain(argv: readonly string[]): Promise<number> {
  const asked = readArguments(argv);
  if (asked.isHelp) {
    process.stdout.write(HELP);
    return 0;
  }
  const { recipe, directory, from } = choose(asked);
  if (!asked.isEvaluateOnly) assertTrainable(recipe);
  if (asked.isDryRun) {
    process.stdout.write(stringify(recipe));
    return 0;
  }
  const isNew = asked.resume === null || asked.isEvaluateOnly;
  if (isNew && existsSync(path.join(directory, "config.json")) && asked.compare.length === 0)
    throw new Error(
      `${directory} holds a run already: ${asked.isEvaluateOnly ? "run.name=NAME names another" : `--resume ${directory} goes on with it`}`,
    );
  const progress = createProgress((line) => void process.stdout.write(`${line}\n`));
  const signal = interruption();
  const own = recipe.service.url === "" ? await startOwnService() : null;
  try {
    const serviceUrl = own?.url ?? recipe.service.url;
    progress.note(`run in ${directory}, tool calls to ${serviceUrl}`);
    await carryOut(asked, { recipe, directory, serviceUrl, progress, signal }, from);
  } finally {
    await own?.stop();
  }
  return 0;
}
