/** The supervised stage: a teacher's rollouts, run for real, then imitated. */
import { imitationData } from "../algorithm/advantages.ts";
import { randomOf, shuffled } from "../random.ts";
import type { Trajectory } from "../rollout/trajectory.ts";
import { rolloutMetrics } from "./rollout-metrics.ts";
import { transcriptLine } from "./transcript.ts";
import { rollOutGroup, type World } from "./world.ts";

/** Problems whose rollouts run at once; the service has more of its own to say about it. */
const AT_ONCE = 128;
/** Steps between lines of metrics. */
const LOG_EVERY = 10;

/** Lets the teacher solve problems; every call of its is a real one. Excluded rollouts are no lesson. */
async function lessons(world: World): Promise<Trajectory[]> {
  const { recipe, train, teacher } = world;
  if (teacher === undefined) throw new Error("there is no teacher for these problems: sft.steps must be 0");
  const { trajectories } = recipe.sft;
  const limits = { turnsMax: Number.MAX_SAFE_INTEGER, responseTokensMax: Number.MAX_SAFE_INTEGER };
  const written: Trajectory[] = [];
  for (let start = 0; start < trajectories; start += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, trajectories - start) }, async (_, at) => {
      const problem = train[(start + at) % train.length] as (typeof train)[number];
      const seed = [recipe.run.seed, start + at];
      const sampling = { by: teacher(problem, seed), limits, temperature: 1 };
      return rollOutGroup(world, problem, 1, sampling, ["teacher", start + at]);
    });
    written.push(...(await Promise.all(some)).flat());
    world.progress.note(`the teacher wrote ${written.length} of ${trajectories} trajectories`);
  }
  return written.filter(({ excluded }) => excluded === null);
}

/** Rises over the warm-up, then falls linearly to a tenth. `step` counts from 0. */
function rateAt(step: number, { learningRate, warmupSteps, steps }: World["recipe"]["sft"]): number {
  const rise = Math.min(1, (step + 1) / Math.max(1, warmupSteps));
  return learningRate * rise * (1 - (0.9 * step) / steps);
}

/** Runs the stage and publishes the weights it ends with. */
export async function imitate(world: World): Promise<void> {
  const { recipe, run, engine, renderer } = world;
  const { steps, batch } = recipe.sft;
  const written = await lessons(world);
  await run.writeTranscripts(
    "sft",
    written.map((one, group) => transcriptLine(one, { group, index: 0, advantage: null }, renderer)),
  );
  const teacher = rolloutMetrics(written);
  const order: Trajectory[] = [];
  for (let step = 0; step < steps; step += 1) {
    world.signal?.throwIfAborted();
    const startedAt = performance.now();
    while (order.length < batch) order.push(...shuffled(randomOf(recipe.run.seed, "sft", step), written));
    const data = imitationData(order.splice(0, batch));
    const { metrics: loss } = await engine.forwardBackward(data, { kind: "cross_entropy" });
    const learningRate = rateAt(step, recipe.sft);
    const optim = await engine.optimStep({ ...recipe.optimizer, learningRate });
    if ((step + 1) % LOG_EVERY !== 0 && step + 1 < steps) continue;
    const metrics = {
      ...loss,
      ...optim,
      "optim/lr": learningRate,
      "teacher/reward": teacher["reward/all/mean"] ?? 0,
      "teacher/tool_error_rate": teacher["tool/error_rate"] ?? 0,
      "time/step": (performance.now() - startedAt) / 1000,
    };
    run.logMetrics({ phase: "sft", stage: "sft", step: step + 1, time: Date.now() / 1000, metrics });
    world.progress.step("sft", "sft", step + 1, metrics);
  }
  await engine.resetOptimizer();
  await engine.publish();
}
