/** Which problems a stage has, in which order they come, and when the stage is over. */
import type { Metrics } from "../ports.ts";
import { randomOf, shuffled } from "../random.ts";
import type { Problem } from "../tasks/problem.ts";
import type { Stage } from "./recipe-schema.ts";
import { rollOutGroup, type World } from "./world.ts";

/** Problems whose attempts run at once while solved ones are looked for. */
const AT_ONCE = 64;

/** Ids of the problems that were solved in every one of the attempts, by the present weights. */
async function findSolved(world: World, stage: Stage, problems: readonly Problem[]): Promise<string[]> {
  const solved: string[] = [];
  const { turnsMax, responseTokensMax, temperature } = stage;
  const sampling = { by: world.scheduler, limits: { turnsMax, responseTokensMax }, temperature };
  for (let start = 0; start < problems.length; start += AT_ONCE) {
    const some = problems.slice(start, start + AT_ONCE);
    const groups = await Promise.all(
      some.map((problem) => rollOutGroup(world, problem, stage.dropSolved, sampling, ["solved", stage.name])),
    );
    for (const [at, group] of groups.entries())
      if (group.every(({ reward }) => reward === 1)) solved.push((some[at] as Problem).id);
    world.progress.note(`${solved.length} of ${start + some.length} problems are solved already`);
  }
  return solved;
}

/**
 * Ids of the problems that a stage leaves out; found once, at its start, and kept in the checkpoints.
 * @throws Error when none is left
 */
export async function leftOut(world: World, stage: Stage): Promise<string[]> {
  const odd = stage.integerAnswers
    ? world.train.filter(({ answer }) => !/^-?\d+$/.test(answer.trim())).map(({ id }) => id)
    : [];
  const isOdd = new Set(odd);
  const rest = world.train.filter(({ id }) => !isOdd.has(id));
  const solved = stage.dropSolved > 0 ? await findSolved(world, stage, rest) : [];
  if (rest.length === solved.length)
    throw new Error(`the filters of stage ${stage.name} leave none of ${world.train.length} problems`);
  return [...odd, ...solved];
}

/**
 * The next problems of a stage: each once before any comes again, in an order of its own each time round.
 * @param drawn problems that the stage has had already
 */
export function nextProblems(
  problems: readonly Problem[],
  count: number,
  drawn: number,
  seed: readonly (string | number)[],
): Problem[] {
  const rounds = new Map<number, Problem[]>();
  return Array.from({ length: count }, (_, at) => {
    const place = drawn + at;
    const round = Math.floor(place / problems.length);
    const order = rounds.get(round) ?? shuffled(randomOf(...seed, "round", round), problems);
    rounds.set(round, order);
    return order[place % problems.length] as Problem;
  });
}

/** Whether the rule for moving on is met by the stage's steps so far. */
export function isOver(stage: Stage, history: readonly Metrics[]): boolean {
  const { until } = stage;
  if (until === undefined || history.length < until.window) return false;
  const recent = history.slice(-until.window).map((metrics) => metrics[until.metric] ?? Number.NaN);
  const mean = recent.reduce((sum, value) => sum + value, 0) / recent.length;
  return (
    (until.above !== undefined && mean > until.above) || (until.below !== undefined && mean < until.below)
  );
}
