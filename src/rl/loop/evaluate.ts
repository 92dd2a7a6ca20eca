/** How good the model is now: every held-out problem, some attempts each. */
import { averageAtK, passAtK } from "../algorithm/pass-at-k.ts";
import type { Metrics } from "../ports.ts";
import type { Trajectory } from "../rollout/trajectory.ts";
import { rolloutMetrics } from "./rollout-metrics.ts";
import { transcriptLine } from "./transcript.ts";
import { rollOutGroup, type World } from "./world.ts";

/** A long evaluation says how far it is. Milliseconds. */
const TELL_EVERY_MS = 30_000;

/** Attempts that can be scored and those that were right; a problem whose attempts were all excluded is left out. */
function tally(groups: readonly (readonly Trajectory[])[]): { attempts: number; correct: number }[] {
  return groups
    .map((group) => group.filter(({ excluded }) => excluded === null))
    .filter((group) => group.length > 0)
    .map((group) => ({
      attempts: group.length,
      correct: group.filter(({ reward }) => reward === 1).length,
    }));
}

/** The numbers of an evaluation, each name with `eval/` before it. */
export function evaluationMetrics(
  groups: readonly (readonly Trajectory[])[],
  attempts: number,
  passAt: readonly number[],
): Metrics {
  const tallies = tally(groups);
  const shares = tallies.map(({ correct, attempts: all }) => correct / all);
  const pass = passAt.map((k) => {
    const able = tallies.filter((one) => one.attempts >= k);
    const rates = able.map((one) => passAtK(one.attempts, one.correct, k));
    return [`eval/all/pass@${k}`, averageAtK(rates, 1)] as const;
  });
  const rollouts = Object.entries(rolloutMetrics(groups.flat()));
  return {
    [`eval/all/avg@${attempts}`]: averageAtK(shares, 1),
    ...Object.fromEntries(pass),
    ...Object.fromEntries(rollouts.map(([name, value]) => [`eval/${name}`, value])),
  };
}

/** Evaluates the weights that are published, writes the line and the transcripts, and returns the numbers. */
export async function evaluate(world: World, stage: string, step: number): Promise<Metrics> {
  const { recipe, run, renderer } = world;
  const { attempts, passAt, temperature, turnsMax, responseTokensMax } = recipe.evaluation;
  const startedAt = performance.now();
  const sampling = { by: world.evaluationScheduler, limits: { turnsMax, responseTokensMax }, temperature };
  let [done, toldAt] = [0, startedAt];
  const groups = await Promise.all(
    world.heldOut.map(async (problem) => {
      // The key does not name the step: each evaluation asks the same, so that curves differ by the weights alone.
      const group = await rollOutGroup(world, problem, attempts, sampling, ["eval"]);
      done += 1;
      if (performance.now() - toldAt > TELL_EVERY_MS) {
        toldAt = performance.now();
        world.progress.note(`${done} of ${world.heldOut.length} held-out problems are done`);
      }
      return group;
    }),
  );
  world.evaluationScheduler.endStep();
  const metrics = {
    ...evaluationMetrics(groups, attempts, passAt),
    "eval/time_s": (performance.now() - startedAt) / 1000,
  };
  run.logMetrics({ phase: "eval", stage, step, time: Date.now() / 1000, metrics });
  await run.writeTranscripts(
    `eval-${String(step).padStart(6, "0")}`,
    groups.flatMap((group, at) =>
      group.map((one, index) => transcriptLine(one, { group: at, index, advantage: null }, renderer)),
    ),
  );
  world.progress.step("eval", stage, step, metrics);
  return metrics;
}
