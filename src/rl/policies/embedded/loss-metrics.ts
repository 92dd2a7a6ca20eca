/** What a forwardBackward tells about its data, from the log probabilities of the targets. */
import { type Datum, EngineError, type Loss, type Metrics } from "../../ports.ts";
import type { PlacedChunk } from "./batches.ts";
import type { ChunkGradient } from "./gradient.ts";

/** Rows of the chunks back in the order of the data. @throws EngineError when one is not finite, naming the datum */
export function gather(
  data: readonly Datum[],
  chunks: readonly PlacedChunk[],
  results: readonly ChunkGradient[],
): { readonly logprobs: readonly (readonly number[])[]; readonly entropies: readonly (readonly number[])[] } {
  const logprobs: number[][] = data.map(() => []);
  const entropies: number[][] = data.map(() => []);
  for (const [index, { chunk, data: indices }] of chunks.entries()) {
    const result = results[index];
    if (result === undefined) throw new Error("every chunk has a result");
    for (const [row, which] of indices.entries()) {
      const start = row * chunk.steps;
      const end = start + (data[which]?.weights.length ?? 0);
      logprobs[which] = Array.from(result.logprobs.subarray(start, end));
      entropies[which] = Array.from(result.entropies.subarray(start, end));
      if (!logprobs[which].every(Number.isFinite))
        throw new EngineError(`datum ${which}: the model's log probabilities are not finite`, {
          retryable: false,
        });
    }
    if (!result.gradient.every(Number.isFinite))
      throw new EngineError(
        `the gradient over data ${indices.join(", ")} is not finite: weights, advantages or logprobs are too large`,
        { retryable: false },
      );
  }
  return { logprobs, entropies };
}

export function lossMetrics(
  data: readonly Datum[],
  logprobs: readonly (readonly number[])[],
  entropies: readonly (readonly number[])[],
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
      entropy += entropies[index]?.[at] ?? 0;
      total -= weight * (loss.kind === "cross_entropy" ? logprob : gain);
      surprise -= logprob;
      drift += was - logprob;
      if ((advantage > 0 && ratio > high) || (advantage < 0 && ratio < low)) clipped += 1;
    }
  }
  const count = Math.max(1, tokens);
  const both = { "train/tokens": tokens, "actor/entropy": entropy / count };
  if (loss.kind === "cross_entropy")
    return { ...both, "train/loss": total, "train/nll_per_token": surprise / count };
  return {
    ...both,
    "actor/pg_loss": total,
    "actor/pg_clipfrac": clipped / count,
    "actor/ppo_kl": drift / count,
  };
}
