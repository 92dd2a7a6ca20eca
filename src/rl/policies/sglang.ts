/**
 * SGLang's native server as a sampler of tokens: ids in, ids and log probabilities out.
 *
 * SGLang's log probabilities are those of the distribution it sampled from, so they are at temperature 1 only when
 * the rollouts are (as the recipe's are), or with `SGLANG_RETURN_ORIGINAL_LOGPROB=1`. Adapters need `--enable-lora`,
 * metrics `--enable-metrics`.
 */
import { EngineError, type Sample, type SampleRequest } from "../ports.ts";
import type { EngineLoad } from "../scheduler/ports.ts";
import { checkedTokens, unusable } from "./checked-reply.ts";
import { accepted, createEndpoint, type Endpoint, jsonOf } from "./endpoint.ts";
import {
  bearer,
  CONTROL_TIMEOUT_MS,
  hostOf,
  type InferenceEngine,
  type InferenceOptions,
  PROBE_TIMEOUT_MS,
  SAMPLE_TIMEOUT_MS,
} from "./inference-engine.ts";
import { meanOf, parsePrometheus, sumOf, valuesOf } from "./prometheus.ts";

interface Generation {
  readonly meta_info?: {
    readonly finish_reason?: { readonly type?: string; readonly message?: string } | null;
    /** Log probability, token id, text; the token that ended the turn is among them. */
    readonly output_token_logprobs?: readonly (readonly [number | null, number, string | null])[];
  };
}

const GENERATE = "/generate";

function generateBody(adapter: string | null, request: SampleRequest): Record<string, unknown> {
  return {
    input_ids: request.prompt,
    sampling_params: {
      max_new_tokens: request.maxTokens,
      temperature: request.temperature,
      top_p: request.topP ?? 1,
      ...(request.seed === undefined ? {} : { sampling_seed: request.seed }),
      // Not together with ignore_eos, which switches these off too.
      stop_token_ids: request.stop,
      skip_special_tokens: false,
    },
    return_logprob: true,
    stream: false,
    ...(adapter === null ? {} : { lora_path: adapter }),
  };
}

function sampleOf(what: string, answer: Generation, request: SampleRequest, weightsVersion: number): Sample {
  const reason = answer.meta_info?.finish_reason;
  if (reason?.type === "abort")
    throw new EngineError(`${what}: the engine gave the request up: ${reason.message ?? "no reason"}`, {
      retryable: true,
    });
  const rows = answer.meta_info?.output_token_logprobs;
  if (rows === undefined) throw unusable(what, "it has no output_token_logprobs");
  const checked = checkedTokens(
    what,
    rows.map(([, token]) => token),
    rows.map(([logprob]) => logprob),
  );
  if (checked.tokens.length > request.maxTokens)
    throw unusable(what, `${checked.tokens.length} tokens where ${request.maxTokens} were asked for`);
  return { ...checked, stopReason: reason?.type === "stop" ? "stop" : "length", weightsVersion };
}

function loadOf(text: string): EngineLoad {
  const points = parsePrometheus(text);
  const capacity = sumOf(valuesOf(points, ["sglang:max_total_num_tokens"]));
  return {
    kvUsage: meanOf(valuesOf(points, ["sglang:token_usage"])),
    running: sumOf(valuesOf(points, ["sglang:num_running_reqs"])),
    waiting: sumOf(valuesOf(points, ["sglang:num_queue_reqs"])),
    preemptions: sumOf(
      valuesOf(points, ["sglang:num_retracted_reqs", "sglang:num_retracted_requests_total"]),
    ),
    ...(capacity > 0 ? { kvTokens: capacity } : {}),
  };
}

class SglangEngine implements InferenceEngine {
  readonly name: string;
  readonly contextTokens: number;
  readonly #endpoint: Endpoint;
  readonly #sampleTimeoutMs: number;
  #adapter: string | null = null;
  #weightsVersion = 0;

  constructor(options: InferenceOptions) {
    this.name = options.name ?? hostOf(options.baseUrl);
    this.contextTokens = options.contextTokens;
    this.#endpoint = createEndpoint({ baseUrl: options.baseUrl, headers: bearer(options.key) });
    this.#sampleTimeoutMs = options.sampleTimeoutMs ?? SAMPLE_TIMEOUT_MS;
  }

  async sample(request: SampleRequest, options: { readonly signal?: AbortSignal } = {}): Promise<Sample> {
    const weightsVersion = this.#weightsVersion;
    const answer = await this.#endpoint.ask({
      path: GENERATE,
      body: generateBody(this.#adapter, request),
      headers: request.sessionKey === undefined ? {} : { "x-smg-routing-key": request.sessionKey },
      signal: options.signal,
      timeoutMs: this.#sampleTimeoutMs,
    });
    const body = jsonOf(this.name, GENERATE, accepted(this.#endpoint.name, GENERATE, answer));
    return sampleOf(`${this.name}${GENERATE}`, body as Generation, request, weightsVersion);
  }

  async load(): Promise<EngineLoad> {
    const answer = await this.#endpoint.ask({ path: "/metrics", timeoutMs: PROBE_TIMEOUT_MS });
    return loadOf(accepted(this.#endpoint.name, "/metrics", answer).bytes.toString("utf8"));
  }

  async isHealthy(): Promise<boolean> {
    try {
      return (await this.#endpoint.ask({ path: "/health", timeoutMs: PROBE_TIMEOUT_MS })).status === 200;
    } catch {
      return false;
    }
  }

  async useAdapter(adapter: { name: string; path: string; weightsVersion: number }): Promise<void> {
    await this.#control("/load_lora_adapter", { lora_name: adapter.name, lora_path: adapter.path });
    this.#adapter = adapter.name;
    this.#weightsVersion = adapter.weightsVersion;
  }

  async dropAdapter(name: string): Promise<void> {
    await this.#control("/unload_lora_adapter", { lora_name: name });
  }

  close(): Promise<void> {
    return this.#endpoint.close();
  }

  /** SGLang says in the body whether it worked. */
  async #control(path: string, body: Record<string, unknown>): Promise<void> {
    const answer = await this.#endpoint.ask({ path, body, timeoutMs: CONTROL_TIMEOUT_MS });
    const told = jsonOf(this.name, path, accepted(this.#endpoint.name, path, answer));
    const { success, error_message: why } = told as { success?: boolean; error_message?: string };
    if (success === false)
      throw new EngineError(`${this.name}${path}: ${why ?? "no reason given"}`, { retryable: false });
  }
}

export function createSglangEngine(options: InferenceOptions): InferenceEngine {
  return new SglangEngine(options);
}
