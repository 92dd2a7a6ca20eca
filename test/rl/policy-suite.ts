/** What the loop may rely on, whichever backend is behind the ports. Each backend's test runs this suite. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EngineError, type Datum, type Engine, type Loss, type Sampler } from "../../src/rl/ports.ts";

export interface PolicyCase {
  /** A fresh engine; the suite closes it. */
  open(): Promise<Engine>;
  /** Token ids that every model of the backend knows, at least 4. */
  readonly tokens: readonly number[];
  /** Same request, same seed, same tokens. */
  readonly isRepeatable: boolean;
  /** Learning rate with which a few steps on one datum show. */
  readonly learningRate: number;
}

const adam = (learningRate: number) => ({
  learningRate,
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-8,
  weightDecay: 0,
  gradientNormMax: 1,
});

/** A sequence whose second half is to be learned. */
function lesson(tokens: readonly number[]): Datum {
  const [a = 0, b = 0, c = 0, d = 0] = tokens;
  return { tokens: [a, b, c, d, c], weights: [0, 0.5, 0.5, 0.5] };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** Log probability of what the datum asks for, under the present weights. */
async function likelihood(engine: Engine, datum: Datum): Promise<number> {
  const { logprobs } = await engine.forwardBackward([datum], { kind: "cross_entropy" });
  return sum((logprobs[0] ?? []).map((value, at) => value * (datum.weights[at] ?? 0)));
}

/** Registers what holds for a backend that only samples. */
export function suiteOfSampler(
  sampler: () => Sampler,
  { tokens, isRepeatable }: Pick<PolicyCase, "tokens" | "isRepeatable">,
): void {
  const prompt = tokens.slice(0, 3);
  const ask = { prompt, maxTokens: 6, temperature: 1, stop: [] as number[], seed: 7 };

  test("samples at most maxTokens, with a log probability for each", async () => {
    const sample = await sampler().sample(ask);
    expect(sample.tokens).toHaveLength(6);
    expect(sample.logprobs).toHaveLength(6);
    expect(sample.logprobs.every((value) => value <= 0 && Number.isFinite(value))).toBe(true);
    expect(sample.stopReason).toBe("length");
  });

  test("ends at a stop token, which is the last token", async () => {
    const free = await sampler().sample({ ...ask, temperature: 0 });
    const stop = free.tokens[2] as number;
    const first = free.tokens.indexOf(stop);
    const sample = await sampler().sample({ ...ask, temperature: 0, stop: [stop] });
    expect(sample.stopReason).toBe("stop");
    expect(sample.tokens).toEqual(free.tokens.slice(0, first + 1));
  });

  test("many at once are each answered by themselves", async () => {
    const alone = await sampler().sample({ ...ask, temperature: 0, maxTokens: 4 });
    const together = await Promise.all(
      Array.from({ length: 9 }, (_, index) =>
        sampler().sample({ ...ask, temperature: 0, maxTokens: 1 + (index % 4), sessionKey: `s${index}` }),
      ),
    );
    for (const [index, one] of together.entries())
      expect(one.tokens).toEqual(alone.tokens.slice(0, 1 + (index % 4)));
  });

  test.runIf(isRepeatable)("repeats itself with a seed", async () => {
    const [one, again, other] = await Promise.all([
      sampler().sample(ask),
      sampler().sample(ask),
      sampler().sample({ ...ask, seed: 8, maxTokens: 6 }),
    ]);
    expect(again.tokens).toEqual(one.tokens);
    expect(other.tokens).not.toEqual(one.tokens);
  });

  test("a request that is given up is rejected", async () => {
    await expect(sampler().sample(ask, { signal: AbortSignal.abort() })).rejects.toThrow();
  });
}

function suiteOfTrainer(engine: () => Engine, { tokens, learningRate }: PolicyCase): void {
  test("cross entropy makes likelier what it is shown, and the sampler sees it after publish", async () => {
    const datum = lesson(tokens);
    const before = await likelihood(engine(), datum);
    await engine().optimStep(adam(0));
    for (let step = 0; step < 12; step += 1) {
      await engine().forwardBackward([datum], { kind: "cross_entropy" });
      await engine().optimStep(adam(learningRate));
    }
    const version = await engine().publish();
    expect(await likelihood(engine(), datum)).toBeGreaterThan(before);
    await engine().optimStep(adam(0));
    const sample = await engine().sample({
      prompt: datum.tokens.slice(0, 2),
      maxTokens: 1,
      temperature: 1,
      stop: [],
    });
    expect(sample.weightsVersion).toBe(version);
    expect(await engine().publish()).toBe(version + 1);
  });

  test("a trainer's log probabilities are those of the sampler with the same weights", async () => {
    await engine().publish();
    const prompt = tokens.slice(0, 3);
    const sample = await engine().sample({ prompt, maxTokens: 4, temperature: 1, stop: [], seed: 3 });
    const weights = [...prompt.slice(1).map(() => 0), ...sample.tokens.map(() => 1)];
    const { logprobs } = await engine().forwardBackward(
      [{ tokens: [...prompt, ...sample.tokens], weights }],
      {
        kind: "cross_entropy",
      },
    );
    await engine().optimStep(adam(0));
    const trained = (logprobs[0] ?? []).slice(prompt.length - 1);
    for (const [at, value] of sample.logprobs.entries()) expect(trained[at]).toBeCloseTo(value, 2);
  });

  test.each<Loss>([{ kind: "importance_sampling" }, { kind: "ppo", clipLow: 0.8, clipHigh: 1.28 }])(
    "$kind makes likelier what had an advantage, and leaves the rest alone",
    async (loss) => {
      const weights = [0, 1, 0, 1];
      const plain = lesson(tokens);
      const { logprobs } = await engine().forwardBackward([{ ...plain, weights }], { kind: "cross_entropy" });
      await engine().optimStep(adam(0));
      const sampled = (logprobs[0] ?? []).map((value, at) => value * (weights[at] ?? 0));
      const datum = { tokens: plain.tokens, weights, logprobs: sampled, advantages: [0, 0.5, 0, 0.5] };
      await engine().forwardBackward([datum], loss);
      await engine().optimStep(adam(learningRate));
      expect(await likelihood(engine(), datum)).toBeGreaterThan(sum(sampled));
      await engine().optimStep(adam(0));
    },
  );

  test("what was saved is there after load", async () => {
    const datum = lesson(tokens);
    const before = await likelihood(engine(), datum);
    const reference = await engine().save("suite");
    await engine().optimStep(adam(learningRate));
    await engine().publish();
    await engine().load(reference);
    expect(await likelihood(engine(), datum)).toBeCloseTo(before, 4);
    await engine().optimStep(adam(0));
    // The sampler too has what was loaded.
    const [prompt, next] = [datum.tokens.slice(0, 2), datum.tokens[2] as number];
    const { tokens: written, logprobs } = await engine().sample({
      prompt,
      maxTokens: 1,
      temperature: 1,
      stop: [],
      seed: 1,
    });
    const seen = { tokens: [...prompt, written[0] ?? next], weights: [0, 1] };
    expect(await likelihood(engine(), seen)).toBeCloseTo(logprobs[0] ?? 0, 2);
    await engine().optimStep(adam(0));
    await expect(engine().load(`${reference}-that-is-not-there`)).rejects.toBeInstanceOf(EngineError);
  });

  test("forgets the optimizer's moments without changing the weights", async () => {
    const datum = lesson(tokens);
    const other = lesson(tokens.toReversed());
    for (let step = 0; step < 3; step += 1) {
      await engine().forwardBackward([other], { kind: "cross_entropy" });
      await engine().optimStep(adam(learningRate));
    }
    const reference = await engine().save("moments");
    const before = await likelihood(engine(), datum);
    // The gradient of the line above is the one that is stepped along.
    await engine().optimStep(adam(learningRate));
    const withMoments = await likelihood(engine(), datum);
    await engine().optimStep(adam(0));
    await engine().load(reference);
    await engine().resetOptimizer();
    expect(await likelihood(engine(), datum)).toBeCloseTo(before, 4);
    await engine().optimStep(adam(learningRate));
    const without = await likelihood(engine(), datum);
    await engine().optimStep(adam(0));
    expect(Math.abs(without - withMoments)).toBeGreaterThan(1e-4);
  });
}

/** Registers the suite for one backend. */
export function policySuite(name: string, policy: PolicyCase): void {
  describe(`policy ${name}`, () => {
    let engine: Engine;
    beforeAll(async () => {
      engine = await policy.open();
    });
    afterAll(() => engine?.close());

    test("says what it is and how long its context is", () => {
      expect(engine.description).not.toBe("");
      expect(engine.contextTokens).toBeGreaterThanOrEqual(16);
    });
    describe("sampler", () => suiteOfSampler(() => engine, policy));
    describe("trainer", () => suiteOfTrainer(() => engine, policy));
  });
}
