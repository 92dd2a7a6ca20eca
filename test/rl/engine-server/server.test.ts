/** The engine server's protocol over real HTTP: what its statuses mean, and what is refused. */
import { zstdCompressSync } from "node:zlib";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  decodeForwardBackwardOutput,
  encodeForwardBackwardRequest,
} from "../../../src/rl/tinker-wire/forward-backward-proto.ts";
import { decodeSampleResponse } from "../../../src/rl/tinker-wire/sample-proto.ts";
import { BASE_MODEL, type Endpoint, startEndpoint } from "./endpoint.ts";

let server: Endpoint;
let session = "";
beforeAll(async () => {
  server = await startEndpoint({
    sequenceGapMs: 300,
    bodyBytesMax: 200_000,
  });
  session = await openSession(server);
});
afterAll(async () => {
  await server.close();
  expect(server.failures).toEqual([]);
});

async function openSession(of: Endpoint): Promise<string> {
  const { json } = await of.post("/create_session", { tags: [], sdk_version: "0.38.0" });
  return String(json["session_id"]);
}

async function createModel(of = server, inside = session): Promise<string> {
  const body = { session_id: inside, base_model: BASE_MODEL, lora_config: { rank: 8 } };
  return String((await of.result("/create_model", body))["model_id"]);
}

const chunks = (tokens: readonly number[]) => ({ chunks: [{ type: "encoded_text" as const, tokens }] });
const TOKENS = [1, 2, 3, 4, 5, 6];
const datum = {
  model_input: chunks(TOKENS.slice(0, -1)),
  loss_fn_inputs: { target_tokens: { data: TOKENS.slice(1), dtype: "int64" as const } },
};
const training = (
  model: string,
  seq: number,
  data: readonly unknown[] = [datum],
  loss = "cross_entropy",
) => ({
  model_id: model,
  seq_id: seq,
  forward_backward_input: { loss_fn: loss, loss_fn_config: null, data },
});
const step = (model: string, seq: number) => ({
  model_id: model,
  seq_id: seq,
  adam_params: { learning_rate: 0.02 },
});
const lossOf = (output: Record<string, unknown>): number =>
  (output["metrics"] as Record<string, number>)["loss:sum"] ?? Number.NaN;

it("trains in JSON and in protobuf, compressed or not, to the same numbers", async () => {
  const model = await createModel();
  const json = await server.result("/forward_backward", training(model, 1));
  const proto = encodeForwardBackwardRequest(training(model, 2) as never);
  const type = { "content-type": "application/x-protobuf" };
  const plain = await server.post("/forward_backward", proto, type);
  const packed = await server.post(
    "/forward_backward",
    zstdCompressSync(encodeForwardBackwardRequest(training(model, 3) as never, true)),
    { ...type, "content-encoding": "zstd" },
  );
  for (const { status, json: submitted } of [plain, packed]) {
    expect(status).toBe(200);
    const answer = await server.post("/retrieve_future", submitted, { accept: "application/x-protobuf" });
    expect(answer.type).toBe("application/x-protobuf");
    const output = decodeForwardBackwardOutput(answer.bytes);
    expect(output.metrics["loss:sum"]).toBeCloseTo(lossOf(json), 5);
    expect(output.loss_fn_outputs[0]?.["logprobs"]?.data).toHaveLength(5);
  }
  await server.result("/optim_step", step(model, 4));
  expect(
    lossOf(
      await server.result("/forward", {
        ...training(model, 5),
        forward_input: training(model, 5).forward_backward_input,
      }),
    ),
  ).toBeLessThan(lossOf(json));
  await server.result("/unload_model", { model_id: model });
  expect((await server.post("/forward_backward", training(model, 6))).status).toBe(404);
});

it("takes requests of one model in the order of their numbers, whatever order they come in", async () => {
  const model = await createModel();
  const submit = async (path: string, body: unknown): Promise<unknown> =>
    (await server.post(path, body)).json;
  // The step is sent before its gradients, the second forward before the step.
  const last = await submit("/forward_backward", training(model, 3));
  const optim = await submit("/optim_step", step(model, 2));
  const first = await submit("/forward_backward", training(model, 1));
  const results = [];
  for (const submitted of [first, optim, last])
    results.push((await server.post("/retrieve_future", submitted)).json);
  expect(lossOf(results[2] ?? {})).toBeLessThan(lossOf(results[0] ?? {}));
  expect(results[1]).toMatchObject({ metrics: { "optim/step": 1 } });
  // A number that never comes holds up nobody for long.
  expect(lossOf(await server.result("/forward_backward", training(model, 9)))).toBeGreaterThan(0);
  await server.result("/unload_model", { model_id: model });
});

it("a request that is sent again is the same request; its number with another body is 409", async () => {
  const model = await createModel();
  const once = await server.post("/optim_step", step(model, 1));
  expect(await server.post("/optim_step", step(model, 1))).toEqual(once);
  const other = { ...step(model, 1), adam_params: { learning_rate: 0.5 } };
  expect((await server.post("/optim_step", other)).status).toBe(409);
  await server.result("/unload_model", { model_id: model });
});

