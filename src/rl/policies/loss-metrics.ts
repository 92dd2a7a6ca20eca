/** What a forwardBackward tells about its data, reckoned by the client: the same numbers whatever the engine says. */
import type { Datum, Loss, Metrics } from "../ports.ts";

/**
 * @param logprobs of each datum's targets under the weights before the step
 * @param entropies of the model's distribution at each target; null where the engine does not tell
 */
export function lossMetrics(
  data: readonly Datum[],
  logprobs: readonly (readonly number[])[],
  entropies: readonly (readonly number[])[] | null,
  loss: Loss,
): Metrics {
  const low = loss.kind === "ppo" ? loss.clipLow : 0;
  const high = loss.kind === "ppo" ? loss.clipHigh : Infinity;
  let [total, tokens, entropy, clipped, drift, surprise] = [0, 0, 0, 0, 0, 0];
  for (const [index, datum] of data.entries()) {
    for (const [at, weight] of datum.weights.entries()) {
      if (weight === 0) continue;
      const logprob = logprobs[index]?.[at] ?? 0;
      const advantage = datum.advantages?.[at] ?? 0;
      const was = datum.logprobs?.[at] ?? 0;
      const ratio = Math.exp(logprob - was);
      const gain = Math.min(ratio * advantage, Math.min(Math.max(ratio, low), high) * advantage);
      tokens += 1;
      entropy += entropies?.[index]?.[at] ?? 0;
      total -= weight * (loss.kind === "cross_entropy" ? logprob : gain);
      surprise -= logprob;
      drift += was - logprob;
      if ((advantage > 0 && ratio > high) || (advantage < 0 && ratio < low)) clipped += 1;
    }
  }
  const count = Math.max(1, tokens);
  const both = {
    "train/tokens": tokens,
    ...(entropies === null ? {} : { "actor/entropy": entropy / count }),
  };
  if (loss.kind === "cross_entropy")
    return { ...both, "train/loss": total, "train/nll_per_token": surprise / count };
  return {
    ...both,
    "actor/pg_loss": total,
    "actor/pg_clipfrac": clipped / count,
    "actor/ppo_kl": drift / count,
  };
}
