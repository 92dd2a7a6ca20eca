/**
 * A real HTTP server that speaks the Tinker protocol over a {@link Bigram}, strict about what servers are strict
 * about: the order of requests, load_weights as a model's first, its own encoding. Faults and slowness on demand.
 */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import Fastify, { type FastifyReply, type FastifyRequest } from "fastify";
import { decompressZstd } from "../../../src/rl/tinker-wire/compression.ts";
import {
  decodeForwardBackwardRequest,
  encodeForwardBackwardOutput,
} from "../../../src/rl/tinker-wire/forward-backward-proto.ts";
import {
  type ForwardBackwardRequest,
  PROTOBUF_TYPE,
  type SampleRequest,
} from "../../../src/rl/tinker-wire/messages.ts";
import { encodeSampleResponse } from "../../../src/rl/tinker-wire/sample-proto.ts";
import { Bigram, type BigramState } from "./bigram.ts";

export interface TinkerStubOptions {
  readonly isMean?: boolean;
  /** The only one it takes; the other is answered 415. */
  readonly encoding?: "protobuf" | "json";
  readonly key?: string;
  readonly config?: Readonly<Record<string, unknown>>;
  /** Ids that the model knows. Default 8. */
  readonly vocabulary?: number;
  /** Tokens of prompt and continuation. Default 64. */
  readonly contextTokens?: number;
  /** Gradient norms are told. Default yes. */
  readonly tellsNorms?: boolean;
}

export interface TinkerFault {
  /** Where: the end of the path, e.g. `retrieve_future`. */
  readonly path: string;
  readonly status: number | "drop";
  readonly body?: unknown;
}

export interface TinkerStub {
  readonly url: string;
  /** Paths without `/api/v1/`, in order of arrival. */
  readonly asked: {
    readonly path: string;
    readonly body: unknown;
    readonly headers: FastifyRequest["headers"];
  }[];
  readonly faults: TinkerFault[];
  /** Changes results before they are handed out. */
  spoil: ((path: string, result: Record<string, unknown>) => void) | null;
  close(): Promise<void>;
}

interface Model {
  readonly bigram: Bigram;
  /** The last request that was taken, and its answer: the same one again is answered the same. */
  last: { readonly body: string; readonly answer: unknown } | null;
  lastSeq: number;
}

type Body = Record<string, unknown>;

interface Result {
  readonly path: string;
  readonly json: Record<string, unknown>;
  readonly encode?: () => Uint8Array;
}

const TINKER_STUB_MODEL = "bigram";

class Service {
  readonly models = new Map<string, Model>();
  readonly results = new Map<string, Result>();
  readonly checkpoints = new Map<string, BigramState>();
  readonly samplers = new Map<string, { readonly model: string; readonly bigram: Bigram }>();
  /** Weights for samplers that have a name, by `model/name`. */
  readonly exported = new Map<string, BigramState["scores"]>();
  readonly options: TinkerStubOptions;
  #ids = 0;

  constructor(options: TinkerStubOptions) {
    this.options = options;
  }

  id(kind: string): string {
    return `${kind}_${(this.#ids += 1)}`;
  }

  promise(result: Result): { request_id: string } {
    const id = this.id("request");
    this.results.set(id, result);
    return { request_id: id };
  }

  /** @throws a refusal when the request is not the next of its model */
  model(body: Body): Model {
    const model = this.models.get(String(body["model_id"]));
    if (model === undefined) throw Object.assign(new Error("Model not found"), { statusCode: 404 });
    if (body["seq_id"] !== undefined) {
      if (body["seq_id"] !== model.lastSeq + 1)
        throw Object.assign(new Error(`seq_id ${JSON.stringify(body["seq_id"])} after ${model.lastSeq}`), {
          statusCode: 409,
        });
      model.lastSeq += 1;
    }
    return model;
  }

  take(path: string, body: Body): unknown {
    const model = this.models.get(body["model_id"] as string);
    const text = JSON.stringify({ path, body });
    if (model?.last?.body === text) return model.last.answer;
    const answer = this.handlers[path]?.(body);
    if (model !== undefined) model.last = { body: text, answer };
    return answer;
  }

