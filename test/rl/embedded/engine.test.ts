/** The embedded engine through its port: what a loop relies on. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type AdamParameters, type Datum, type Engine, EngineError } from "../../../src/rl/ports.ts";
import { createEmbeddedEngine, type EmbeddedOptions } from "../../../src/rl/policies/embedded/engine.ts";

const directory = mkdtempSync(join(tmpdir(), "rollcall-embedded-"));
const OPTIONS: EmbeddedOptions = { vocabulary: 16, context: 40, width: 32, seed: 5, directory };
const END = 15;
const ADAM: AdamParameters = {
  learningRate: 5e-3,
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-8,
  weightDecay: 0,
  gradientNormMax: 1,
};

const opened: Engine[] = [];
async function open(options: Partial<EmbeddedOptions> = {}): Promise<Engine> {
  const engine = await createEmbeddedEngine({ ...OPTIONS, ...options });
  opened.push(engine);
  return engine;
}
let engine: Engine;
beforeAll(async () => {
  engine = await open();
});
afterAll(async () => {
  await Promise.all(opened.map((one) => one.close()));
  rmSync(directory, { recursive: true, force: true });
});

/** "Count on from the first token, then end." */
const counting = (first: number): Datum => {
  const tokens = [first, ...Array.from({ length: 6 }, (_, index) => (first + index + 1) % 10), END];
  return { tokens, weights: tokens.slice(1).map(() => 1 / 70) };
};
const COUNTING = Array.from({ length: 8 }, (_, first) => counting(first));

async function learn(trained: Engine, steps: number): Promise<number[]> {
  const losses: number[] = [];
  for (let step = 0; step < steps; step += 1) {
    const { metrics } = await trained.forwardBackward(COUNTING, { kind: "cross_entropy" });
    losses.push(metrics["train/loss"] ?? Number.NaN);
    await trained.optimStep(ADAM);
  }
  return losses;
}

const request = (seed: number, prompt: readonly number[] = [seed % 8]) => ({
  prompt,
  maxTokens: 20,
  temperature: 1,
  stop: [END],
  seed,
});

it("learns, and samples what it learned once that is published", async () => {
  const losses = await learn(engine, 60);
  expect(losses.at(-1)).toBeLessThan(0.05);
  const greedy = { prompt: [3], maxTokens: 20, temperature: 0, stop: [END] };
  expect((await engine.sample(greedy)).weightsVersion).toBe(0);
  expect(await engine.publish()).toBe(1);
  const sample = await engine.sample(greedy);
  expect(sample).toMatchObject({
    tokens: counting(3).tokens.slice(1),
    stopReason: "stop",
    weightsVersion: 1,
  });
  const { logprobs } = await engine.forwardBackward([counting(3)], { kind: "cross_entropy" });
  expect(sample.logprobs).toHaveLength(sample.tokens.length);
  for (const [index, logprob] of sample.logprobs.entries())
    expect(logprob).toBeCloseTo(logprobs[0]?.[index] ?? Number.NaN, 4);
});

it("the same request and seed give the same tokens, alone or in any company, on any number of replicas", async () => {
  const [one, fresh] = await Promise.all([open({ replicas: 1 }), open({ replicas: 2 })]);
  const alone = [];
  for (const seed of [0, 1, 2]) alone.push(await one.sample(request(seed)));
  const crowd = await Promise.all(Array.from({ length: 90 }, (_, seed) => fresh.sample(request(seed))));
  expect(crowd.slice(0, 3)).toEqual(alone);
  expect(new Set(crowd.map(({ tokens }) => tokens.join())).size).toBeGreaterThan(60);
  expect(crowd.every(({ tokens, logprobs }) => tokens.length === logprobs.length)).toBe(true);
});

it("a turn that continues a trajectory is as if it were asked for alone", async () => {
  const [kept, fresh] = await Promise.all([open({ replicas: 1 }), open({ replicas: 1 })]);
  const first = await kept.sample({ ...request(4), maxTokens: 8, sessionKey: "a" });
  const prompt = [4, ...first.tokens, 1, 2, 3];
  const next = await kept.sample({ ...request(9, prompt), maxTokens: 10, sessionKey: "a" });
  expect(next).toEqual(await fresh.sample({ ...request(9, prompt), maxTokens: 10 }));
});

it("what is saved resumes bit for bit, optimizer, step and version included", async () => {
  const straight = await open({ seed: 9, replicas: 1 });
  await learn(straight, 3);
  await straight.publish();
  const saved = await straight.save("at-three");
  const expected = await learn(straight, 3);
  const resumed = await open({ seed: 1 });
  await resumed.load(saved);
  expect((await resumed.sample(request(1))).weightsVersion).toBe(1);
  expect(await learn(resumed, 3)).toEqual(expected);
  expect(await resumed.publish()).toBe(2);
  const [left, right] = [await straight.save("left"), await resumed.save("right")];
  await straight.publish();
  expect(await straight.save("left")).toBe(left);
  expect(readFileSync(left).equals(readFileSync(right))).toBe(true);
});

