/**
 * Data to learn from, checked and laid out in the fixed shapes that the gradient is compiled for. Sequences of similar
 * length go together, so little is computed on padding; padding has weight 0.
 */
import { EngineError, type Datum, type Loss } from "../../ports.ts";
import { lengthBucket, type ModelShape } from "./shape.ts";

/** Rows of a chunk: the smallest of these that holds what is left. */
const ROWS = [8, 32] as const;
const ROWS_MAX = 32;
/** Steps of a chunk are multiples of this; see `lengthBucket`. */
const STEPS_GRAIN = 16;

/** Row-major [rows, steps] arrays. */
export interface Chunk {
  readonly rows: number;
  readonly steps: number;
  readonly tokens: Int32Array;
  readonly targets: Int32Array;
  readonly weights: Float32Array;
  readonly logprobs: Float32Array;
  readonly advantages: Float32Array;
}

export interface PlacedChunk {
  readonly chunk: Chunk;
  /** Index among the data of each row that holds one. */
  readonly data: readonly number[];
}

function refuse(index: number, problem: string): never {
  throw new EngineError(`datum ${index}: ${problem}`, { retryable: false });
}

function checkNumbers(
  index: number,
  name: string,
  values: readonly number[] | undefined,
  count: number,
): void {
  if (values === undefined)
    refuse(index, `it has no ${name}, which a policy loss needs, one for each of its ${count} targets`);
  if (values.length !== count)
    refuse(index, `it has ${values.length} ${name} for ${count} targets (tokens without the first)`);
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at !== -1) refuse(index, `${name}[${at}] is ${values[at]}; it must be a finite number`);
}

/** The first thing that is no token id, or undefined. */
export function strangeToken(
  tokens: readonly number[],
  vocabulary: number,
): { readonly at: number; readonly token: number } | undefined {
  const at = tokens.findIndex((token) => !Number.isInteger(token) || token < 0 || token >= vocabulary);
  return at === -1 ? undefined : { at, token: tokens[at] ?? Number.NaN };
}

function checkDatum(datum: Datum, index: number, loss: Loss, shape: ModelShape): void {
  const { tokens } = datum;
  if (tokens.length < 2)
    refuse(index, `it has ${tokens.length} tokens; at least 2 are needed to predict one`);
  if (tokens.length > shape.context)
    refuse(index, `it has ${tokens.length} tokens; the model's context is ${shape.context}`);
  const strange = strangeToken(tokens, shape.vocabulary);
  if (strange !== undefined)
    refuse(index, `tokens[${strange.at}] is ${strange.token}; ids are 0 to ${shape.vocabulary - 1}`);
  checkNumbers(index, "weights", datum.weights, tokens.length - 1);
  if (loss.kind === "cross_entropy") return;
  checkNumbers(index, "logprobs", datum.logprobs, tokens.length - 1);
  checkNumbers(index, "advantages", datum.advantages, tokens.length - 1);
}

function checkLoss(loss: Loss): void {
  if (loss.kind !== "ppo") return;
  const { clipLow, clipHigh } = loss;
  if (!(clipLow >= 0 && clipLow <= 1 && clipHigh >= 1 && Number.isFinite(clipHigh)))
    throw new EngineError(
      `ppo clips ratios to ${clipLow}..${clipHigh}; the bounds are absolute, the low one from 0 to 1, the high one from 1 up`,
      { retryable: false },
    );
}

function layOut(rows: readonly Datum[], steps: number): Chunk {
  const count = ROWS.find((size) => size >= rows.length) ?? ROWS_MAX;
  const size = count * steps;
  const chunk: Chunk = {
    rows: count,
    steps,
    tokens: new Int32Array(size),
    targets: new Int32Array(size),
    weights: new Float32Array(size),
    logprobs: new Float32Array(size),
    advantages: new Float32Array(size),
  };
  for (const [row, datum] of rows.entries()) {
    const start = row * steps;
    chunk.tokens.set(datum.tokens.slice(0, -1), start);
    chunk.targets.set(datum.tokens.slice(1), start);
    chunk.weights.set(datum.weights, start);
    chunk.logprobs.set(datum.logprobs ?? [], start);
    chunk.advantages.set(datum.advantages ?? [], start);
  }
  return chunk;
}

/** @throws EngineError naming the datum that cannot be learned from, and why */
export function chunksOf(data: readonly Datum[], loss: Loss, shape: ModelShape): PlacedChunk[] {
  if (data.length === 0) throw new EngineError("there are no data to learn from", { retryable: false });
  checkLoss(loss);
  for (const [index, datum] of data.entries()) checkDatum(datum, index, loss, shape);
  const order = [...data.keys()].sort(
    (left, right) => (data[left]?.tokens.length ?? 0) - (data[right]?.tokens.length ?? 0) || left - right,
  );
  const chunks: PlacedChunk[] = [];
  for (let start = 0; start < order.length; start += ROWS_MAX) {
    const indices = order.slice(start, start + ROWS_MAX);
    const rows = indices.flatMap((index) => data[index] ?? []);
    const longest = Math.max(...rows.map(({ tokens }) => tokens.length - 1));
    chunks.push({ chunk: layOut(rows, lengthBucket(longest, shape.context, STEPS_GRAIN)), data: indices });
  }
  return chunks;
}
