/** Continuations from the weights of one publication. */
import type { Sample, SampleRequest } from "../../ports.ts";
import type { SamplingParams, Submitted } from "../../tinker-wire/messages.ts";
import { unusable } from "../checked-reply.ts";
import type { Connection } from "./connection.ts";
import { readSample } from "./replies.ts";

/** Session keys whose number is kept; the oldest is forgotten, and merely loses its engine. */
const KEYS_MAX = 65_536;
/** Servers keep a seed as a signed integer of 32 bits; a larger one is refused. */
const SEED_END = 2 ** 31;
const PATH = "/api/v1/asample";

function samplingParams(request: SampleRequest): SamplingParams {
  return {
    max_tokens: request.maxTokens,
    temperature: request.temperature,
    top_p: request.topP ?? 1,
    top_k: -1,
    ...(request.seed === undefined ? {} : { seed: request.seed % SEED_END }),
    ...(request.stop.length === 0 ? {} : { stop: request.stop }),
  };
}

export class SamplingSession {
  readonly weightsVersion: number;
  readonly #connection: Connection;
  readonly #id: string;
  readonly #sticky: boolean;
  readonly #numbers = new Map<string, number>();
  #next = 1;

  constructor(
    connection: Connection,
    id: string,
    options: { readonly weightsVersion: number; readonly sticky: boolean },
  ) {
    this.#connection = connection;
    this.#id = id;
    this.weightsVersion = options.weightsVersion;
    this.#sticky = options.sticky;
  }

  /** @throws EngineError */
  async sample(request: SampleRequest, signal?: AbortSignal): Promise<Sample> {
    signal?.throwIfAborted();
    const body = {
      type: "sample",
      sampling_session_id: this.#id,
      seq_id: this.#number(request.sessionKey),
      num_samples: 1,
      prompt: { chunks: [{ type: "encoded_text", tokens: request.prompt }] },
      sampling_params: samplingParams(request),
    };
    const submit = (): Promise<Submitted> =>
      this.#connection.submit(PATH, () => this.#connection.post({ path: PATH, body }, signal), signal);
    const outcome = await this.#connection.result("asample", await submit(), submit, signal);
    const { tokens, logprobs, stop } = readSample("asample", outcome);
    if (tokens.length > request.maxTokens)
      throw unusable("asample", `${tokens.length} tokens where ${request.maxTokens} were asked for`);
    return {
      tokens,
      logprobs,
      stopReason: stop ? "stop" : "length",
      weightsVersion: this.weightsVersion,
    };
  }

  #number(key: string | undefined): number {
    if (key === undefined || !this.#sticky) return this.#next++;
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const [oldest] = this.#numbers.keys();
    if (this.#numbers.size >= KEYS_MAX && oldest !== undefined) this.#numbers.delete(oldest);
    this.#numbers.set(key, this.#next);
    return this.#next++;
  }
}
