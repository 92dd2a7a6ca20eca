/** Every policy in every setting, on the same rollouts. */
import type { Metrics } from "../ports.ts";
import type { TimelineEntry } from "../scheduler/timeline.ts";
import { SimulatedEngine, type EngineCosts } from "./engine.ts";
import { POLICIES, type PolicyName } from "./policies.ts";
import { VirtualClock } from "./virtual-clock.ts";
import { drawStep, WORKLOAD, type WorkloadShape } from "./workload.ts";

export interface Setting {
  readonly name: string;
  readonly kvTokens: number;
  readonly prefillTokensPerS: number;
}

export const SETTINGS: readonly Setting[] = [
  { name: "KV 200k, prefill 20k tokens/s", kvTokens: 200_000, prefillTokensPerS: 20_000 },
  { name: "KV 120k, prefill 20k tokens/s", kvTokens: 120_000, prefillTokensPerS: 20_000 },
  { name: "KV 600k, prefill 20k tokens/s", kvTokens: 600_000, prefillTokensPerS: 20_000 },
  { name: "KV 200k, prefill 5k tokens/s", kvTokens: 200_000, prefillTokensPerS: 5_000 },
];

/** Of a model of 14 billion parameters on one GPU with 3 TB/s of memory. */
const COSTS = { decodeMs: 10, decodeMsPerSequence: 0.05, decodeMsPerThousand: 0.055, sequencesMax: 256 };

export interface SimulationOptions {
  readonly engines: number;
  readonly steps: number;
  readonly shape: WorkloadShape;
}

export const SIMULATION: SimulationOptions = { engines: 4, steps: 3, shape: WORKLOAD };

export interface StepOutcome {
  readonly seconds: number;
  /** Tokens of prefill, and of them those thrown out while they were running. */
  readonly prefilled: number;
  readonly recomputed: number;
  readonly preemptions: number;
  /** Mean share of the KV cache under running sequences, 0 to 1. */
  readonly kvUse: number;
  /** Of the scheduler alone. */
  readonly metrics: Metrics;
  readonly timeline: readonly TimelineEntry[];
}

/** One policy's steps in one setting. */
export async function simulate(
  policy: PolicyName,
  setting: Setting,
  seed: number,
  { engines: count, steps, shape }: SimulationOptions = SIMULATION,
): Promise<StepOutcome[]> {
  const clock = new VirtualClock();
  const costs: EngineCosts = { ...COSTS, ...setting };
  const contextTokens = shape.responseMax + 1024;
  const engines = Array.from(
    { length: count },
    (_, at) => new SimulatedEngine(`engine-${at}`, costs, contextTokens, clock),
  );
  const carryOut = POLICIES[policy]({ engines, kvTokens: setting.kvTokens, clock, shape });
  const sum = (of: (engine: SimulatedEngine) => number): number =>
    engines.reduce((total, engine) => total + of(engine), 0);
  const outcomes: StepOutcome[] = [];
  for (let step = 0; step < steps; step += 1) {
    const startedAt = clock.now();
    const prefilled = sum((engine) => engine.prefilled);
    const recomputed = sum((engine) => engine.recomputed);
    const preemptions = sum((engine) => engine.preemptions);
    const occupied = sum((engine) => engine.occupied);
    const report = await clock.run(carryOut(drawStep(seed, step, shape)));
    const ms = clock.now() - startedAt;
    outcomes.push({
      seconds: ms / 1000,
      prefilled: sum((engine) => engine.prefilled) - prefilled,
      recomputed: sum((engine) => engine.recomputed) - recomputed,
      preemptions: sum((engine) => engine.preemptions) - preemptions,
      kvUse: (sum((engine) => engine.occupied) - occupied) / (ms * count * setting.kvTokens),
      metrics: report?.metrics ?? {},
      timeline: report?.timeline ?? [],
    });
  }
  return outcomes;
}
