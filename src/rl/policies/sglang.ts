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
import {
  createHttpEngine,
  type Dialect,
  type InferenceEngine,
  type InferenceOptions,
} from "./inference-engine.ts";
import { meanOf, parsePrometheus, sumOf, valuesOf } from "./prometheus.ts";

interface Generation {
  readonly meta_info?: {
    readonly finish_reason?: { readonly type?: string; readonly message?: string } | null;
    /** Log probability, token id, text; the token that ended the turn is among them. */
    readonly output_token_logprobs?: readonly (readonly [number | null, number, string | null])[];
  };
}

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

function sampleOf(what: string, answer: Generation, request: SampleRequest): Omit<Sample, "weightsVersion"> {
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
  return { ...checked, stopReason: reason?.type === "stop" ? "stop" : "length" };
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

function checkControl(what: string, answer: unknown): void {
  const { success, error_message: why } = answer as { success?: boolean; error_message?: string };
  if (success === false) throw new EngineError(`${what}: ${why ?? "no reason given"}`, { retryable: false });
}

const SGLANG: Dialect = {
  samplePath: "/generate",
  sampleBody: (request, _model, adapter) => generateBody(adapter, request),
  sessionHeader: "x-smg-routing-key",
  readSample: (what, answer, request) => sampleOf(what, answer as Generation, request),
  readLoad: loadOf,
  loadAdapterPath: "/load_lora_adapter",
  unloadAdapterPath: "/unload_lora_adapter",
  checkControl,
};

export const createSglangEngine = (options: InferenceOptions): InferenceEngine =>
  createHttpEngine(SGLANG, options);