  handlers: Readonly<Record<string, (body: Body) => unknown>> = {
    "client/config": () => this.options.config ?? {},
    create_session: () => ({ session_id: this.id("session") }),
    session_heartbeat: () => ({ type: "session_heartbeat" }),
    create_model: () => {
      const id = this.id("model");
      this.models.set(id, { bigram: new Bigram(this.options.vocabulary), last: null, lastSeq: 0 });
      return this.promise({ path: "create_model", json: { model_id: id } });
    },
    unload_model: (body) => {
      this.models.delete(String(body["model_id"]));
      // What a model published goes with it, as it may.
      for (const [id, { model }] of this.samplers) if (model === body["model_id"]) this.samplers.delete(id);
      return { request_id: "none" };
    },
    forward_backward: (body) => {
      const { bigram } = this.model(body);
      const { data, loss_fn, loss_fn_config } = (body as unknown as ForwardBackwardRequest)
        .forward_backward_input;
      const rows = bigram.forwardBackward(data, loss_fn, loss_fn_config ?? {}, this.options.isMean ?? false);
      const json = {
        loss_fn_output_type: "scalar",
        loss_fn_outputs: rows.map((row) => ({
          logprobs: { data: row, dtype: "float32" as const, shape: [row.length] },
        })),
        metrics: { "loss:sum": 1 },
      };
      return this.promise({
        path: "forward_backward",
        json,
        encode: () => encodeForwardBackwardOutput(json),
      });
    },
    optim_step: (body) => {
      const adam = body["adam_params"] as Parameters<Bigram["step"]>[0];
      const { norm } = this.model(body).bigram.step(adam, this.options.isMean ?? false);
      const metrics = this.options.tellsNorms === false ? {} : { "skyrl.ai/grad_norm": norm };
      return this.promise({ path: "optim_step", json: { metrics } });
    },
    save_weights_for_sampler: (body) => {
      const frozen = new Bigram(this.options.vocabulary);
      const { scores, step } = this.model(body).bigram.state;
      frozen.state = { ...frozen.state, scores: structuredClone(scores), step };
      const id = this.id("sampling");
      this.samplers.set(id, { model: String(body["model_id"]), bigram: frozen });
      if (typeof body["path"] === "string")
        this.exported.set(`${String(body["model_id"])}/${body["path"]}`, frozen.state.scores);
      const path =
        body["path"] === undefined
          ? null
          : `tinker://${String(body["model_id"])}/sampler_weights/${body["path"] as string}`;
      return this.promise({ path: "save_weights_for_sampler", json: { path, sampling_session_id: id } });
    },
    asample: (body) => {
      const request = body as unknown as SampleRequest;
      const prompt = request.prompt.chunks.flatMap((chunk) => chunk.tokens);
      const bigram = this.samplers.get(request.sampling_session_id)?.bigram;
      if (bigram === undefined)
        throw Object.assign(new Error("Sampling session not found"), { statusCode: 404 });
      const { tokens, logprobs, stopped } = bigram.sample(prompt, request.sampling_params);
      const json = {
        sequences: [{ stop_reason: stopped ? ("stop" as const) : ("length" as const), tokens, logprobs }],
      };
      return this.promise({ path: "asample", json, encode: () => encodeSampleResponse(json) });
    },
    save_weights: (body) => {
      const path = `tinker://${String(body["model_id"])}/weights/${String(body["path"])}`;
      this.checkpoints.set(path, structuredClone(this.model(body).bigram.state));
      return this.promise({ path: "save_weights", json: { path } });
    },
    load_weights: (body) => {
      const model = this.model(body);
      if (model.lastSeq !== 1)
        throw Object.assign(new Error("LoadWeights is not permitted"), { statusCode: 400 });
      const state = this.checkpoints.get(String(body["path"]));
      if (state === undefined) throw Object.assign(new Error("Checkpoint not found"), { statusCode: 404 });
      const empty = new Bigram(this.options.vocabulary).state;
      const { first, second, step } = body["optimizer"] === true ? structuredClone(state) : empty;
      model.bigram.state = { scores: structuredClone(state.scores), first, second, step };
      return this.promise({ path: "load_weights", json: { type: "load_weights" } });
    },
  };
}

/** Tokens of a model whose weights are packed; of a larger one an adapter holds nothing. */
const PACKED_TOKENS_MAX = 64;

