/** What `rollcall train` is asked for. */
import { RecipeError } from "../loop/recipe.ts";

export interface TrainArguments {
  /** A YAML recipe, or null for the built-in one. */
  readonly file: string | null;
  /** `a.b=c` words. */
  readonly overrides: readonly string[];
  readonly isDryRun: boolean;
  readonly isHelp: boolean;
  /** Trains nothing. */
  readonly isEvaluateOnly: boolean;
  /** A run directory to go on with; empty for the newest. */
  readonly resume: string | null;
  /** Algorithms to compare; empty for one run. */
  readonly compare: readonly string[];
  readonly seeds: number;
}

const SEEDS_MAX = 100;

/** @throws RecipeError when a word is not understood */
export function readArguments(argv: readonly string[]): TrainArguments {
  const words = [...argv];
  const files: string[] = [];
  const overrides: string[] = [];
  let asked = {
    isDryRun: false,
    isHelp: false,
    isEvaluateOnly: false,
    resume: null as string | null,
    compare: [] as string[],
    seeds: 3,
  };
  const value = (flag: string): string => {
    const next = words.shift();
    if (next === undefined || next.startsWith("--")) throw new RecipeError(`${flag} needs a value`);
    return next;
  };
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (word === "--dry-run") asked = { ...asked, isDryRun: true };
    else if (word === "--evaluate-only") asked = { ...asked, isEvaluateOnly: true };
    else if (word === "--help" || word === "-h") asked = { ...asked, isHelp: true };
    else if (word === "--resume") {
      const hasName = words[0] !== undefined && !words[0].startsWith("--") && !words[0].includes("=");
      asked = { ...asked, resume: hasName ? (words.shift() as string) : "" };
    } else if (word === "--compare") asked = { ...asked, compare: value(word).split(",") };
    else if (word === "--seeds") asked = { ...asked, seeds: Number(value(word)) };
    else if (word.startsWith("-")) throw new RecipeError(`there is no flag ${word}; --help lists them`);
    else if (word.includes("=")) overrides.push(word);
    else files.push(word);
  }
  if (files.length > 1) throw new RecipeError(`one recipe at most, not ${files.join(" and ")}`);
  if (!Number.isInteger(asked.seeds) || asked.seeds < 1 || asked.seeds > SEEDS_MAX)
    throw new RecipeError(`--seeds must be a whole number from 1 to ${SEEDS_MAX}`);
  if (asked.isEvaluateOnly && asked.compare.length > 0)
    throw new RecipeError("--evaluate-only and --compare exclude each other");
  return { ...asked, file: files[0] ?? null, overrides };
}
