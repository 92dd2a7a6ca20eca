/** What the client does when a server is slow, away, full, strict or wrong. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  openTinkerEngine,
  type TinkerEngine,
  type TinkerOptions,
} from "../../../src/rl/policies/tinker/engine.ts";
import { chunked } from "../../../src/rl/policies/tinker/losses.ts";
import type { ForwardBackwardRequest, WireDatum } from "../../../src/rl/tinker-wire/messages.ts";
import { startTinkerStub, type TinkerStub, type TinkerStubOptions } from "../stubs/tinker.ts";

const KEY = "tml-secret-of-the-tests";
const DATUM = { tokens: [1, 2, 3], weights: [1, 1], logprobs: [-1, -1], advantages: [1, 1] };
const ADAM = {
  learningRate: 0.1,
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-8,
  weightDecay: 0,
  gradientNormMax: 1,
};
const ASK = { prompt: [1, 2], maxTokens: 3, temperature: 1, stop: [] };

let stub: TinkerStub;
let engine: TinkerEngine;

async function start(
  stubOptions: TinkerStubOptions = {},
  options: Partial<TinkerOptions> = {},
): Promise<void> {
  stub = await startTinkerStub({ key: KEY, ...stubOptions });
  engine = await openTinkerEngine({
    server: "skyrl",
    baseUrl: stub.url,
    key: KEY,
    reduction: "sum",
    patience: { totalMs: 3000, waitMs: 5 },
    ...options,
  });
  stub.asked.length = 0;
}

async function stop(): Promise<void> {
  await engine.close();
  await stub.close();
}

const paths = (): string[] => stub.asked.map(({ path }) => path);
const bodies = (path: string) =>
  stub.asked.filter((one) => one.path === path).map(({ body }) => body as ForwardBackwardRequest);

describe("promises", () => {
  beforeEach(() => start());
  afterEach(stop);

  test("are asked for again while they are not there", async () => {
    stub.faults.push(
      { path: "retrieve_future", status: 408, body: { type: "try_again", queue_state: "active" } },
      { path: "retrieve_future", status: 200, body: { type: "try_again", queue_state: "paused_capacity" } },
    );
    expect((await engine.sample(ASK)).tokens).toHaveLength(3);
    expect(paths()).toEqual(["asample", "retrieve_future", "retrieve_future", "retrieve_future"]);
  });

  test("that are gone make the same request again, with its number", async () => {
    stub.faults.push({ path: "retrieve_future", status: 410 });
    expect(await engine.optimStep(ADAM)).toMatchObject({ "actor/grad_norm": 0 });
    expect(bodies("optim_step").map(({ seq_id }) => seq_id)).toEqual([2, 2]);
  });

  test.each([429, 500, 503, "drop"] as const)("outlive %s", async (status) => {
    for (const path of ["asample", "retrieve_future"]) stub.faults.push({ path, status }, { path, status });
    expect((await engine.sample(ASK)).tokens).toHaveLength(3);
  });

  test("that failed say why, and whether another try may help", async () => {
    stub.faults.push({ path: "retrieve_future", status: 400, body: { detail: "no such loss" } });
    await expect(engine.optimStep(ADAM)).rejects.toMatchObject({
      name: "EngineError",
      retryable: false,
      message: "optim_step failed: no such loss",
    });
    for (const [category, retryable] of [
      ["server", true],
      ["user", false],
    ] as const) {
      stub.faults.push({ path: "retrieve_future", status: 200, body: { error: "out of memory", category } });
      await expect(engine.sample(ASK)).rejects.toMatchObject({
        retryable,
        message: "asample failed: out of memory",
      });
    }
  });

  test("of a sample that is given up are not waited for", async () => {
    const gaveUp = new AbortController();
    const wait = { path: "retrieve_future", status: 408 };
    stub.faults.push(...Array.from({ length: 10_000 }, () => wait));
    const sample = engine.sample(ASK, { signal: gaveUp.signal });
    setTimeout(() => gaveUp.abort(new Error("no longer wanted")), 20);
    await expect(sample).rejects.toThrow("no longer wanted");
  });
});

describe("order", () => {
  beforeEach(() => start());
  afterEach(stop);

  test("an optimizer step is handed in before its forward_backward is answered", async () => {
    await Promise.all([
      engine.forwardBackward([DATUM], { kind: "importance_sampling" }),
      engine.optimStep(ADAM),
      engine.publish(),
    ]);
    const submitted = paths().filter((path) => path !== "retrieve_future");
    expect(submitted).toEqual(["forward_backward", "optim_step", "save_weights_for_sampler"]);
    expect(bodies("optim_step")[0]?.seq_id).toBe(3);
    expect(paths().indexOf("optim_step")).toBeLessThan(paths().lastIndexOf("retrieve_future"));
  });

  test("a refused request leaves its number to the next", async () => {
    stub.faults.push({ path: "forward_backward", status: 400, body: { detail: "too long" } });
    // The stub counts what it refuses by fault as not seen.
    await expect(engine.forwardBackward([DATUM], { kind: "cross_entropy" })).rejects.toThrow("400: too long");
    await engine.optimStep(ADAM);
    expect(bodies("optim_step")[0]?.seq_id).toBe(2);
  });

  test("weights are loaded into a new model, which is sampled from and goes on counting versions", async () => {
    const reference = await engine.save("one");
    await engine.load(reference);
    expect((await engine.sample(ASK)).weightsVersion).toBe(1);
    expect(await engine.publish()).toBe(2);
    const unloaded = stub.asked.find(({ path }) => path === "unload_model");
    expect(reference).toContain((unloaded?.body as { model_id: string } | undefined)?.model_id);
    await expect(engine.load("tinker://nobody/weights/none")).rejects.toThrow("Checkpoint not found");
    await engine.optimStep(ADAM);
  });
});

describe("requests", () => {
  test("bounds of the clipping are always sent", async () => {
    await start();
    await engine.forwardBackward([DATUM], { kind: "ppo", clipLow: 0.8, clipHigh: 1.28 });
    expect(bodies("forward_backward")[0]?.forward_backward_input.loss_fn_config).toEqual({
      clip_low_threshold: 0.8,
      clip_high_threshold: 1.28,
    });
    await stop();
  });

  test("are cut at the server's bounds, and packed when they are large", async () => {
    await start({ config: { fwdbwd_max_chunk_len: 2, fwdbwd_max_chunk_bytes_count: 300_000 } });
    const long = {
      tokens: Array.from({ length: 9000 }, (_, at) => at % 8),
      weights: Array(8999).fill(1) as number[],
    };
    const { logprobs } = await engine.forwardBackward([DATUM, DATUM, DATUM, long, long], {
      kind: "cross_entropy",
    });
    expect(logprobs.map((row) => row.length)).toEqual([2, 2, 2, 8999, 8999]);
    const sent = stub.asked.filter(({ path }) => path === "forward_backward");
    expect(bodies("forward_backward").map((body) => body.forward_backward_input.data.length)).toEqual([
      2, 2, 1,
    ]);
    expect(sent.map(({ headers }) => headers["content-encoding"])).toEqual([undefined, "zstd", "zstd"]);
    await stop();
  });

  test("chunks keep the order, and what is too large stands alone", () => {
    const datum = (tokens: number): WireDatum => ({
      model_input: { chunks: [{ type: "encoded_text", tokens: Array(tokens).fill(1) as number[] }] },
      loss_fn_inputs: {},
    });
    const data = [1, 1, 1000, 1, 1].map(datum);
    const chunks = chunked(data, { dataMax: 10, bytesMax: 500, encoding: "protobuf" });
    expect(chunks.flat()).toEqual(data);
    expect(chunks.map((chunk) => chunk.length)).toEqual([2, 1, 2]);
  });

  test("the turns of a trajectory share a number where that keeps them on an engine", async () => {
    await start();
    for (const sessionKey of ["a", "b", "a"]) await engine.sample({ ...ASK, sessionKey });
    const [one, other, again] = bodies("asample").map(({ seq_id }) => seq_id);
    expect(again).toBe(one);
    expect(other).not.toBe(one);
    await stop();
  });

  test("a seed of any size fits into 31 bits", async () => {
    await start();
    await engine.sample({ ...ASK, seed: 2_251_349_732 });
    const [body] = stub.asked.map((one) => one.body as { sampling_params?: { seed?: number } });
    expect(body?.sampling_params?.seed).toBe(2_251_349_732 - 2 ** 31);
    await stop();
  });

  test("a session is kept alive by a heartbeat", async () => {
    vi.useFakeTimers({ toFake: ["setInterval"] });
    await start();
    vi.advanceTimersByTime(20_000);
    vi.useRealTimers();
    await vi.waitFor(() => expect(paths()).toEqual(["session_heartbeat", "session_heartbeat"]));
    await stop();
  });
});

describe("what cannot be used", () => {
  beforeEach(() => start());
  afterEach(stop);

  test.each([
    [
      "asample",
      { sequences: [{ stop_reason: "stop", tokens: [1], logprobs: [null] }] },
      "log probability null",
    ],
    ["asample", { sequences: [{ stop_reason: "stop", tokens: [1, 2], logprobs: [-1] }] }, "2 tokens with 1"],
    ["asample", { sequences: [{ stop_reason: "stop", tokens: [-3], logprobs: [-1] }] }, "-3 is no token id"],
    [
      "asample",
      { sequences: [{ stop_reason: "length", tokens: [1, 1, 1, 1], logprobs: [-1, -1, -1, -1] }] },
      "4 tokens where 3",
    ],
    ["asample", { sequences: [] }, "no sequence"],
    ["forward_backward", { loss_fn_outputs: [] }, "0 outputs for 1 data"],
    [
      "forward_backward",
      { loss_fn_outputs: [{ logprobs: { data: [-1] } }] },
      "1 log probabilities for 2 targets",
    ],
    [
      "forward_backward",
      { loss_fn_outputs: [{ logprobs: { data: [-1, null] } }] },
      "log probability null at 1",
    ],
  ])("a poisoned reply to %s is an error that says so", async (path, poison, said) => {
    stub.spoil = (which, result) => {
      if (which === path) Object.assign(result, poison);
    };
    const asked =
      path === "asample" ? engine.sample(ASK) : engine.forwardBackward([DATUM], { kind: "cross_entropy" });
    await expect(asked).rejects.toThrow(said);
    stub.spoil = null;
  });
});

describe("opening", () => {
  const open = (options: Partial<TinkerOptions>) =>
    openTinkerEngine({
      server: "skyrl",
      baseUrl: stub.url,
      patience: { totalMs: 50, waitMs: 5 },
      ...options,
    });

  test("without the right key says what the server said, and no key", async () => {
    stub = await startTinkerStub({ key: KEY });
    const refusal = (await open({ key: "tml-wrong-key" }).catch((error: unknown) => error)) as Error;
    expect(refusal).toMatchObject({ name: "EngineError", retryable: false });
    expect(refusal.message).toContain("401: Invalid API key");
    expect(JSON.stringify(refusal, Object.getOwnPropertyNames(refusal))).not.toContain("tml-wrong-key");
    await stub.close();
  });

  test("names the models that there are", async () => {
    stub = await startTinkerStub();
    await expect(open({ model: "gpt-9" })).rejects.toThrow("no model gpt-9; it offers bigram");
    await stub.close();
  });

  test("where nobody listens is retryable, after patience is at its end", async () => {
    await expect(open({ baseUrl: "http://127.0.0.1:9" })).rejects.toMatchObject({ retryable: true });
  });

  test("takes losses for sums, and says so, where no gradient norm is told", async () => {
    stub = await startTinkerStub({ tellsNorms: false });
    const lines: string[] = [];
    const opened = await open({ log: (line) => lines.push(line) });
    expect(opened.reduction).toBe("sum");
    expect(lines.join()).toContain("tells no gradient norm");
    await opened.close();
    await stub.close();
  });
});