/** What a trainer exports: an adapter in a directory of its own, packed; its weights are the scores, as JSON. */
async function adapterArchive(weights: BigramState["scores"]): Promise<Buffer> {
  const directory = await mkdtemp(join(tmpdir(), "rollcall-adapter-"));
  try {
    await writeFile(join(directory, "adapter_config.json"), JSON.stringify({ r: 8 }));
    await writeFile(
      join(directory, "adapter_model.safetensors"),
      JSON.stringify(weights.length > PACKED_TOKENS_MAX ? [] : weights),
    );
    const pack = promisify(execFile)("tar", ["-cz", "-C", directory, "."], { encoding: "buffer" });
    return (await pack).stdout;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function readBody(
  request: FastifyRequest,
  encoding: "protobuf" | "json" | undefined,
  path: string,
): Promise<Body> {
  const isProtobuf = request.headers["content-type"] === PROTOBUF_TYPE;
  if (path === "forward_backward" && encoding !== undefined && isProtobuf !== (encoding === "protobuf"))
    throw Object.assign(new Error(`only ${encoding} is taken`), { statusCode: 415 });
  if (!isProtobuf) return request.body as Body;
  const bytes = request.body as Buffer;
  const plain =
    request.headers["content-encoding"] === "zstd" ? await decompressZstd(bytes, 64 << 20) : bytes;
  return decodeForwardBackwardRequest(plain).request as unknown as Body;
}

export async function startTinkerStub(options: TinkerStubOptions = {}): Promise<TinkerStub> {
  const app = Fastify({ bodyLimit: 64 << 20, forceCloseConnections: true });
  const service = new Service(options);
  const stub = {
    asked: [] as TinkerStub["asked"],
    faults: [] as TinkerFault[],
    spoil: null as TinkerStub["spoil"],
  };
  app.addContentTypeParser(PROTOBUF_TYPE, { parseAs: "buffer" }, (_, body, done) => done(null, body));

  const met = (path: string, request: FastifyRequest, reply: FastifyReply): boolean => {
    const at = stub.faults.findIndex((fault) => fault.path === path);
    if (at < 0) return false;
    const [fault] = stub.faults.splice(at, 1) as [TinkerFault];
    if (fault.status === "drop") request.raw.socket.destroy();
    else void reply.code(fault.status).send(fault.body ?? { detail: "made to fail" });
    return true;
  };
  app.get("/api/v1/get_server_capabilities", () => ({
    supported_models: [{ model_name: TINKER_STUB_MODEL, max_context_length: options.contextTokens ?? 64 }],
  }));
  app.get("/api/v1/training_runs/:model/checkpoints/:name/archive", async (request, reply) => {
    const { model, name } = request.params as { model: string; name: string };
    const weights = service.exported.get(`${model}/${name}`);
    if (weights === undefined) return reply.code(404).send({ detail: "Not found" });
    return reply.type("application/gzip").send(await adapterArchive(weights));
  });
  app.delete("/api/v1/training_runs/*", (_, reply) => reply.code(204).send());
  app.post("/api/v1/*", async (request, reply) => {
    const path = (request.params as Record<string, string>)["*"] ?? "";
    if (options.key !== undefined && request.headers["x-api-key"] !== options.key)
      return reply.code(401).send({ detail: "Invalid API key" });
    const body = await readBody(request, options.encoding, path);
    stub.asked.push({ path, body, headers: request.headers });
    if (met(path, request, reply)) return reply;
    if (path !== "retrieve_future") return service.take(path, body);
    const result = service.results.get(String(body["request_id"]));
    if (result === undefined) return reply.code(404).send({ detail: "Future not found" });
    const spoiled = structuredClone(result.json);
    stub.spoil?.(result.path, spoiled);
    const asks = request.headers.accept?.includes(PROTOBUF_TYPE) === true && options.encoding !== "json";
    if (stub.spoil !== null || !asks || result.encode === undefined) return spoiled;
    return reply.type(PROTOBUF_TYPE).send(Buffer.from(result.encode()));
  });
  const url = await app.listen({ port: 0, host: "127.0.0.1" });
  return Object.assign(stub, { url, close: () => app.close() });
}
