/** The embedded model's numbers: its gradients, its cache, its optimizer and its choice of tokens. */
import { defaultDevice, init, jit, numpy as np } from "@jax-js/jax";
import * as fc from "fast-check";
import { beforeAll, expect, it } from "vitest";
import { EngineError, type AdamParameters, type Datum, type Loss } from "../../../src/rl/ports.ts";
import { adamStep, type AdamState } from "../../../src/rl/policies/embedded/adam.ts";
import { chunksOf } from "../../../src/rl/policies/embedded/batches.ts";
import { Decoder } from "../../../src/rl/policies/embedded/decoder.ts";
import { gradientOf } from "../../../src/rl/policies/embedded/gradient.ts";
import { gather } from "../../../src/rl/policies/embedded/gather.ts";
import { lossMetrics } from "../../../src/rl/policies/loss-metrics.ts";
import { pick, uniform } from "../../../src/rl/policies/embedded/pick.ts";
import { initialise, layoutOf, parameterCount } from "../../../src/rl/policies/embedded/shape.ts";
import {
  again,
  sequenceLogprobs,
  tensorsOf,
  type Tensors,
} from "../../../src/rl/policies/embedded/transformer.ts";

const SHAPE = { vocabulary: 12, context: 40, layers: 2, width: 16, heads: 2 };
const weights = new Float32Array(parameterCount(SHAPE));

beforeAll(async () => {
  await init("wasm");
  defaultDevice("wasm");
  initialise(SHAPE, 7, weights);
});

const tokensOf = (seed: number, length: number): number[] =>
  Array.from({ length }, (_, index) => Math.floor(uniform(seed, index) * SHAPE.vocabulary));

function policyDatum(seed: number, length: number, logprobs: readonly number[]): Datum {
  const targets = [...Array(length - 1).keys()];
  return {
    tokens: tokensOf(seed, length),
    weights: targets.map((at) => (at < 2 ? 0 : 1 + (at % 2))),
    logprobs: targets.map((at) => (at < 2 ? 0 : (logprobs[at] ?? 0))),
    advantages: targets.map((at) => (at < 2 ? 0 : uniform(seed, 100 + at) * 2 - 1)),
  };
}

const compute = gradientOf(SHAPE);

async function evaluate(flat: Float32Array, data: readonly Datum[], loss: Loss) {
  const tensors = tensorsOf(SHAPE, flat);
  const chunks = chunksOf(data, loss, SHAPE);
  const results = [];
  for (const { chunk } of chunks) results.push(await compute(tensors, chunk, loss));
  const { logprobs, entropies } = gather(data, chunks, results);
  const metrics = lossMetrics(data, logprobs, entropies, loss);
  const gradient = new Float32Array(flat.length);
  for (const result of results)
    for (const [at, slope] of result.gradient.entries()) gradient[at] = (gradient[at] ?? 0) + slope;
  return { gradient, logprobs, total: metrics["train/loss"] ?? metrics["actor/pg_loss"] ?? Number.NaN };
}

/** Ratios near 1, some beyond the clip on either side. */
async function policyData(): Promise<Datum[]> {
  const bare = [1, 2, 3].map((seed) => policyDatum(seed, 8 + 9 * seed, []));
  const { logprobs } = await evaluate(weights, bare, { kind: "importance_sampling" });
  return bare.map((datum, index) => {
    const shift = (at: number): number => [0.05, -0.1, 0.6, -0.6][at % 4] ?? 0;
    const moved = (logprobs[index] ?? []).map((logprob, at) => logprob - shift(at));
    return policyDatum(index + 1, datum.tokens.length, moved);
  });
}

const LOSSES: readonly Loss[] = [
  { kind: "cross_entropy" },
  { kind: "importance_sampling" },
  { kind: "ppo", clipLow: 0.8, clipHigh: 1.28 },
];

it.each(LOSSES)("the gradient of $kind is that of finite differences, along any direction", async (loss) => {
  const data = await policyData();
  const { gradient } = await evaluate(weights, data, loss);
  for (const tensor of layoutOf(SHAPE)) {
    const direction = new Float32Array(weights.length);
    for (let at = tensor.offset; at < tensor.offset + tensor.size; at += 1)
      direction[at] = uniform(at, 3) * 2 - 1;
    let slope = 0;
    for (const [at, step] of direction.entries()) slope += step * (gradient[at] ?? 0);
    const along = async (step: number): Promise<number> =>
      (
        await evaluate(
          weights.map((weight, at) => weight + step * (direction[at] ?? 0)),
          data,
          loss,
        )
      ).total;
    // Small, for a ReLU has a kink that a step must not pass.
    const size = 5e-5;
    const measured = ((await along(size)) - (await along(-size))) / (2 * size);
    expect(Math.abs(measured - slope), tensor.name).toBeLessThan(0.1 + 0.05 * Math.abs(slope));
  }
});

