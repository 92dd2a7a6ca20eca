/**
 * The embedded model's shape and the order of its parameters. All parameters are one flat Float32Array: what the
 * optimizer, the checkpoints and the threads exchange. `layoutOf` says where each tensor lies in it.
 */
import { EngineError } from "../../ports.ts";
import { uniform } from "./pick.ts";

export interface ModelShape {
  /** Token ids are 0 to `vocabulary` - 1. */
  readonly vocabulary: number;
  /** Tokens of prompt and continuation together, at most. */
  readonly context: number;
  readonly layers: number;
  /** Numbers that stand for one token between layers; divisible by `heads`. */
  readonly width: number;
  readonly heads: number;
}

/** About 110,000 parameters with a vocabulary of 96 and a context of 128. */
export const DEFAULT_SHAPE = { layers: 2, width: 64, heads: 4 } as const;

const CEILINGS: Readonly<Record<keyof ModelShape, number>> = {
  vocabulary: 65_536,
  context: 4096,
  layers: 24,
  width: 1024,
  heads: 64,
};

/** The feed-forward layer is this many times as wide as the model. */
export const FEED_FORWARD = 4;

export interface Block<T> {
  attentionNorm: T;
  queryKeyValue: T;
  attentionOut: T;
  forwardNorm: T;
  up: T;
  down: T;
}

export interface Weights<T> {
  embedding: T;
  positions: T;
  blocks: Block<T>[];
  norm: T;
  head: T;
}

export interface Tensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** Of its first number in the flat array. */
  readonly offset: number;
  readonly size: number;
  /** Standard deviation at the start; null starts with ones. */
  readonly deviation: number | null;
}

/** @throws EngineError when a number is not allowed, telling which and what is. */
export function checkShape(shape: ModelShape): void {
  for (const [name, most] of Object.entries(CEILINGS)) {
    const value = shape[name as keyof ModelShape];
    if (!Number.isInteger(value) || value < 1 || value > most)
      throw new EngineError(`the model's ${name} is ${value}; it must be a whole number from 1 to ${most}`, {
        retryable: false,
      });
  }
  if (shape.width % shape.heads !== 0)
    throw new EngineError(`the model's width ${shape.width} must be divisible by its ${shape.heads} heads`, {
      retryable: false,
    });
}

/** The tree of weights, `make` called once for each tensor in the order of the flat array. */
export function buildWeights<T>(shape: ModelShape, make: (tensor: Tensor) => T): Weights<T> {
  const { vocabulary, context, width, layers } = shape;
  let offset = 0;
  const tensor = (name: string, dimensions: readonly number[], deviation: number | null): T => {
    const size = dimensions.reduce((product, dimension) => product * dimension, 1);
    const made = make({ name, shape: dimensions, offset, size, deviation });
    offset += size;
    return made;
  };
  const fanIn = (inputs: number): number => 1 / Math.sqrt(inputs);
  // Each block adds twice to the residual stream; smaller writers keep its size even whatever the depth.
  const residual = 1 / Math.sqrt(2 * layers);
  return {
    embedding: tensor("embedding", [vocabulary, width], 0.1),
    positions: tensor("positions", [context, width], 0.1),
    blocks: Array.from({ length: layers }, (_, index) => ({
      attentionNorm: tensor(`blocks.${index}.attention_norm`, [width], null),
      queryKeyValue: tensor(`blocks.${index}.query_key_value`, [width, 3 * width], fanIn(width)),
      attentionOut: tensor(`blocks.${index}.attention_out`, [width, width], fanIn(width) * residual),
      forwardNorm: tensor(`blocks.${index}.forward_norm`, [width], null),
      up: tensor(`blocks.${index}.up`, [width, FEED_FORWARD * width], fanIn(width)),
      down: tensor(
        `blocks.${index}.down`,
        [FEED_FORWARD * width, width],
        fanIn(FEED_FORWARD * width) * residual,
      ),
    })),
    norm: tensor("norm", [width], null),
    head: tensor("head", [width, vocabulary], fanIn(width) / 2),
  };
}

export function layoutOf(shape: ModelShape): readonly Tensor[] {
  const tensors: Tensor[] = [];
  buildWeights(shape, (tensor) => tensors.push(tensor));
  return tensors;
}

/** The tensors of a tree, in the order of the flat array. */
export function leavesOf<T>(weights: Weights<T>): T[] {
  return [
    weights.embedding,
    weights.positions,
    ...weights.blocks.flatMap((block) => [
      block.attentionNorm,
      block.queryKeyValue,
      block.attentionOut,
      block.forwardNorm,
      block.up,
      block.down,
    ]),
    weights.norm,
    weights.head,
  ];
}

export function parameterCount(shape: ModelShape): number {
  return layoutOf(shape).reduce((sum, { size }) => sum + size, 0);
}

/** Fills `into` with weights of an untrained model: the same seed gives the same weights. */
export function initialise(shape: ModelShape, seed: number, into: Float32Array): void {
  let drawn = 0;
  const gaussian = (): number => {
    const radius = Math.sqrt(-2 * Math.log(1 - uniform(seed, drawn++)));
    return radius * Math.cos(2 * Math.PI * uniform(seed, drawn++));
  };
  for (const { offset, size, deviation } of layoutOf(shape)) {
    if (deviation === null) into.fill(1, offset, offset + size);
    else for (let at = offset; at < offset + size; at += 1) into[at] = gaussian() * deviation;
  }
}

/**
 * Lengths are rounded up to one of a few, since every shape is compiled once, which takes about as long as ten steps:
 * multiples of `grain`, of eight times that above eight of them; the last is the whole context rounded up to 4, the
 * lanes of a vector.
 */
export function lengthBucket(length: number, context: number, grain: number): number {
  const coarse = length > 8 * grain ? 8 * grain : grain;
  return Math.min(Math.ceil(length / coarse) * coarse, Math.ceil(context / 4) * 4);
}