it("samples the base, published and named weights, each as it was", async () => {
  const model = await createModel();
  const params = { max_tokens: 6, temperature: 0, stop: [";"] };
  const sample = async (body: object): Promise<unknown> =>
    (await server.result("/asample", { prompt: chunks([1]), sampling_params: params, ...body }))["sequences"];
  const base = await sample({ base_model: BASE_MODEL });
  for (let seq = 1; seq <= 40; seq += 2) {
    await server.post("/forward_backward", training(model, seq));
    await server.post("/optim_step", step(model, seq + 1));
  }
  const published = await server.result("/save_weights_for_sampler", {
    model_id: model,
    sampling_session_seq_id: 0,
    seq_id: 41,
  });
  const id = published["sampling_session_id"];
  const learned = await sample({ sampling_session_id: id, seq_id: 1 });
  expect(learned).toMatchObject([{ tokens: expect.arrayContaining([2, 3]) }]);
  expect(learned).not.toEqual(base);
  const named = await server.result("/save_weights_for_sampler", {
    model_id: model,
    path: "final",
    seq_id: 42,
  });
  // Mixed with each other and sent at once.
  const mixed = await Promise.all(
    [0, 1, 2, 3, 4, 5].map((seq) =>
      seq % 2 === 0 ? sample({ base_model: BASE_MODEL }) : sample({ model_path: named["path"] }),
    ),
  );
  expect(mixed).toEqual([base, learned, base, learned, base, learned]);
  const answer = await server.post("/asample", {
    sampling_session_id: id,
    seq_id: 2,
    num_samples: 3,
    prompt: chunks([1, 2]),
    sampling_params: { ...params, temperature: 1, seed: 5 },
    prompt_logprobs: true,
  });
  expect(answer.json["sample_sequence_ids"]).toHaveLength(3);
  const proto = await server.post("/retrieve_future", answer.json, { accept: "application/x-protobuf" });
  const decoded = decodeSampleResponse(proto.bytes);
  expect(decoded.sequences).toHaveLength(3);
  expect(decoded.prompt_logprobs).toEqual([null, expect.any(Number)]);
  await server.result("/unload_model", { model_id: model });
});

it("weights and optimizer go on in a new model, and only as its first request", async () => {
  const model = await createModel();
  await server.result("/forward_backward", training(model, 1));
  await server.result("/optim_step", step(model, 2));
  const { path } = await server.result("/save_weights", { model_id: model, path: "one", seq_id: 3 });
  expect(path).toBe(`tinker://${model}/weights/one`);
  const after = lossOf(await server.result("/forward_backward", training(model, 4)));
  const taken = await server.result("/save_weights", { model_id: model, path: "one", seq_id: 5 });
  expect(taken).toMatchObject({ category: "user", error: expect.stringContaining("already") });
  const info = await server.post("/weights_info", { tinker_path: path });
  expect(info.json).toMatchObject({ base_model: BASE_MODEL, is_lora: true, lora_rank: 8 });
  const { model_id } = await server.result("/load_weights", {
    session_id: session,
    model_seq_id: 7,
    path,
    optimizer: true,
  });
  expect(model_id).toBe(`${session}:train:7`);
  expect(lossOf(await server.result("/forward_backward", training(String(model_id), 1)))).toBe(after);
  const late = await server.post("/load_weights", { model_id, path, seq_id: 2 });
  expect(late).toMatchObject({ status: 400, json: { detail: expect.stringContaining("first request") } });
  const listed = await server.ask("GET", `/training_runs/${model}/checkpoints`);
  expect(listed.json["checkpoints"]).toMatchObject([{ checkpoint_type: "training", tinker_path: path }]);
  expect((await server.ask("DELETE", `/training_runs/${model}/checkpoints/weights/one`)).status).toBe(204);
  expect((await server.post("/weights_info", { tinker_path: path })).status).toBe(404);
  for (const id of [model, model_id]) await server.result("/unload_model", { model_id: id });
});