it("with ratio 1, ppo and importance sampling have the policy gradient: cross entropy weighted by advantage", async () => {
  const bare = policyDatum(4, 20, []);
  const { logprobs } = await evaluate(weights, [bare], { kind: "cross_entropy" });
  const datum = policyDatum(4, 20, logprobs[0] ?? []);
  const plain = datum.weights.map((weight, at) => weight * (datum.advantages?.[at] ?? 0));
  const expected = await evaluate(weights, [{ tokens: datum.tokens, weights: plain }], {
    kind: "cross_entropy",
  });
  for (const loss of LOSSES.slice(1)) {
    const { gradient } = await evaluate(weights, [datum], loss);
    const gap = Math.max(...gradient.map((slope, at) => Math.abs(slope - (expected.gradient[at] ?? 0))));
    expect(gap).toBeLessThan(1e-4);
  }
});

it("padding and company change no gradient: a datum alone, and among others of other lengths", async () => {
  const data = await policyData();
  const loss = { kind: "cross_entropy" } as const;
  const together = await evaluate(weights, data, loss);
  const sum = new Float32Array(weights.length);
  for (const datum of data) {
    const alone = await evaluate(weights, [datum], loss);
    for (const [at, slope] of alone.gradient.entries()) sum[at] = (sum[at] ?? 0) + slope;
    expect(together.logprobs[data.indexOf(datum)]).toEqual(alone.logprobs[0]);
  }
  expect(Math.max(...sum.map((slope, at) => Math.abs(slope - (together.gradient[at] ?? 0))))).toBeLessThan(
    1e-4,
  );
});

it("decoding with the cache gives the log probabilities of the whole sequence at once", async () => {
  const decoder = new Decoder(SHAPE, 2, (error) => expect.unreachable(String(error)));
  decoder.publish({ version: 3, tensors: tensorsOf(SHAPE, weights) });
  const samples = await Promise.all(
    [1, 5, 9, 30].map(async (length, index) => {
      const prompt = tokensOf(index, length);
      const settings = { temperature: 1, topP: 1, stop: [], seed: index };
      const sample = await new Promise<{ tokens: readonly number[]; logprobs: readonly number[] }>((done) =>
        decoder.submit({ prompt, maxTokens: 40 - length, ...settings }, done, () => false),
      );
      return { tokens: [...prompt, ...sample.tokens], prompt: length, logprobs: sample.logprobs };
    }),
  );
  const whole = jit((all: Tensors, tokens: np.Array) => sequenceLogprobs(all, tokens, SHAPE));
  const tensors = tensorsOf(SHAPE, weights);
  for (const { tokens, prompt, logprobs } of samples) {
    const input = np.array(Int32Array.from(tokens), { shape: [1, tokens.length] });
    const all = (await whole(again(tensors), input).data()) as Float32Array;
    for (const [index, logprob] of logprobs.entries()) {
      const at = prompt + index;
      expect(logprob).toBeCloseTo(all[(at - 1) * SHAPE.vocabulary + (tokens[at] ?? 0)] ?? Number.NaN, 4);
    }
  }
});

const ADAM: AdamParameters = {
  learningRate: 0.1,
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-8,
  weightDecay: 0,
  gradientNormMax: 0,
};

function adamState(start: readonly number[], gradient: readonly number[]): AdamState {
  return {
    weights: Float32Array.from(start),
    gradient: Float32Array.from(gradient),
    firstMoment: new Float32Array(start.length),
    secondMoment: new Float32Array(start.length),
  };
}

