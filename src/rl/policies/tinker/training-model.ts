/**
 * One model at a server: created, trained by requests in a strict order, unloaded. Requests are numbered from 1 and
 * handed in one after the other in the order they were asked for; none waits for the result of another, so that an
 * optimizer step asked for together with its forward_backward is there when the server comes to it.
 */
import { EngineError } from "../../ports.ts";
import type {
  AdamParams,
  ForwardBackwardRequest,
  LoraConfig,
  Submitted,
} from "../../tinker-wire/messages.ts";
import { PROTOBUF_TYPE } from "../../tinker-wire/messages.ts";
import { compressZstd } from "../../tinker-wire/compression.ts";
import { encodeForwardBackwardRequest } from "../../tinker-wire/forward-backward-proto.ts";
import type { Answer } from "../endpoint.ts";
import type { Connection } from "./connection.ts";
import type { Outcome } from "./futures.ts";
import { chunked, type WireLoss } from "./losses.ts";
import { readForwardBackward } from "./replies.ts";

/** Smaller bodies are sent as they are. Bytes. */
const ZSTD_BYTES_MIN = 64 << 10;

/** The encoding a server takes is found out once for all its models. */
export interface EncodingChoice {
  encoding: "protobuf" | "json";
  /** A request in this encoding was taken. */
  known: boolean;
  readonly zstd: boolean;
}

type Send = (seqId: number) => Promise<Answer>;

interface Ordered {
  readonly what: string;
  readonly path: string;
  readonly send: Send;
}

export class TrainingModel {
  readonly id: string;
  readonly #connection: Connection;
  readonly #encoding: EncodingChoice;
  #seqId = 1;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(id: string, connection: Connection, encoding: EncodingChoice) {
    this.id = id;
    this.#connection = connection;
    this.#encoding = encoding;
  }

  static async create(
    connection: Connection,
    encoding: EncodingChoice,
    request: { readonly baseModel: string; readonly lora: LoraConfig; readonly modelSeqId: number },
  ): Promise<TrainingModel> {
    const path = "/api/v1/create_model";
    const send = (): Promise<Submitted> =>
      connection.submit(path, () =>
        connection.post({
          path,
          body: {
            type: "create_model",
            session_id: connection.sessionId,
            model_seq_id: request.modelSeqId,
            base_model: request.baseModel,
            lora_config: request.lora,
          },
        }),
      );
    const outcome = await connection.result("create_model", await send(), send);
    const id = "json" in outcome ? (outcome.json as { model_id?: unknown }).model_id : undefined;
    if (typeof id !== "string")
      throw new EngineError(`${connection.name}${path} gave no model_id`, { retryable: false });
    return new TrainingModel(id, connection, encoding);
  }

  /** @returns log probabilities and the server's own metrics, those of several chunks added up by {@link mergeMetrics} */
  async forwardBackward(
    loss: WireLoss,
    data: readonly { readonly weights: readonly number[] }[],
  ): Promise<{ readonly logprobs: number[][]; readonly metrics: Readonly<Record<string, number>>[] }> {
    const { chunkDataMax, chunkBytesMax } = this.#connection.config;
    const { encoding } = this.#encoding;
    const chunks = chunked(loss.data, { dataMax: chunkDataMax, bytesMax: chunkBytesMax, encoding });
    const outcomes = await Promise.all(
      chunks.map((chunk) =>
        this.ordered({
          what: "forward_backward",
          path: "/api/v1/forward_backward",
          send: (seqId) => this.#sendForwardBackward({ ...loss, data: chunk }, seqId),
        }),
      ),
    );
    let from = 0;
    const replies = outcomes.map((outcome, index) => {
      const to = from + (chunks[index]?.length ?? 0);
      const reply = readForwardBackward("forward_backward", outcome, data.slice(from, to));
      from = to;
      return reply;
    });
    return {
      logprobs: replies.flatMap(({ logprobs }) => logprobs),
      metrics: replies.map(({ metrics }) => metrics),
    };
  }

  async optimStep(adam: AdamParams): Promise<Readonly<Record<string, number>>> {
    const result = await this.request<{ metrics?: Record<string, number> | null }>("optim_step", {
      adam_params: adam,
    });
    return result.metrics ?? {};
  }

  /** Any other ordered request whose result is JSON. @throws EngineError */
  async request<T>(name: string, body: Readonly<Record<string, unknown>>): Promise<T> {
    const path = `/api/v1/${name}`;
    const outcome = await this.ordered({
      what: name,
      path,
      send: (seqId) => this.#connection.post({ path, body: { ...body, model_id: this.id, seq_id: seqId } }),
    });
    if ("json" in outcome) return outcome.json as T;
    throw new EngineError(`${name} answered protobuf where JSON was due`, { retryable: false });
  }

  /** Frees the server's memory; a server that is away frees it when the session's heartbeat is missed. */
  async unload(): Promise<void> {
    await this.#connection.post({
      path: "/api/v1/unload_model",
      body: { type: "unload_model", model_id: this.id },
    });
  }

  ordered({ what, path, send }: Ordered): Promise<Outcome> {
    const submitted = this.#turn.then(async () => {
      const seqId = this.#seqId;
      const again = (): Promise<Submitted> => this.#connection.submit(path, () => send(seqId));
      const first = await again();
      // A number whose request was refused is free for the next.
      this.#seqId = seqId + 1;
      return { first, again };
    });
    this.#turn = submitted.catch(() => {});
    return submitted.then(({ first, again }) => this.#connection.result(what, first, again));
  }

  async #sendForwardBackward(loss: WireLoss, seqId: number): Promise<Answer> {
    const { loss_fn, loss_fn_config, data } = loss;
    const request: ForwardBackwardRequest = {
      model_id: this.id,
      seq_id: seqId,
      forward_backward_input: { loss_fn, loss_fn_config, data },
    };
    const choice = this.#encoding;
    const answer = await this.#post(request, choice.encoding);
    if (answer.status < 300) choice.known = true;
    if (choice.known || (answer.status !== 415 && answer.status !== 422)) return answer;
    const other = choice.encoding === "protobuf" ? "json" : "protobuf";
    const second = await this.#post(request, other);
    if (second.status >= 300) return answer.status === 415 ? second : answer;
    choice.encoding = other;
    choice.known = true;
    return second;
  }

  async #post(request: ForwardBackwardRequest, encoding: "protobuf" | "json"): Promise<Answer> {
    const path = "/api/v1/forward_backward";
    if (encoding === "json") return this.#connection.post({ path, body: request });
    const bytes = encodeForwardBackwardRequest(request);
    const pack = bytes.byteLength >= ZSTD_BYTES_MIN && (this.#encoding.zstd || this.#connection.config.zstd);
    return this.#connection.post({
      path,
      body: pack ? await compressZstd(bytes) : bytes,
      headers: { "content-type": PROTOBUF_TYPE, ...(pack ? { "content-encoding": "zstd" } : {}) },
    });
  }
}
