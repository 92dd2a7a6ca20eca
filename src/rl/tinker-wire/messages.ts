/**
 * The bodies of the Tinker API as JSON writes them, the part that a text-only LoRA loop uses. The protobuf codec
 * beside this file reads into and writes from the same shapes, so that neither client nor server has two of anything.
 * All paths are below `/api/v1`; every submitted request is answered by a {@link Submitted}, whose result
 * `retrieve_future` gives.
 */

export const PROTOBUF_TYPE = "application/x-protobuf";

export type TensorDtype = "float32" | "int64";

export interface Tensor {
  readonly data: readonly number[];
  readonly dtype: TensorDtype;
  /** Left out: one dimension, as long as `data`. */
  readonly shape?: readonly number[];
}

export interface TextChunk {
  readonly type: "encoded_text";
  readonly tokens: readonly number[];
}

export interface ModelInput {
  readonly chunks: readonly TextChunk[];
}

/** Inputs are as long as the model input, and already shifted: entry i is about the token after the i-th. */
export interface WireDatum {
  readonly model_input: ModelInput;
  /** `target_tokens` (int64); `weights`, `logprobs`, `advantages` (float32) as the loss wants them. */
  readonly loss_fn_inputs: Readonly<Record<string, Tensor>>;
}

export interface ForwardBackwardRequest {
  readonly model_id: string;
  /** Place in the model's order of requests, from 1. */
  readonly seq_id: number;
  readonly forward_backward_input: {
    readonly loss_fn: string;
    readonly loss_fn_config: Readonly<Record<string, number>> | null;
    readonly data: readonly WireDatum[];
  };
}

export interface ForwardBackwardOutput {
  readonly loss_fn_output_type: string;
  /** One for each datum, by name: `logprobs` of the targets, `elementwise_loss`. */
  readonly loss_fn_outputs: readonly Readonly<Record<string, Tensor>>[];
  readonly metrics: Readonly<Record<string, number>>;
}

export interface AdamParams {
  readonly learning_rate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weight_decay: number;
  readonly grad_clip_norm: number;
}

export interface LoraConfig {
  readonly rank: number;
  readonly seed?: number;
  readonly train_unembed: boolean;
  readonly train_mlp: boolean;
  readonly train_attn: boolean;
}

export interface SamplingParams {
  readonly max_tokens: number;
  readonly temperature: number;
  readonly top_p: number;
  readonly top_k: number;
  readonly seed?: number;
  /** Token ids, or texts. */
  readonly stop?: readonly number[] | readonly string[];
}

export interface SampleRequest {
  readonly sampling_session_id: string;
  readonly seq_id: number;
  readonly num_samples: number;
  readonly prompt: ModelInput;
  readonly sampling_params: SamplingParams;
}

export interface SampledSequence {
  readonly stop_reason: "stop" | "length";
  readonly tokens: readonly number[];
  readonly logprobs: readonly number[] | null;
}

export interface SampleResponse {
  readonly sequences: readonly SampledSequence[];
  /** One for each token of the prompt, null where there is none (the first). */
  readonly prompt_logprobs?: readonly (number | null)[] | null;
}

export interface Submitted {
  readonly request_id: string;
}

/** What `retrieve_future` says while the result is not there; also with status 408. */
export interface TryAgain {
  readonly type: "try_again";
  readonly request_id?: string;
  readonly queue_state: "active" | "paused_capacity" | "paused_rate_limit";
  readonly queue_state_reason?: string | null;
}

/** A request that failed for good. */
export interface RequestFailed {
  readonly error: string;
  readonly category: "user" | "server" | "unknown";
}
