/** A rollout as it went: its tokens for training, its turns for people. */
import type { Scored } from "../algorithm/penalty.ts";
import type { StopReason } from "../ports.ts";
import type { Problem } from "../tasks/problem.ts";
import type { ToolRecord } from "./tool.ts";

/**
 * Why a rollout ended: the model answered or stopped calling; its tokens were used up (in the middle of what it wrote,
 * or with no room for a response and a turn more); its turns were.
 */
export type Ending = "finished" | "length" | "turns";

export interface TurnRecord {
  readonly text: string;
  readonly stopReason: StopReason;
  readonly calls: readonly ToolRecord[];
}

/** Tokens `from` to `to`, without that one, which one version of the weights wrote. */
export interface Segment {
  readonly from: number;
  readonly to: number;
  readonly weightsVersion: number;
}

export interface Trajectory {
  readonly problem: Problem;
  /** Everything, from the opening to the last token. */
  readonly tokens: readonly number[];
  /** 1 for tokens of the model, else 0. Same length as `tokens`. */
  readonly mask: readonly number[];
  /** Nats; 0 where the mask is 0. Same length as `tokens`. */
  readonly logprobs: readonly number[];
  /** Tokens of the opening. */
  readonly promptTokens: number;
  readonly turns: readonly TurnRecord[];
  readonly ending: Ending;
  /** Content of the last answer element, or null without one. */
  readonly answer: string | null;
  readonly answers: number;
  /** 1 or 0; null when the rollout is excluded. */
  readonly reward: number | null;
  /** Why the rollout may not be scored: the service failed it. */
  readonly excluded: string | null;
  /** Who wrote what, in the order of the tokens; `logprobs` are of the weights that wrote each. */
  readonly segments: readonly Segment[];
}

export function callsOf({ turns }: Trajectory): ToolRecord[] {
  return turns.flatMap(({ calls }) => calls);
}

/** Tokens after the opening, tool responses included. */
export function responseTokens({ tokens, promptTokens }: Trajectory): number {
  return tokens.length - promptTokens;
}

/** Versions of the weights that wrote its first and its last token; zeros when it has none. */
export function weightsVersions({ segments }: Pick<Trajectory, "segments">): [first: number, last: number] {
  return [segments[0]?.weightsVersion ?? 0, segments.at(-1)?.weightsVersion ?? 0];
}

/** What the algorithm looks at. */
export function scoredOf(trajectory: Trajectory): Scored & { readonly isExcluded: boolean } {
  const calls = callsOf(trajectory);
  return {
    reward: trajectory.reward ?? 0,
    toolCalls: calls.length,
    toolErrors: calls.filter(({ isError }) => isError).length,
    answers: trajectory.answers,
    turns: Math.max(1, trajectory.turns.length),
    responses: calls.map(({ response }) => response),
    isExcluded: trajectory.excluded !== null,
  };
}
