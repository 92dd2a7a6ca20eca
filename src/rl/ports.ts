/**
 * What the loop asks of a model. A Sampler continues token sequences, a Trainer changes the weights, an Engine is
 * both under one lifetime; each backend under `policies/` implements them and `test/rl/policy-suite.ts` holds every
 * backend to the same promises. Tokens go in and out, never text: what was sampled is exactly what is trained on.
 */

/** Why a continuation ended: a stop token was sampled (it is the last token), or `maxTokens` were. */
export type StopReason = "stop" | "length";

export interface SampleRequest {
  /** Token ids of everything so far. */
  readonly prompt: readonly number[];
  /** Tokens to sample at most; at least 1. */
  readonly maxTokens: number;
  /** 0 takes the likeliest token. */
  readonly temperature: number;
  /** Probability mass kept, in (0, 1]. Default 1. */
  readonly topP?: number;
  /** Token ids that end the continuation. */
  readonly stop: readonly number[];
  /** Makes the continuation repeatable on backends that can; same request, same seed, same tokens. */
  readonly seed?: number;
  /** Requests with the same key share a prefix: a fleet keeps them on one engine. */
  readonly sessionKey?: string;
}

/** Tokens in a row that one version of the weights wrote. */
export interface Piece {
  readonly tokens: number;
  readonly weightsVersion: number;
}

export interface Sample {
  readonly tokens: readonly number[];
  /** Log probability (nats) of each of `tokens` under the weights that sampled it, at temperature 1. */
  readonly logprobs: readonly number[];
  readonly stopReason: StopReason;
  /** Version of the weights that sampled it, the oldest where there were several; see {@link Trainer.publish}. */
  readonly weightsVersion: number;
  /** Which version wrote how many of `tokens`, in their order. Default: `weightsVersion` all of them. */
  readonly pieces?: readonly Piece[];
}

export interface SampleOptions {
  readonly signal?: AbortSignal;
}

export interface Sampler {
  /** Tokens of prompt and continuation together, at most. */
  readonly contextTokens: number;
  /** @throws EngineError */
  sample(request: SampleRequest, options?: SampleOptions): Promise<Sample>;
}

/**
 * One trajectory to learn from. `tokens` has n + 1 ids; the arrays have n entries, entry i being about the prediction
 * of `tokens[i + 1]` from the ids before it. Positions that the model did not write (prompt, tool responses) have
 * weight 0 and advantage 0.
 */
export interface Datum {
  readonly tokens: readonly number[];
  /** Weight of each position in the loss; 0 leaves it out. */
  readonly weights: readonly number[];
  /** For policy losses: the sampler's log probability of each target; 0 where the weight is 0. */
  readonly logprobs?: readonly number[];
  /** For policy losses: the advantage of each target, already scaled as the step's reduction wants it. */
  readonly advantages?: readonly number[];
}

/**
 * - `cross_entropy`: -sum w log p.
 * - `importance_sampling`: -sum w r A, with r = p / q.
 * - `ppo`: -sum w min(r A, clip(r, clipLow, clipHigh) A); the bounds are absolute ratios (0.8 and 1.28 in the recipe).
 *
 * Every loss is a **sum** over tokens and data; who wants a mean divides weights or advantages. A backend whose
 * server reduces otherwise undoes that in its adapter.
 */
export type Loss =
  | { readonly kind: "cross_entropy" }
  | { readonly kind: "importance_sampling" }
  | { readonly kind: "ppo"; readonly clipLow: number; readonly clipHigh: number };

export interface AdamParameters {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  /** Bound on the gradient's L2 norm; 0 does not clip. */
  readonly gradientNormMax: number;
}

/** Measured numbers by name; names are the field's (`actor/pg_loss`, `actor/grad_norm`, ...). */
export type Metrics = Readonly<Record<string, number>>;

export interface ForwardBackward {
  readonly metrics: Metrics;
  /** For each datum the log probability of each target under the weights before the step. */
  readonly logprobs: readonly (readonly number[])[];
}

export interface Trainer {
  /** Adds the gradients of `loss` over `data` to those held. @throws EngineError */
  forwardBackward(data: readonly Datum[], loss: Loss): Promise<ForwardBackward>;
  /** One Adam step with the gradients held, which are then zero. @throws EngineError */
  optimStep(parameters: AdamParameters): Promise<Metrics>;
  /** Forgets the optimizer's moments, as at the start of a stage. */
  resetOptimizer(): Promise<void>;
  /** Makes the sampler use the present weights; resolves with their version, one higher each time. */
  publish(): Promise<number>;
  /** Writes weights and optimizer under a name or directory; resolves with what `load` takes. */
  save(name: string): Promise<string>;
  /** Restores what `save` wrote, for the sampler too. @throws EngineError when it is not there or does not fit. */
  load(reference: string): Promise<void>;
}

/** A model that can be sampled from and trained. */
export interface Engine extends Sampler, Trainer {
  /** Name and size for logs, e.g. `embedded 0.11M`. */
  readonly description: string;
  close(): Promise<void>;
}

/** A backend failed. `retryable` tells whether the same request may succeed later or on another engine. */
export class EngineError extends Error {
  override readonly name = "EngineError";
  readonly retryable: boolean;
  /** Of the HTTP answer that refused, or null. */
  readonly status: number | null;
  constructor(
    message: string,
    options: { readonly retryable: boolean; readonly status?: number; readonly cause?: unknown },
  ) {
    super(message, { cause: options.cause });
    this.retryable = options.retryable;
    this.status = options.status ?? null;
  }
}

export interface ToolCall {
  readonly name: string;
  /** Arguments by name, as parsed from the model's text. */
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** What one turn of the model says. A tool call that does not parse is an error text, not a call. */
export interface Turn {
  readonly text: string;
  readonly toolCalls: readonly (ToolCall | { readonly parseError: string })[];
  /** What the last answer element says, or, in languages that box answers, the last box outside of any; null without. */
  readonly answer: string | null;
  /** How many answer elements the turn has. */
  readonly answers: number;
}

/** A conversation in tokens. Each call only appends, so that a trajectory is one token sequence. */
export interface Renderer {
  /** Tokens that open a rollout, up to where the model writes. */
  open(problem: { readonly system: string; readonly prompt: string }): number[];
  /** Ids that end a turn of the model. */
  readonly stop: readonly number[];
  parse(tokens: readonly number[]): Turn;
  /** Tokens between a turn of the model (whose stop token may be missing) and its next: the tool responses. */
  respond(turn: { readonly stopReason: StopReason }, responses: readonly string[]): number[];
  decode(tokens: readonly number[]): string;
}
