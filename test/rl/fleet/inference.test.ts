/** vLLM and SGLang as samplers, against servers that speak their APIs and metrics. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { InferenceEngine, InferenceOptions } from "../../../src/rl/policies/inference-engine.ts";
import { createSglangEngine } from "../../../src/rl/policies/sglang.ts";
import { createVllmEngine } from "../../../src/rl/policies/vllm.ts";
import { suiteOfSampler } from "../policy-suite.ts";
import type { InferenceStub, StubOptions } from "../stubs/http-stub.ts";
import { startSglangStub } from "../stubs/sglang.ts";
import { startVllmStub } from "../stubs/vllm.ts";

const KEY = "secret-of-the-fleet";
const ASK = { prompt: [1, 2], maxTokens: 4, temperature: 1, stop: [] as number[] };

interface Kind {
  readonly start: (options?: StubOptions) => Promise<InferenceStub>;
  readonly create: (options: InferenceOptions) => InferenceEngine;
  /** A continuation that lacks what it must have, and what is said of it. */
  readonly poison: readonly (readonly [unknown, string])[];
}

const KINDS: Readonly<Record<string, Kind>> = {
  vllm: {
    start: startVllmStub,
    create: createVllmEngine,
    poison: [
      ["<html>", "answered no JSON"],
      [{ choices: [] }, "it holds no choice"],
      [{ choices: [{ finish_reason: "stop", text: "x" }] }, "no token_ids"],
      [{ choices: [{ token_ids: [1, 2], logprobs: { token_logprobs: [-1] } }] }, "2 tokens with 1"],
      [{ choices: [{ token_ids: [1], logprobs: { token_logprobs: [null] } }] }, "log probability null"],
      [{ choices: [{ token_ids: [1], logprobs: { token_logprobs: [3] } }] }, "log probability 3"],
    ],
  },
  sglang: {
    start: startSglangStub,
    create: createSglangEngine,
    poison: [
      ["<html>", "answered no JSON"],
      [{ text: "x" }, "no output_token_logprobs"],
      [{ meta_info: { output_token_logprobs: [[null, 1, null]] } }, "log probability null"],
      [{ meta_info: { output_token_logprobs: [[-1, 1.5, null]] } }, "1.5 is no token id"],
    ],
  },
};

for (const [name, { start, create, poison }] of Object.entries(KINDS))
  describe(name, () => {
    let stub: InferenceStub;
    let engine: InferenceEngine;
    const begin = async (options: StubOptions = {}): Promise<void> => {
      stub = await start({ key: KEY, ...options });
      engine = create({ baseUrl: stub.url, key: KEY, model: "stub", contextTokens: 4096 });
    };
    const end = async (): Promise<void> => {
      await engine.close();
      await stub.close();
    };

    describe("as a sampler", () => {
      beforeAll(() => begin());
      afterAll(end);
      suiteOfSampler(() => engine, { tokens: [1, 2, 3, 4, 5], isRepeatable: true });
    });

    describe("in a fleet", () => {
      beforeEach(() => begin());
      afterEach(end);

      test("is healthy until it is gone", async () => {
        expect(await engine.isHealthy()).toBe(true);
        await stub.close();
        expect(await engine.isHealthy()).toBe(false);
        await expect(engine.sample(ASK)).rejects.toMatchObject({ name: "EngineError", retryable: true });
      });

      test("samples with the adapter it was given, whose version the samples have", async () => {
        const greedy = { ...ASK, maxTokens: 16, temperature: 0 };
        const base = await engine.sample(greedy);
        await engine.useAdapter({ name: "policy-000007", path: "/adapters/7", weightsVersion: 7 });
        const adapted = await engine.sample(greedy);
        expect([base.weightsVersion, adapted.weightsVersion]).toEqual([0, 7]);
        expect(adapted.tokens).not.toEqual(base.tokens);
        expect(stub.adapters).toEqual(new Map([["policy-000007", "/adapters/7"]]));
        await engine.useAdapter({ name: "policy-000008", path: "/adapters/8", weightsVersion: 8 });
        await engine.dropAdapter("policy-000007");
        expect((await engine.sample(greedy)).weightsVersion).toBe(8);
      });

      test("keeps its weights when an adapter cannot be loaded, and says why", async () => {
        const missing = engine.useAdapter({ name: "policy-1", path: "/missing", weightsVersion: 1 });
        await expect(missing).rejects.toThrow("/missing");
        expect((await engine.sample(ASK)).weightsVersion).toBe(0);
        await expect(engine.dropAdapter("policy-1")).rejects.toMatchObject({ name: "EngineError" });
      });

      test.each([
        [429, true],
        [503, true],
        [400, false],
        ["drop", true],
      ] as const)(
        "a continuation that fails with %s may be tried elsewhere: %s",
        async (status, retryable) => {
          stub.faults.push({ status });
          await expect(engine.sample(ASK)).rejects.toMatchObject({ name: "EngineError", retryable });
          expect((await engine.sample(ASK)).tokens).toHaveLength(4);
        },
      );

      test.each(poison)("a poisoned reply %j is an error that says so", async (body, said) => {
        stub.faults.push({ status: 200, body });
        await expect(engine.sample(ASK)).rejects.toThrow(said);
      });

      test("says no key when it is refused", async () => {
        const stranger = create({ baseUrl: stub.url, key: "wrong-key", model: "stub", contextTokens: 64 });
        const refusal = (await stranger.sample(ASK).catch((error: unknown) => error)) as Error;
        expect(refusal.message).toContain("401");
        expect(JSON.stringify(refusal, Object.getOwnPropertyNames(refusal))).not.toContain("wrong-key");
        await stranger.close();
      });
    });

    describe("under load", () => {
      test("tells cache, queues and preemptions", async () => {
        await begin({ speeds: { kvTokens: 160, stepMs: 2 } });
        const prompt = Array.from({ length: 40 }, (_, at) => at % 16);
        const samples = Array.from({ length: 6 }, () => engine.sample({ ...ASK, prompt, maxTokens: 60 }));
        const readings = [];
        while (stub.core.running.length + stub.core.waiting.length > 0 || readings.length === 0) {
          readings.push(await engine.load());
          await new Promise((resolve) => setTimeout(resolve, 3));
        }
        await Promise.all(samples);
        expect(readings.every(({ kvTokens }) => kvTokens === 160)).toBe(true);
        expect(Math.max(...readings.map(({ kvUsage }) => kvUsage))).toBeGreaterThan(0.5);
        expect(Math.max(...readings.map(({ running }) => running))).toBeGreaterThan(1);
        expect(Math.max(...readings.map(({ waiting }) => waiting))).toBeGreaterThan(1);
        expect(stub.core.preemptions).toBeGreaterThan(0);
        expect((await engine.load()).preemptions).toBe(stub.core.preemptions);
        await end();
      });

      test("a request that is given up leaves the engine", async () => {
        await begin({ speeds: { stepMs: 5 } });
        const gaveUp = new AbortController();
        const sample = engine.sample({ ...ASK, maxTokens: 4000 }, { signal: gaveUp.signal });
        while (stub.core.running.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
        gaveUp.abort(new Error("no longer wanted"));
        await expect(sample).rejects.toThrow("no longer wanted");
        while (stub.core.running.length > 0) await new Promise((resolve) => setTimeout(resolve, 2));
        await end();
      });
    });
  });
