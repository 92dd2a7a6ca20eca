/**
 * How unclean a rollout is, by which GRPO-RoC chooses among those that reached the right answer.
 * Source: arXiv 2508.20722, section 3.3.
 */

/** What the algorithm looks at of one rollout. */
export interface Scored {
  /** 1 for a right answer, else 0. */
  readonly reward: number;
  /** Calls that the model made, those that did not parse included. */
  readonly toolCalls: number;
  /** Of these, the ones that ended in an error or at a limit, by their Outcome, or did not parse. */
  readonly toolErrors: number;
  /** Answer elements in the whole rollout. */
  readonly answers: number;
  /** Turns that the model wrote; at least 1. */
  readonly turns: number;
  /** Text of the tool responses, for the variant that counts words. */
  readonly responses: readonly string[];
}

/** Share of tool calls that ended in an error, in [0, 1]; 0.5 when there was no call. */
export function errorPenalty({ toolCalls, toolErrors }: Scored): number {
  return toolCalls === 0 ? 0.5 : toolErrors / toolCalls;
}

/**
 * The released code's reading of the same: share of the tool responses that hold the word "error", however the call
 * ended. A timeout counts 0 and a successful print of `max error: 0.0` counts 1.
 */
export function wordPenalty({ responses }: Scored): number {
  if (responses.length === 0) return 0.5;
  return responses.filter((text) => text.toLowerCase().includes("error")).length / responses.length;
}

/** 1 without an answer element, else the surplus answers per turn, in [0, 1]. */
export function formatPenalty({ answers, turns }: Scored): number {
  return answers === 0 ? 1 : Math.min(1, (answers - 1) / turns);
}

export type CountErrorsBy = "outcome" | "word";

/** p_err + p_format, in [0, 2]. */
export function penaltyOf(scored: Scored, countErrorsBy: CountErrorsBy = "outcome"): number {
  return (countErrorsBy === "word" ? wordPenalty(scored) : errorPenalty(scored)) + formatPenalty(scored);
}
