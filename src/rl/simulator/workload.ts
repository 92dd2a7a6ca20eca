/** Rollouts as reasoning with tools has them: long-tailed lengths that go with the problem, several turns, quick tools
 * with a slow tail. Drawn by seed and step, so that every policy is given the same. */
import { randomOf, type Random } from "../random.ts";

export interface SimulatedTurn {
  /** Tokens that the model writes. */
  readonly tokens: number;
  /** The tool call after it: its time, and the tokens of its response. Absent after the last turn. */
  readonly tool?: { readonly ms: number; readonly tokens: number };
}

export interface SimulatedRollout {
  readonly key: string;
  readonly group: string;
  readonly promptTokens: number;
  readonly turns: readonly SimulatedTurn[];
}

export interface WorkloadShape {
  readonly groups: number;
  readonly groupSize: number;
  /** Tokens of a response at most, and in the middle of the distribution. */
  readonly responseMax: number;
  readonly responseMedian: number;
}

export const WORKLOAD: WorkloadShape = {
  groups: 32,
  groupSize: 32,
  responseMax: 8192,
  responseMedian: 1900,
};

/** Spread of problems and of the rollouts of one problem: standard deviations of log length. */
const PROBLEM_SPREAD = 0.6;
const ROLLOUT_SPREAD = 0.45;
const TURNS_MAX = 10;
const TOOL_RESPONSE_TOKENS = 80;
/** Milliseconds: the usual tool call, and one that runs into its time limit, which one in a hundred does. */
const TOOL_MS = 250;
const TOOL_SPREAD = 0.6;
const TOOL_LIMIT_MS = 10_000;
const TOOL_LIMIT_SHARE = 0.01;

function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

function drawTurns(random: Random, response: number): SimulatedTurn[] {
  let count = 1;
  while (count < TURNS_MAX && random() < 0.65) count += 1;
  const shares = Array.from({ length: count }, () => 0.2 + random());
  const total = shares.reduce((sum, share) => sum + share, 0);
  const written = Math.max(count, response - (count - 1) * TOOL_RESPONSE_TOKENS);
  return shares.map((share, at) => {
    const tokens = Math.max(1, Math.floor((written * share) / total));
    if (at === count - 1) return { tokens };
    const ms = random() < TOOL_LIMIT_SHARE ? TOOL_LIMIT_MS : TOOL_MS * Math.exp(TOOL_SPREAD * normal(random));
    return { tokens, tool: { ms, tokens: TOOL_RESPONSE_TOKENS } };
  });
}

/** All rollouts of a step, group by group. */
export function drawStep(seed: number, step: number, shape: WorkloadShape): SimulatedRollout[] {
  return Array.from({ length: shape.groups }, (_, group) => {
    const random = randomOf("workload", seed, step, group);
    const promptTokens = Math.round(250 + 200 * random());
    const centre = Math.log(shape.responseMedian) + PROBLEM_SPREAD * normal(random);
    return Array.from({ length: shape.groupSize }, (_, at) => {
      const drawn = Math.exp(centre + ROLLOUT_SPREAD * normal(random));
      const response = Math.round(Math.min(shape.responseMax, Math.max(60, drawn)));
      return {
        key: `${step}/${group}/${at}`,
        group: `${step}/${group}`,
        promptTokens,
        turns: drawTurns(random, response),
      };
    });
  }).flat();
}
