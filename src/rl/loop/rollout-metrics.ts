/** Rollouts as numbers, under the names that trainers use; docs/training.md says what each is. */
import type { Selection } from "../algorithm/select.ts";
import { formatPenalty } from "../algorithm/penalty.ts";
import { isCorrect } from "../algorithm/resample.ts";
import { writtenTokens } from "../algorithm/advantages.ts";
import { callsOf, responseTokens, scoredOf, type Trajectory } from "../rollout/trajectory.ts";

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}

function spread(name: string, values: readonly number[]): Record<string, number> {
  return {
    [`${name}/mean`]: mean(values),
    [`${name}/max`]: values.reduce((most, value) => Math.max(most, value), 0),
    [`${name}/min`]: values.reduce((least, value) => Math.min(least, value), values[0] ?? 0),
  };
}

/** Share of tool calls that ended in an error, over all calls of some rollouts; 0 without a call. */
export function toolErrorRate(trajectories: readonly Trajectory[]): number {
  return mean(trajectories.flatMap(callsOf).map(({ isError }) => Number(isError)));
}

/** Reward, lengths, turns and tool calls of rollouts; excluded ones count only as excluded. */
export function rolloutMetrics(all: readonly Trajectory[]): Record<string, number> {
  const scored = all.filter(({ excluded }) => excluded === null);
  const calls = scored.flatMap(callsOf);
  const correct = scored.filter((one) => isCorrect({ reward: one.reward ?? 0 }));
  const latencies = calls.filter(({ outcome }) => outcome !== "unparsed").map(({ latencyMs }) => latencyMs);
  const families = Object.groupBy(scored, ({ problem }) => problem.family);
  return {
    "reward/all/mean": mean(scored.map(({ reward }) => reward ?? 0)),
    ...Object.fromEntries(
      Object.entries(families).map(([family, some]) => [
        `reward/${family}/mean`,
        mean((some ?? []).map(({ reward }) => reward ?? 0)),
      ]),
    ),
    ...spread("response_length", scored.map(responseTokens)),
    "response_length/clip_ratio": mean(scored.map(({ ending }) => Number(ending === "length"))),
    "response_length/correct/mean": mean(correct.map(responseTokens)),
    ...spread(
      "num_turns",
      scored.map(({ turns }) => turns.length),
    ),
    ...spread(
      "tool_call_counts",
      scored.map((one) => callsOf(one).length),
    ),
    "tool/calls": calls.length,
    "tool/error_rate": toolErrorRate(scored),
    "tool/latency_s/mean": mean(latencies) / 1000,
    "tool/latency_s/p95": quantile(latencies, 0.95) / 1000,
    "tool/queue_wait_s": mean(calls.map(({ queuedMs }) => queuedMs)) / 1000,
    "roc/tool_error_ratio/positive": toolErrorRate(correct),
    "roc/tool_error_ratio/all": toolErrorRate(scored),
    "roc/format_penalty/mean": mean(correct.map((one) => formatPenalty(scoredOf(one)))),
    "rollouts/excluded": all.length - scored.length,
    "progress/total_rollouts": all.length,
    "progress/total_tokens": scored.reduce((sum, one) => sum + writtenTokens(one), 0),
  };
}

/** What the algorithm made of the step's groups. */
export function selectionMetrics(selection: Selection): Record<string, number> {
  const { groupsMixed, groupsAllGood, groupsAllBad, scored, kept } = selection;
  const groups = Math.max(1, groupsMixed + groupsAllGood + groupsAllBad);
  return {
    "by_group/frac_mixed": groupsMixed / groups,
    "by_group/frac_all_good": groupsAllGood / groups,
    "by_group/frac_all_bad": groupsAllBad / groups,
    "reject_equal_reward/solve_equal_total": groupsAllGood + groupsAllBad,
    "reject_equal_reward/solve_equal_total_ratio": (groupsAllGood + groupsAllBad) / groups,
    "reject_equal_reward/solve_equal_zeros": groupsAllBad,
    "reject_equal_reward/solve_non_equal_total": groupsMixed,
    "down_sampling/before_sampling_trace_num": scored,
    "down_sampling/after_sampling_trace_num": kept.length,
  };
}

/**
 * How old the weights were that wrote what is learned from: versions behind the present ones, over all tokens.
 * @param present version of the weights that the step's own rollouts were begun with
 * @param inFlight groups that are carried over
 */
export function offPolicyMetrics(
  all: readonly Trajectory[],
  present: number,
  inFlight: number,
): Record<string, number> {
  const aged = all
    .flatMap(({ segments }) => segments)
    .map(({ from, to, weightsVersion }) => ({ tokens: to - from, age: present - weightsVersion }));
  const tokens = aged.reduce((sum, one) => sum + one.tokens, 0);
  return {
    "off_policy/mean": aged.reduce((sum, one) => sum + one.tokens * one.age, 0) / Math.max(1, tokens),
    "off_policy/max": aged.reduce((most, { age }) => Math.max(most, age), 0),
    "off_policy/in_flight": inFlight,
  };
}
