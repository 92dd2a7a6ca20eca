/** One step of reinforcement learning: rollouts, selection, gradient, new weights for the sampler. */
import { policyData } from "../algorithm/advantages.ts";
import { selectRollouts, type Selection } from "../algorithm/select.ts";
import type { Metrics } from "../ports.ts";
import { scoredOf, type Trajectory } from "../rollout/trajectory.ts";
import type { Problem } from "../tasks/problem.ts";
import type { Stage } from "./recipe-schema.ts";
import { rolloutMetrics, selectionMetrics } from "./rollout-metrics.ts";
import { transcriptLine } from "./transcript.ts";
import { rollOutGroup, type World } from "./world.ts";

type Groups = readonly (readonly Trajectory[])[];

/** @param step counts policy steps of the whole run from 1 */
export async function policyStep(
  world: World,
  stage: Stage,
  step: number,
  problems: readonly Problem[],
): Promise<Metrics> {
  const { algorithm, run } = world.recipe;
  const count = algorithm.groupSize * (algorithm.kind === "grpo-roc" ? algorithm.oversampling : 1);
  const startedAt = performance.now();
  const groups = await Promise.all(
    problems.map((problem) => rollOutGroup(world, problem, count, samplingOf(world, stage), ["rl", step])),
  );
  const sampledAt = performance.now();
  const selection = selectRollouts(
    groups.map((group) => group.map(scoredOf)),
    { ...algorithm, keep: algorithm.groupSize },
    [run.seed, "select", step],
  );
  const learned = await learn(world, step, groups, selection);
  const version = await world.engine.publish();
  const endedAt = performance.now();
  const rollouts = rolloutMetrics(groups.flat());
  const { metrics: scheduled, timeline } = world.scheduler.endStep();
  world.run.logTimeline(step, timeline);
  if (step % run.transcriptsEvery === 0) await writeTranscripts(world, step, groups, selection);
  return {
    ...rollouts,
    ...selectionMetrics(selection),
    ...scheduled,
    ...learned,
    "sampling_client/step": version,
    "timing_s/gen": (sampledAt - startedAt) / 1000,
    "timing_s/update_actor": (endedAt - sampledAt) / 1000,
    "time/step": (endedAt - startedAt) / 1000,
    "tool/calls_per_s": (rollouts["tool/calls"] ?? 0) / ((sampledAt - startedAt) / 1000),
    "perf/throughput": (rollouts["progress/total_tokens"] ?? 0) / ((endedAt - startedAt) / 1000),
  };
}

function samplingOf(world: World, { turnsMax, responseTokensMax, temperature }: Stage) {
  return { by: world.scheduler, limits: { turnsMax, responseTokensMax }, temperature };
}

/** The optimizer's steps for what was selected; nothing when there is nothing to learn from. */
async function learn(world: World, step: number, groups: Groups, { kept }: Selection): Promise<Metrics> {
  const { algorithm, optimizer } = world.recipe;
  const { minibatches, clipLow, clipHigh } = algorithm;
  const learningRate = optimizer.learningRate * Math.min(1, step / Math.max(1, optimizer.warmupSteps));
  const size = Math.ceil(kept.length / minibatches);
  let metrics: Metrics = { "optim/lr": learningRate };
  for (let start = 0; start < kept.length; start += size) {
    const some = kept.slice(start, start + size);
    const data = policyData(
      some.map(({ group, index }) => groups[group]?.[index] as Trajectory),
      some.map(({ advantage }) => advantage),
    );
    const { metrics: loss } = await world.engine.forwardBackward(data, {
      kind: "ppo",
      clipLow: 1 - clipLow,
      clipHigh: 1 + clipHigh,
    });
    const optim = await world.engine.optimStep({ ...optimizer, learningRate });
    metrics = { ...metrics, ...loss, ...optim };
  }
  return metrics;
}

async function writeTranscripts(
  world: World,
  step: number,
  groups: Groups,
  { kept }: Selection,
): Promise<void> {
  const advantages = new Map(kept.map(({ group, index, advantage }) => [`${group}/${index}`, advantage]));
  const lines = groups.flatMap((group, at) =>
    group.map((one, index) =>
      transcriptLine(
        one,
        { group: at, index, advantage: advantages.get(`${at}/${index}`) ?? null },
        world.renderer,
      ),
    ),
  );
  await world.run.writeTranscripts(`step-${String(step).padStart(6, "0")}`, lines);
}
