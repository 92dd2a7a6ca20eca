/** Results of the chunks of a step, back in the order of its data. */
import { type Datum, EngineError } from "../../ports.ts";
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
