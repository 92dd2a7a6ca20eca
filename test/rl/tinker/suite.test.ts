/** Every promise of the ports, kept by servers that sum and by servers that average, in both encodings. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTinkerEngine, type TinkerOptions } from "../../../src/rl/policies/tinker/engine.ts";
import type { TinkerServer } from "../../../src/rl/policies/tinker/servers.ts";
import { policySuite } from "../policy-suite.ts";
import { startTinkerStub, type TinkerStub, type TinkerStubOptions } from "../stubs/tinker.ts";

const CASES: readonly (readonly [string, TinkerServer, TinkerStubOptions, "sum" | "sequence_mean"])[] = [
  ["skyrl's jax backend", "skyrl", { encoding: "protobuf", isMean: true }, "sequence_mean"],
  ["skyrl's fsdp backend", "skyrl", { encoding: "protobuf" }, "sum"],
  ["verl-tinker", "verl", { encoding: "json" }, "sum"],
  ["a server that took protobuf last year", "tuft", { encoding: "json" }, "sum"],
];

for (const [name, server, stubOptions, reduction] of CASES)
  describe(name, () => {
    let stub: TinkerStub;
    beforeAll(async () => {
      stub = await startTinkerStub(stubOptions);
    });
    afterAll(() => stub.close());
    const open = (options: Partial<TinkerOptions> = {}) =>
      openTinkerEngine({ server, baseUrl: stub.url, patience: { totalMs: 2000, waitMs: 10 }, ...options });

    policySuite(name, { open, tokens: [1, 2, 3, 4, 5], isRepeatable: true, learningRate: 0.05 });

    test("its reduction is known", async () => {
      const engine = await open();
      expect(engine.reduction).toBe(reduction);
      await engine.close();
    });

    test("the gradient is that of the sum, whatever the server does", async () => {
      const engine = await open();
      const data = [
        { tokens: [1, 2, 3, 4], weights: [0, 0.25, 0.25] },
        { tokens: [2, 3], weights: [0.5] },
      ];
      await engine.forwardBackward(data, { kind: "cross_entropy" });
      const still = {
        learningRate: 0,
        beta1: 0.9,
        beta2: 0.95,
        epsilon: 1e-8,
        weightDecay: 0,
        gradientNormMax: 0,
      };
      const one = await engine.optimStep(still);
      const sampled = data.map((datum) => ({
        ...datum,
        advantages: datum.weights.map((weight) => (weight === 0 ? 0 : 1)),
        logprobs: datum.weights.map(() => 0),
      }));
      const { logprobs } = await engine.forwardBackward(sampled, { kind: "cross_entropy" });
      await engine.optimStep(still);
      const onPolicy = sampled.map((datum, index) => ({ ...datum, logprobs: logprobs[index] ?? [] }));
      await engine.forwardBackward(onPolicy, { kind: "ppo", clipLow: 0.8, clipHigh: 1.28 });
      const two = await engine.optimStep(still);
      // On policy the surrogate's gradient is the cross entropy's; its size was worked out by hand from the scores.
      expect(two["actor/grad_norm"]).toBeCloseTo(one["actor/grad_norm"] ?? 0, 4);
      expect(one["actor/grad_norm"]).toBeCloseTo(GRADIENT_NORM, 4);
      await engine.close();
    });
  });

/** Of 0.25 x (2 -> 3), 0.25 x (3 -> 4), 0.5 x (2 -> 3) by the stub's first scores. */
const GRADIENT_NORM = ((): number => {
  const pull = (from: number, to: number, weight: number): number[] => {
    const scores = Array.from({ length: 8 }, (_, token) => Math.exp(Math.sin(from * 3 + token * 7) * 0.5));
    const total = scores.reduce((sum, score) => sum + score, 0);
    return scores.map((score, token) => weight * (score / total - (token === to ? 1 : 0)));
  };
  return Math.hypot(...pull(2, 3, 0.75), ...pull(3, 4, 0.25));
})();
