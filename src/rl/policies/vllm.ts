/**
 * vLLM's OpenAI server as a sampler of tokens: ids in, ids and log probabilities out.
 *
 * Log probabilities are at temperature 1 with vLLM's default `--logprobs-mode raw_logprobs`. Adapters need
 * `--enable-lora` and `VLLM_ALLOW_RUNTIME_LORA_UPDATING=1`.
 */
import { EngineError, type Sample, type SampleRequest } from "../ports.ts";
import type { EngineLoad } from "../scheduler/ports.ts";
import { checkedTokens, unusable } from "./checked-reply.ts";
import {
  createHttpEngine,
  type Dialect,
  type InferenceEngine,
  type InferenceOptions,
} from "./inference-engine.ts";
import { meanOf, parsePrometheus, sumOf, valuesOf } from "./prometheus.ts";

interface Completion {
  readonly choices?: readonly {
    readonly token_ids?: readonly number[] | null;
    readonly logprobs?: { readonly token_logprobs?: readonly (number | null)[] | null } | null;
    readonly finish_reason?: string | null;
  }[];
}

function completionBody(model: string, request: SampleRequest): Record<string, unknown> {
  return {
    model,
    prompt: request.prompt,
    n: 1,
    max_tokens: request.maxTokens,
    temperature: request.temperature,
    top_p: request.topP ?? 1,
    ...(request.seed === undefined ? {} : { seed: request.seed }),
    stop_token_ids: request.stop,
    // Of the model's own end tokens only those in `stop` end a turn.
    ignore_eos: true,
    // The sampled token's own log probability, and no others.
    logprobs: 0,
    return_token_ids: true,
    skip_special_tokens: false,
  };
}

function sampleOf(what: string, answer: Completion, request: SampleRequest): Omit<Sample, "weightsVersion"> {
  const choice = answer.choices?.[0];
  if (choice === undefined) throw unusable(what, "it holds no choice");
  if (choice.finish_reason === "abort")
    throw new EngineError(`${what}: the engine gave the request up`, { retryable: true });
  if (choice.token_ids === undefined || choice.token_ids === null)
    throw unusable(what, "it has no token_ids; vLLM 0.10.2 and later know return_token_ids");
  const checked = checkedTokens(what, choice.token_ids, choice.logprobs?.token_logprobs ?? []);
  if (checked.tokens.length > request.maxTokens)
    throw unusable(what, `${checked.tokens.length} tokens where ${request.maxTokens} were asked for`);
  return { ...checked, stopReason: choice.finish_reason === "stop" ? "stop" : "length" };
}

/** Sums over data-parallel ranks, each of which has its own cache. */
function loadOf(text: string): EngineLoad {
  const points = parsePrometheus(text);
  const capacity = points
    .filter(({ name }) => name === "vllm:cache_config_info")
    .map(({ labels }) => Number(labels["num_gpu_blocks"]) * Number(labels["block_size"]))
    .filter((tokens) => Number.isFinite(tokens) && tokens > 0);
  return {
    kvUsage: meanOf(valuesOf(points, ["vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"])),
    running: sumOf(valuesOf(points, ["vllm:num_requests_running"])),
    waiting: sumOf(valuesOf(points, ["vllm:num_requests_waiting"])),
    preemptions: sumOf(valuesOf(points, ["vllm:num_preemptions_total", "vllm:num_preemptions"])),
    ...(capacity.length === 0 ? {} : { kvTokens: sumOf(capacity) }),
  };
}

const VLLM: Dialect = {
  samplePath: "/v1/completions",
  sampleBody: (request, model, adapter) => completionBody(adapter ?? model, request),
  sessionHeader: "x-session-id",
  readSample: (what, answer, request) => sampleOf(what, answer as Completion, request),
  readLoad: loadOf,
  loadAdapterPath: "/v1/load_lora_adapter",
  unloadAdapterPath: "/v1/unload_lora_adapter",
};

export const createVllmEngine = (options: InferenceOptions): InferenceEngine =>
  createHttpEngine(VLLM, options);
