/** The gradient of a loss over one chunk. One compiled function serves every loss: which one is in its numbers. */
import { jit, nn, numpy as np, valueAndGrad } from "@jax-js/jax";
import type { Loss } from "../../ports.ts";
import type { Chunk } from "./batches.ts";
import type { ModelShape, Weights } from "./shape.ts";
import { again, flatten, sequenceLogprobs, type Tensors } from "./transformer.ts";

export interface ChunkGradient {
  /** Of the sum over the chunk, flat, in the layout's order. */
  readonly gradient: Float32Array;
  /** Row-major [rows, steps]: log probability of each target. */
  readonly logprobs: Float32Array;
  /** Row-major [rows, steps]: entropy of the distribution over each target, nats. */
  readonly entropies: Float32Array;
}

/** [1 for cross_entropy and 0 for a policy loss, low bound, high bound of the ratio] */
function numbersOf(loss: Loss): [number, number, number] {
  if (loss.kind === "cross_entropy") return [1, 0, 1];
  // No finite ratio of 32 bits is above this.
  return loss.kind === "ppo" ? [0, loss.clipLow, loss.clipHigh] : [0, 0, 3.4e38];
}

type Inputs = {
  tokens: np.Array;
  targets: np.Array;
  weights: np.Array;
  logprobs: np.Array;
  advantages: np.Array;
  /** Scalars: see `numbersOf`. */
  supervised: np.Array;
  low: np.Array;
  high: np.Array;
};
type LossAndAux = [np.Array, { logprobs: np.Array; entropies: np.Array }];

function logprobsOf(all: np.Array, targets: np.Array, shape: ModelShape): np.Array {
  return np.sum(all.mul(nn.oneHot(targets, shape.vocabulary)), -1);
}

function lossOf(weights: Tensors, inputs: Inputs, shape: ModelShape): LossAndAux {
  const all = sequenceLogprobs(weights, inputs.tokens, shape);
  const entropies = np.negative(np.sum(np.exp(all.ref).mul(all.ref), -1));
  const logprobs = logprobsOf(all, inputs.targets, shape);
  const ratio = np.exp(logprobs.ref.sub(inputs.logprobs));
  const clipped = np.minimum(np.maximum(ratio.ref, inputs.low), inputs.high).mul(inputs.advantages.ref);
  const gain = np.minimum(ratio.mul(inputs.advantages), clipped);
  const policy = np.subtract(1, inputs.supervised.ref).mul(gain);
  const supervised = inputs.supervised.mul(logprobs.ref);
  const loss = np.negative(np.sum(inputs.weights.mul(supervised.add(policy))));
  return [loss, { logprobs, entropies }];
}

function placed(values: Int32Array | Float32Array, { rows, steps }: Chunk): np.Array {
  return np.array(values as Float32Array<ArrayBuffer>, { shape: [rows, steps] });
}

/** A function that gives the log probability of each target, row-major; it compiles once for each shape of chunk. */
export function scoresOf(shape: ModelShape): (weights: Tensors, chunk: Chunk) => Promise<Float32Array> {
  const compiled = jit((weights: Tensors, tokens: np.Array, targets: np.Array) =>
    logprobsOf(sequenceLogprobs(weights, tokens, shape), targets, shape),
  );
  return async (weights, chunk) => {
    const scores = compiled(again(weights), placed(chunk.tokens, chunk), placed(chunk.targets, chunk));
    return (await scores.data()) as Float32Array;
  };
}

/** A function that computes gradients; it compiles once for each shape of chunk. */
export function gradientOf(
  shape: ModelShape,
): (weights: Tensors, chunk: Chunk, loss: Loss) => Promise<ChunkGradient> {
  const compiled = jit((weights: Tensors, inputs: Inputs) =>
    valueAndGrad((all: Tensors, rest: Inputs): LossAndAux => lossOf(all, rest, shape), { hasAux: true })(
      weights,
      inputs,
    ),
  );
  return async (weights, chunk, loss) => {
    const [supervised, low, high] = numbersOf(loss);
    const place = (values: Int32Array | Float32Array): np.Array => placed(values, chunk);
    const [[total, aux], gradient] = compiled(again(weights), {
      tokens: place(chunk.tokens),
      targets: place(chunk.targets),
      weights: place(chunk.weights),
      logprobs: place(chunk.logprobs),
      advantages: place(chunk.advantages),
      supervised: np.array(supervised),
      low: np.array(low),
      high: np.array(high),
    }) as [LossAndAux, Weights<np.Array>];
    total.dispose();
    return {
      gradient: await flatten(gradient),
      logprobs: (await aux.logprobs.data()) as Float32Array,
      entropies: (await aux.entropies.data()) as Float32Array,
    };
  };
}