it("a checkpoint that cannot be written leaves the one before; a damaged or foreign one is refused", async () => {
  const saved = await engine.save("kept");
  const before = readFileSync(saved);
  writeFileSync(join(directory, "file"), "");
  await expect(engine.save("file/name")).rejects.toThrow(/cannot be written/);
  expect(readFileSync(saved).equals(before)).toBe(true);
  expect(readdirSync(directory).filter((name) => name.endsWith(".partial"))).toEqual([]);
  await expect(engine.load("nowhere")).rejects.toThrow(/nowhere.*cannot be read/);
  await expect((await open({ layers: 1 })).load(saved)).rejects.toThrow(/shape/);
  truncateSync(saved, before.length - 100);
  await expect(engine.load(saved)).rejects.toThrow(/cannot be read/);
});

it("bad input is an EngineError that says what was wrong, and the engine goes on", async () => {
  const wrong = [
    [{ ...request(1), prompt: [] }, "the prompt is empty"],
    [{ ...request(1), prompt: [99] }, "prompt[0] is 99; ids are 0 to 15"],
    [{ ...request(1), maxTokens: 40 }, "more than the context of 40"],
    [{ ...request(1), maxTokens: 0 }, "maxTokens is 0"],
    [{ ...request(1), temperature: Number.NaN }, "temperature is NaN"],
    [{ ...request(1), topP: 0 }, "topP is 0"],
    [{ ...request(1), seed: -1 }, "seed is -1"],
    [{ ...request(1), stop: [77] }, "stop[0] is 77"],
  ] as const;
  for (const [bad, problem] of wrong) {
    const error = await engine.sample(bad).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(EngineError);
    expect((error as Error).message).toContain(problem);
  }
  const overflow = { ...counting(1), logprobs: Array(7).fill(-500), advantages: Array(7).fill(1) };
  await expect(engine.forwardBackward([overflow], { kind: "importance_sampling" })).rejects.toThrow(
    /not finite/,
  );
  await expect(engine.optimStep({ ...ADAM, beta1: 1 })).rejects.toThrow(/beta1 is 1/);
  await expect(open({ heads: 5 })).rejects.toThrow(/divisible/);
  await expect(open({ context: 1e9 })).rejects.toThrow(/context.*1 to 4096/);
  await expect(open({ device: "webgpu" })).rejects.toThrow(/webgpu/);
  expect((await engine.sample(request(1))).tokens.length).toBeGreaterThan(0);
});

it("a request that is given up frees its row, and the others get theirs", async () => {
  const controller = new AbortController();
  const given = Array.from({ length: 40 }, (_, seed) =>
    engine.sample({ ...request(seed), stop: [], maxTokens: 39 }, { signal: controller.signal }),
  );
  const kept = engine.sample(request(2));
  controller.abort(new Error("no longer wanted"));
  for (const one of await Promise.allSettled(given))
    expect(one.status === "fulfilled" || String(one.reason) === "Error: no longer wanted").toBe(true);
  expect((await kept).tokens.length).toBeGreaterThan(0);
  await expect(engine.sample(request(1), { signal: controller.signal })).rejects.toThrow("no longer wanted");
});

it("a request under way when weights are published ends with the version it began with", async () => {
  const before = await engine.publish();
  const sessionKey = "one replica";
  const running = engine.sample({ ...request(3), stop: [], maxTokens: 39, sessionKey });
  await engine.sample({ ...request(3), maxTokens: 1, sessionKey });
  const after = await engine.publish();
  expect((await running).weightsVersion).toBe(before);
  expect((await engine.sample(request(3))).weightsVersion).toBe(after);
});

it("the main thread is free while the model trains", async () => {
  let turns = 0;
  const timer = setInterval(() => (turns += 1), 1);
  await Promise.all([
    learn(engine, 3),
    ...Array.from({ length: 64 }, (_, seed) => engine.sample(request(seed))),
  ]);
  clearInterval(timer);
  expect(turns).toBeGreaterThan(5);
});

it("closed, it says so to everyone who waits or asks", async () => {
  const brief = await open({ replicas: 1 });
  const waiting = brief.sample({ ...request(1), stop: [], maxTokens: 39 });
  const outcome = expect(waiting).rejects.toThrow("the engine is closed");
  await brief.close();
  await outcome;
  await expect(brief.sample(request(1))).rejects.toThrow("the engine is closed");
});