it("refuses what is not as the protocol says, telling what was wrong", async () => {
  const model = await createModel();
  const refused = async (path: string, body: unknown, headers?: Record<string, string>): Promise<string> => {
    const { status, json } = await server.post(path, body, headers);
    return `${status} ${String(json["detail"])}`;
  };
  const proto = { "content-type": "application/x-protobuf" };
  expect(await refused("/forward_backward", training(model, 1, [], "cross_entropy"))).toMatch(/^422 .*data/);
  expect(await refused("/forward_backward", training(model, 1, [datum], "dro"))).toMatch(
    /^422 .*cross_entropy, importance_sampling, ppo/,
  );
  expect(await refused("/forward_backward", Buffer.from("nonsense"), proto)).toMatch(/^422 .*protobuf/);
  expect(
    await refused("/forward_backward", Buffer.from("nonsense"), { ...proto, "content-encoding": "zstd" }),
  ).toMatch(/^(400|422) /);
  expect(
    await refused("/forward_backward", zstdCompressSync(Buffer.alloc(1 << 20)), {
      ...proto,
      "content-encoding": "zstd",
    }),
  ).toMatch(/^413 /);
  expect(await refused("/forward_backward", Buffer.from("x"), { "content-type": "text/csv" })).toMatch(
    /^415 /,
  );
  expect(await refused("/create_model", { session_id: session, base_model: "qwen" })).toMatch(
    /^400 .*rollcall\/embedded-tiny/,
  );
  expect(await refused("/create_model", { session_id: "nobody", base_model: BASE_MODEL })).toMatch(/^404 /);
  expect(await refused("/save_weights", { model_id: model, path: "../../etc", seq_id: 2 })).toMatch(/^422 /);
  expect(await refused("/load_weights", { model_id: model, path: "tinker://../weights/x" })).toMatch(/^400 /);
  expect(await refused("/retrieve_future", { request_id: "999999999" })).toMatch(/^404 /);
  expect(await refused("/nowhere", {})).toMatch(/^404 /);
  const moved = { ...datum, loss_fn_inputs: { target_tokens: { data: [9, 9, 9, 9, 9] } } };
  expect(await refused("/forward_backward", training(model, 1, [moved]))).toMatch(
    /^422 data\[0\]: target_tokens\[0\]/,
  );
  const strange = {
    ...datum,
    model_input: chunks([1, 2, 3, 4, 99]),
    loss_fn_inputs: { target_tokens: { data: [2, 3, 4, 99, 1] } },
  };
  expect(await server.result("/forward_backward", training(model, 1, [strange]))).toMatchObject({
    category: "user",
    error: expect.stringContaining("ids are 0 to 23"),
  });
  await server.result("/unload_model", { model_id: model });
});

it("bounds what a client can make grow", async () => {
  const narrow = await startEndpoint({ modelsMax: 1, sessionsMax: 1, pendingMax: 20, resultsMax: 10 });
  try {
    const own = await openSession(narrow);
    expect((await narrow.post("/create_session", {})).status).toBe(429);
    const model = await createModel(narrow, own);
    expect((await narrow.post("/create_model", { session_id: own, base_model: BASE_MODEL })).status).toBe(
      429,
    );
    const old = await narrow.post("/optim_step", step(model, 1));
    for (let seq = 2; seq < 14; seq += 1) await narrow.result("/optim_step", step(model, seq));
    expect((await narrow.post("/retrieve_future", old.json)).status).toBe(410);
    const sample = { base_model: BASE_MODEL, prompt: chunks([1]), sampling_params: { max_tokens: 31 } };
    const burst = await Promise.all(Array.from({ length: 40 }, () => narrow.post("/asample", sample)));
    expect(new Set(burst.map(({ status }) => status))).toEqual(new Set([200, 429]));
  } finally {
    await narrow.close();
  }
});

it("a pending result says try again; a session that falls silent is over, with what it had", async () => {
  const brief = await startEndpoint({ sessionSilenceMs: 1500, retrieveMs: 1 });
  try {
    const own = await openSession(brief);
    const submitted = await brief.post("/create_model", { session_id: own, base_model: BASE_MODEL });
    const pending = await brief.post("/retrieve_future", submitted.json);
    expect(pending).toMatchObject({ status: 408, json: { type: "try_again", queue_state: "active" } });
    await expect
      .poll(async () => (await brief.post("/retrieve_future", submitted.json)).status, { timeout: 30_000 })
      .toBe(200);
    const model = String((await brief.post("/retrieve_future", submitted.json)).json["model_id"]);
    expect((await brief.post("/get_info", { model_id: model })).status).toBe(200);
    // Each beat keeps it alive; they come too seldom.
    await expect
      .poll(async () => (await brief.post("/session_heartbeat", { session_id: own })).status, {
        interval: 3000,
        timeout: 30_000,
      })
      .toBe(404);
    expect((await brief.post("/get_info", { model_id: model })).status).toBe(404);
    // It saved nothing, and so is in no list.
    await expect
      .poll(async () => (await brief.ask("GET", "/training_runs")).json["training_runs"], { timeout: 10_000 })
      .toEqual([]);
  } finally {
    await brief.close();
  }
});

it("with a key, asks for it; without one, listens to no other machine", async () => {
  const locked = await startEndpoint({}, "secret-key-123");
  try {
    expect((await locked.ask("GET", "/healthz")).status).toBe(401);
    expect((await locked.ask("GET", "/healthz", undefined, { "x-api-key": "secret-key-12" })).status).toBe(
      401,
    );
    expect((await locked.ask("GET", "/healthz", undefined, { "x-api-key": "secret-key-123" })).json).toEqual({
      status: "ok",
    });
  } finally {
    await locked.close();
  }
});
