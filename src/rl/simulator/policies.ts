/** Ways to spread a step's rollouts over engines: the scheduler, and what others do. */
import type { SampleRequest, Sampler } from "../ports.ts";
import { createScheduler, type StepReport } from "../scheduler/scheduler.ts";
import type { SimulatedEngine } from "./engine.ts";
import type { VirtualClock } from "./virtual-clock.ts";
import type { SimulatedRollout, WorkloadShape } from "./workload.ts";

export interface Fleet {
  readonly engines: readonly SimulatedEngine[];
  readonly kvTokens: number;
  readonly clock: VirtualClock;
  readonly shape: WorkloadShape;
}

/** Carries the rollouts of one step out. @returns what the scheduler reports, where there is one */
export type Policy = (rollouts: readonly SimulatedRollout[]) => Promise<StepReport | null>;

export const POLICIES = {
  "static split, barrier at each turn": staticBarrier,
  "static split, asynchronous tools": staticAsync,
  "K = KV / Lmax": ({ ...fleet }: Fleet) => fixedK(fleet, () => longest(fleet.shape)),
  "K = KV / mean length": ({ ...fleet }: Fleet) => fixedK(fleet, meanOfStep(fleet.shape)),
  scheduler,
} as const satisfies Record<string, (fleet: Fleet) => Policy>;

export type PolicyName = keyof typeof POLICIES;

const PROMPT_TOKENS_MAX = 450;
const longest = ({ responseMax }: WorkloadShape): number => responseMax + PROMPT_TOKENS_MAX;
const lengthOf = ({ promptTokens, turns }: SimulatedRollout): number =>
  promptTokens + turns.reduce((sum, { tokens, tool }) => sum + tokens + (tool?.tokens ?? 0), 0);

function engineAt<T>(engines: readonly T[], at: number): T {
  return engines[at % engines.length] as T;
}

/** The request for a turn: its budget is what the length limit leaves, its seed is how much it will write. */
function requestOf(
  { key, promptTokens }: SimulatedRollout,
  context: number,
  tokens: number,
  shape: WorkloadShape,
): SampleRequest {
  return {
    prompt: Array.from<number>({ length: context }),
    maxTokens: Math.max(tokens, promptTokens + shape.responseMax - context),
    temperature: 1,
    stop: [],
    seed: tokens,
    sessionKey: key,
  };
}

/** One rollout as the loop does it: a turn, its tool call, the next turn. */
async function rollOut(rollout: SimulatedRollout, sampler: Sampler, { clock, shape }: Fleet): Promise<void> {
  let context = rollout.promptTokens;
  for (const { tokens, tool } of rollout.turns) {
    await sampler.sample(requestOf(rollout, context, tokens, shape));
    context += tokens + (tool?.tokens ?? 0);
    if (tool !== undefined) await clock.sleep(tool.ms);
  }
}

function staticBarrier(fleet: Fleet): Policy {
  return async (rollouts) => {
    const contexts = rollouts.map(({ promptTokens }) => promptTokens);
    const turnsMost = Math.max(...rollouts.map(({ turns }) => turns.length));
    for (let turn = 0; turn < turnsMost; turn += 1) {
      await Promise.all(
        rollouts.map(async (rollout, at) => {
          const one = rollout.turns[turn];
          if (one === undefined) return;
          const { sampler } = engineAt(fleet.engines, at);
          await sampler.sample(requestOf(rollout, contexts[at] ?? 0, one.tokens, fleet.shape));
          contexts[at] = (contexts[at] ?? 0) + one.tokens + (one.tool?.tokens ?? 0);
        }),
      );
      // The calls of all rollouts are sent together, and the slowest is waited for.
      await fleet.clock.sleep(Math.max(...rollouts.map(({ turns }) => turns[turn]?.tool?.ms ?? 0)));
    }
    return null;
  };
}

function staticAsync(fleet: Fleet): Policy {
  return async (rollouts) => {
    await Promise.all(
      rollouts.map((rollout, at) => rollOut(rollout, engineAt(fleet.engines, at).sampler, fleet)),
    );
    return null;
  };
}

/** A queue; each engine has so many rollouts as fit it when each has `lengthFor(step)` tokens. */
function fixedK(fleet: Fleet, lengthFor: (rollouts: readonly SimulatedRollout[]) => number): Policy {
  return async (rollouts) => {
    const k = Math.max(1, Math.floor(fleet.kvTokens / lengthFor(rollouts)));
    const queue = [...rollouts];
    const lane = async ({ sampler }: SimulatedEngine): Promise<void> => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift())
        await rollOut(next, sampler, fleet);
    };
    // Lanes of all engines in turn, so that a short queue is spread.
    const lanes = Array.from({ length: k }, () => fleet.engines).flat();
    await Promise.all(lanes.map(lane));
    return null;
  };
}

/** Mean length of the step before; of the first, the longest there can be. */
function meanOfStep(shape: WorkloadShape): (rollouts: readonly SimulatedRollout[]) => number {
  let known = longest(shape);
  return (rollouts) => {
    const before = known;
    known = rollouts.reduce((sum, rollout) => sum + lengthOf(rollout), 0) / rollouts.length;
    return before;
  };
}

function scheduler(fleet: Fleet): Policy {
  const { engines, clock, shape } = fleet;
  const scheduler = createScheduler({ engines, clock, responseTokensMax: shape.responseMax });
  return async (rollouts) => {
    await Promise.all(
      rollouts.map(async (rollout) => {
        const seat = await scheduler.admit(rollout);
        await rollOut(rollout, seat, fleet);
        seat.close();
      }),
    );
    return scheduler.endStep();
  };
}
