/** What a forwardBackward tells about its data, from the log probabilities of the targets. */
import { type Datum, EngineError, type Loss, type Metrics } from "../../ports.ts";
import type { PlacedChunk } from "./batches.ts";
import type { ChunkGradient } from "./gradient.ts";

type PerDatum = readonly (readonly number[])[];

/** Rows of the chunks back in the order of the data, padding left out. @throws EngineError naming a datum whose are not finite */
export function gatherRows(
  data: readonly Datum[],
  chunks: readonly PlacedChunk[],
  results: readonly Float32Array[],
): PerDatum {
  const rows: number[][] = data.map(() => []);
  for (const [index, { chunk, data: indices }] of chunks.entries())
    for (const [row, which] of indices.entries()) {
      const start = row * chunk.steps;
      const own = results[index]?.subarray(start, start + (data[which]?.weights.length ?? 0)) ?? [];
      if (!own.every(Number.isFinite))
        throw new EngineError(`datum ${which}: the model's log probabilities are not finite`, {
          retryable: false,
        });
      rows[which] = Array.from(own);
    }
  return rows;
}

/** @throws EngineError when something is not finite, naming the data */
export function gather(
  data: readonly Datum[],
  chunks: readonly PlacedChunk[],
  results: readonly ChunkGradient[],
): { readonly logprobs: PerDatum; readonly entropies: PerDatum } {
  const logprobs = gatherRows(
    data,
    chunks,
    results.map((result) => result.logprobs),
  );
  const entropies = gatherRows(
    data,
    chunks,
    results.map((result) => result.entropies),
  );
  for (const [index, { gradient }] of results.entries())
    if (!gradient.every(Number.isFinite))
      throw new EngineError(
        `the gradient over data ${chunks[index]?.data.join(", ")} is not finite: weights, advantages or logprobs are too large`,
        { retryable: false },
      );
  return { logprobs, entropies };
}

export function lossMetrics(
  data: readonly Datum[],
  logprobs: PerDatum,
  entropies: PerDatum,
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
