/**
 * The model as jax-js functions: pre-norm blocks, causal attention, a feed-forward layer with ReLU, learned positions.
 *
 * jax-js counts references by hand: every function here consumes each array it is given once, and says `.ref` where it
 * uses one again. Lookups by index are products with one-hot rows, which are exact and have a cheap gradient. On the
 * wasm device every number is computed in the same order whatever the shapes, so decoding token by token gives the
 * very bits of the whole sequence at once (`test/rl/embedded/decoder.test.ts`).
 */
import { nn, numpy as np } from "@jax-js/jax";
import { buildWeights, leavesOf, type Block, type ModelShape, type Weights } from "./shape.ts";

export type Tensors = Weights<np.Array>;

/** Added to scores of positions that must not be seen; its exponential is exactly 0. */
const UNSEEN = -1e9;
const NORM_EPSILON = 1e-6;

/** Copies the flat parameters to the device. */
export function tensorsOf(shape: ModelShape, flat: Float32Array): Tensors {
  return buildWeights(shape, (tensor) =>
    np.array(flat.slice(tensor.offset, tensor.offset + tensor.size), { shape: [...tensor.shape] }),
  );
}

/** The flat parameters of a tree of tensors, which are consumed. */
export async function flatten(tensors: Tensors): Promise<Float32Array> {
  const parts = await Promise.all(leavesOf(tensors).map((leaf) => leaf.data()));
  const flat = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    flat.set(part, offset);
    offset += part.length;
  }
  return flat;
}

/** A second reference to each tensor. */
export function again(tensors: Tensors): Tensors {
  for (const leaf of leavesOf(tensors)) void leaf.ref;
  return tensors;
}

export function dispose(tensors: Tensors): void {
  for (const leaf of leavesOf(tensors)) leaf.dispose();
}

function normalise(x: np.Array, gain: np.Array): np.Array {
  const square = np.mean(np.square(x.ref), -1, { keepdims: true });
  return x.mul(np.reciprocal(np.sqrt(square.add(NORM_EPSILON)))).mul(gain);
}

interface Heads {
  readonly query: np.Array;
  readonly key: np.Array;
  readonly value: np.Array;
}

/** [rows, steps, width] to three of [rows, heads, steps, width / heads]. */
function project(x: np.Array, weights: np.Array, shape: ModelShape): Heads {
  const [rows = 0, steps = 0] = x.shape;
  const size = shape.width / shape.heads;
  const all = np.matmul(x, weights).reshape([rows, steps, 3, shape.heads, size]);
  const [query, key, value] = np
    .split(all, 3, 2)
    .map((one) => np.transpose(one.reshape([rows, steps, shape.heads, size]), [0, 2, 1, 3]));
  if (query === undefined || key === undefined || value === undefined) throw new Error("split gave no three");
  return { query: query.mul(1 / Math.sqrt(size)), key, value };
}

/** [rows, heads, steps, ...] attended to, back to [rows, steps, width]. */
function attend({ query, key, value }: Heads, mask: np.Array, shape: ModelShape): np.Array {
  const [rows = 0, , steps = 0] = query.shape;
  const scores = np.matmul(query, np.swapaxes(key, -1, -2)).add(mask);
  const mixed = np.matmul(nn.softmax(scores, -1), value);
  return np.transpose(mixed, [0, 2, 1, 3]).reshape([rows, steps, shape.width]);
}

function feedForward(x: np.Array, block: Block<np.Array>): np.Array {
  const hidden = nn.relu(np.matmul(normalise(x.ref, block.forwardNorm), block.up));
  return x.add(np.matmul(hidden, block.down));
}

/** Scores' mask of a whole sequence: each position sees itself and those before it. */
function causalMask(steps: number): np.Array {
  const mask = new Float32Array(steps * steps);
  for (let row = 0; row < steps; row += 1) mask.fill(UNSEEN, row * steps + row + 1, (row + 1) * steps);
  return np.array(mask, { shape: [1, 1, steps, steps] });
}

/**
 * Log probabilities of every token after every position of whole sequences.
 * @param tokens int32 [rows, steps]; what follows a sequence's end is padding, which nothing before it sees
 * @returns float32 [rows, steps, vocabulary]
 */