it("Adam moves by hand-computed steps, clips the whole gradient's norm and clears it", () => {
  const plain = adamState([1, -1], [3, -4]);
  expect(adamStep(plain, ADAM, 1)).toBe(5);
  // The first step is the sign of the gradient times the learning rate.
  expect([...plain.weights]).toEqual([Math.fround(0.9), Math.fround(-0.9)]);
  expect([...plain.gradient]).toEqual([0, 0]);
  plain.gradient.set([3, 0]);
  adamStep(plain, ADAM, 2);
  // m = (0.57, -0.36) / 0.19, v = (0.8775, 0.76) / 0.0975
  expect(plain.weights[0]).toBeCloseTo(0.9 - (0.1 * (0.57 / 0.19)) / 3, 6);
  expect(plain.weights[1]).toBeCloseTo(-0.9 + (0.1 * (0.36 / 0.19)) / Math.sqrt(0.76 / 0.0975), 6);
  const clipped = adamState([0, 0], [3, -4]);
  adamStep(clipped, { ...ADAM, gradientNormMax: 1 }, 1);
  expect(clipped.firstMoment[0]).toBeCloseTo(0.1 * 0.6, 6);
  const decayed = adamState([2, 0], [0, 0]);
  adamStep(decayed, { ...ADAM, weightDecay: 0.5 }, 1);
  expect([...decayed.weights]).toEqual([Math.fround(1.9), 0]);
});

it("a gradient that is not finite moves nothing", () => {
  const state = adamState([1, 2], [Number.NaN, 1]);
  expect(adamStep(state, ADAM, 1)).toBeNaN();
  expect([...state.weights, ...state.firstMoment, ...state.gradient]).toEqual([1, 2, 0, 0, 0, 0]);
});

it("tokens are drawn by their probability, with the logprob of temperature 1 whatever the settings", () => {
  const logits = Float32Array.from([0, Math.log(2), Math.log(5)]);
  const counts = [0, 0, 0];
  for (let index = 0; index < 8000; index += 1) {
    const { token, logprob } = pick(logits, { temperature: 1, topP: 1, seed: 11 }, index);
    counts[token] = (counts[token] ?? 0) + 1;
    expect(logprob).toBeCloseTo(Math.log(([1, 2, 5][token] ?? 0) / 8), 5);
  }
  for (const [token, share] of [1 / 8, 2 / 8, 5 / 8].entries())
    expect((counts[token] ?? 0) / 8000).toBeCloseTo(share, 1);
  expect(pick(logits, { temperature: 0, topP: 1, seed: 0 }, 0)).toEqual({
    token: 2,
    logprob: expect.closeTo(Math.log(5 / 8), 5),
  });
  const kept = Array.from({ length: 300 }, (_, at) =>
    pick(logits, { temperature: 1, topP: 0.7, seed: 1 }, at),
  );
  expect(new Set(kept.map(({ token }) => token))).toEqual(new Set([1, 2]));
  expect(kept.every(({ token }) => token !== 0)).toBe(true);
});

it("the stream of a seed is uniform in [0, 1) and its own", () => {
  fc.assert(
    fc.property(fc.nat({ max: 2 ** 31 }), fc.nat({ max: 1e6 }), (seed, index) => {
      const drawn = uniform(seed, index);
      return drawn >= 0 && drawn < 1 && drawn === uniform(seed, index);
    }),
  );
  const seeds = Array.from({ length: 4000 }, (_, seed) => uniform(seed, 0));
  expect(seeds.reduce((sum, one) => sum + one, 0) / seeds.length).toBeCloseTo(0.5, 1);
  expect(new Set(seeds).size).toBe(4000);
});

it("data that cannot be learned from are refused by name, with what is allowed", () => {
  const good: Datum = { tokens: [1, 2, 3], weights: [1, 1] };
  const refused = (bad: Datum, loss: Loss = { kind: "cross_entropy" }): string => {
    try {
      chunksOf([good, bad], loss, SHAPE);
    } catch (error) {
      expect(error).toBeInstanceOf(EngineError);
      return (error as Error).message;
    }
    return "accepted";
  };
  expect(refused({ tokens: tokensOf(1, 41), weights: [] })).toBe(
    "datum 1: it has 41 tokens; the model's context is 40",
  );
  expect(refused({ tokens: [1], weights: [] })).toContain("at least 2");
  expect(refused({ tokens: [1, 12], weights: [1] })).toBe("datum 1: tokens[1] is 12; ids are 0 to 11");
  expect(refused({ tokens: [1, 2], weights: [Number.NaN] })).toContain("weights[0] is NaN");
  expect(refused({ tokens: [1, 2], weights: [1, 1] })).toContain("2 weights for 1 targets");
  expect(refused(good, { kind: "importance_sampling" })).toContain("datum 0: it has no logprobs");
  expect(refused(good, { kind: "ppo", clipLow: 1.2, clipHigh: 0.8 })).toContain("absolute");
});
