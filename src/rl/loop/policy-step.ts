/** One step of reinforcement learning: rollouts, selection, gradient, new weights for the sampler. */
import { policyData } from "../algorithm/advantages.ts";
import { selectRollouts, type Selection } from "../algorithm/select.ts";
import type { Metrics } from "../ports.ts";
import { scoredOf, type Trajectory } from "../rollout/trajectory.ts";
import type { Problem } from "../tasks/problem.ts";
import type { GroupsInFlight } from "./groups-in-flight.ts";
import type { Stage } from "./recipe-schema.ts";
import { offPolicyMetrics, rolloutMetrics, selectionMetrics } from "./rollout-metrics.ts";
import { transcriptLine } from "./transcript.ts";
import { rollOutGroup, type World } from "./world.ts";

type Groups = readonly (readonly Trajectory[])[];

export interface StepRequest {
  readonly stage: Stage;
  /** Policy steps of the whole run, counted from 1. */
  readonly step: number;
  /** Groups that earlier steps began; the step begins its own among them. */
  readonly inFlight: GroupsInFlight;
  /** What to begin. */
  readonly problems: readonly Problem[];
  /** Nothing is carried over from it. */
  readonly isLast: boolean;
}

export async function policyStep(world: World, request: StepRequest): Promise<Metrics> {
  const { stage, step, inFlight } = request;
  const { algorithm, run } = world.recipe;
  const startedAt = performance.now();
  const groups = await sampleGroups(world, request);
  const sampledAt = performance.now();
  // What is carried over goes on with the new weights.
  if (inFlight.size > 0) await world.scheduler.hold();
  const selection = selectRollouts(
    groups.map((group) => group.map(scoredOf)),
    { ...algorithm, keep: algorithm.groupSize },
    [run.seed, "select", step],
  );
  const learned = await learn(world, step, groups, selection);
  const version = await world.engine.publish();
  if (inFlight.size > 0) world.scheduler.resume();
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
    ...(stage.carryOver === 0 ? {} : offPolicyMetrics(groups.flat(), version - 1, inFlight.size)),
    "sampling_client/step": version,
    "timing_s/gen": (sampledAt - startedAt) / 1000,
    "timing_s/update_actor": (endedAt - sampledAt) / 1000,
    "time/step": (endedAt - startedAt) / 1000,
    "tool/calls_per_s": (rollouts["tool/calls"] ?? 0) / ((sampledAt - startedAt) / 1000),
    "perf/throughput": (rollouts["progress/total_tokens"] ?? 0) / ((endedAt - startedAt) / 1000),
  };
}

/** Begins the step's groups and waits for as many as it takes, among them those that have been carried long enough. */
async function sampleGroups(
  world: World,
  { stage, step, inFlight, problems, isLast }: StepRequest,
): Promise<Groups> {
  const { groupSize, kind, oversampling, prompts } = world.recipe.algorithm;
  const count = groupSize * (kind === "grpo-roc" ? oversampling : 1);
  const signals = [inFlight.signal, ...(world.signal === undefined ? [] : [world.signal])];
  const within = { ...world, signal: AbortSignal.any(signals) };
  for (const problem of problems)
    inFlight.begin(
      problem,
      step,
      rollOutGroup(within, problem, count, samplingOf(world, stage), ["rl", step]),
    );
  if (stage.carryOver === 0 || isLast) return inFlight.take(inFlight.size, 0);
  return inFlight.take(prompts, step - stage.carryStepsMax + 1);
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