export function sequenceLogprobs(weights: Tensors, tokens: np.Array, shape: ModelShape): np.Array {
  const [, steps = 0] = tokens.shape;
  const positions = placesOf(weights.positions, np.arange(steps).astype(np.int32).reshape([1, steps]), shape);
  let x = np.matmul(nn.oneHot(tokens, shape.vocabulary), weights.embedding).add(positions);
  const mask = causalMask(steps);
  for (const block of weights.blocks) {
    const heads = project(normalise(x.ref, block.attentionNorm), block.queryKeyValue, shape);
    x = feedForward(x.add(np.matmul(attend(heads, mask.ref, shape), block.attentionOut)), block);
  }
  mask.dispose();
  return nn.logSoftmax(np.matmul(normalise(x, weights.norm), weights.head), -1);
}

function placesOf(positions: np.Array, places: np.Array, shape: ModelShape): np.Array {
  return np.matmul(nn.oneHot(places, shape.context), positions);
}

/** Keys and values of a batch, one [rows, heads, capacity, width / heads] of each for every layer. */
export type Cache = { keys: np.Array[]; values: np.Array[] };

export function emptyCache(shape: ModelShape, rows: number, capacity: number): Cache {
  const empty = (): np.Array[] =>
    Array.from({ length: shape.layers }, () =>
      np.zeros([rows, shape.heads, capacity, shape.width / shape.heads]),
    );
  return { keys: empty(), values: empty() };
}

/** The same cache with room for `capacity` positions; consumes the one given. */
export function grownCache(cache: Cache, capacity: number): Cache {
  const grow = (old: np.Array): np.Array => {
    const [rows = 0, heads = 0, had = 0, size = 0] = old.shape;
    return np.concatenate([old, np.zeros([rows, heads, capacity - had, size])], 2);
  };
  return { keys: cache.keys.map(grow), values: cache.values.map(grow) };
}

export function disposeCache(cache: Cache): void {
  for (const one of [...cache.keys, ...cache.values]) one.dispose();
}

/**
 * One token further in every row of a batch, each row at its own place.
 * @param tokens int32 [rows]
 * @param places int32 [rows], where each token stands in its row's sequence
 * @returns logits [rows, vocabulary] of what follows, and the cache with the tokens in it
 */
export function decodeStep(
  weights: Tensors,
  cache: Cache,
  tokens: np.Array,
  places: np.Array,
  shape: ModelShape,
): [np.Array, Cache] {
  const [rows = 0] = tokens.shape;
  const [, , capacity = 0] = cache.keys[0]?.shape ?? [];
  const range = np.arange(capacity).astype(np.int32).reshape([1, capacity]);
  const at = places.ref.reshape([rows, 1]);
  const here = np.equal(range.ref, at.ref).reshape([rows, 1, capacity, 1]);
  const mask = np.where(np.greater(range, at), UNSEEN, 0).reshape([rows, 1, 1, capacity]);
  const embedded = np.matmul(nn.oneHot(tokens, shape.vocabulary), weights.embedding);
  let x = embedded.add(placesOf(weights.positions, places, shape)).reshape([rows, 1, shape.width]);
  const next: Cache = { keys: [], values: [] };
  for (const [index, block] of weights.blocks.entries()) {
    const [keys, values] = [cache.keys[index], cache.values[index]];
    if (keys === undefined || values === undefined)
      throw new Error("the cache has fewer layers than the model");
    const { query, key, value } = project(normalise(x.ref, block.attentionNorm), block.queryKeyValue, shape);
    const allKeys = np.where(here.ref, key, keys);
    const allValues = np.where(here.ref, value, values);
    next.keys.push(allKeys);
    next.values.push(allValues);
    const mixed = attend({ query, key: allKeys.ref, value: allValues.ref }, mask.ref, shape);
    x = feedForward(x.add(np.matmul(mixed, block.attentionOut)), block);
  }
  here.dispose();
  mask.dispose();
  const logits = np.matmul(normalise(x, weights.norm), weights.head).reshape([rows, shape.vocabulary]);
  return [logits, next];
}
