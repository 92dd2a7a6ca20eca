/** A server that samples and cannot train: one of a fleet, given its weights as LoRA adapters by name. */
import type { Sampler } from "../ports.ts";
import type { EngineLoad } from "../scheduler/ports.ts";

export interface InferenceOptions {
  /** Scheme, host and port. */
  readonly baseUrl: string;
  /** Sent as a bearer key, and in no message or log line. */
  readonly key?: string;
  /** Unique in the fleet. Default: the URL's host and port. */
  readonly name?: string;
  /** The base model, as the server names it. */
  readonly model: string;
  /** Tokens of prompt and continuation together, at most. */
  readonly contextTokens: number;
  /** Longest wait for one continuation. Milliseconds; default 1,800,000. */
  readonly sampleTimeoutMs?: number;
}

export interface InferenceEngine extends Sampler {
  readonly name: string;
  /** What the engine says about its cache and its queues. @throws EngineError */
  load(): Promise<EngineLoad>;
  /** Whether it answers and can work. */
  isHealthy(): Promise<boolean>;
  /**
   * Samples with this adapter from now on; requests that are under way keep theirs.
   * @param name never used before: engines cache what they loaded under a name
   * @param path a directory as the engine's own machine sees it
   * @param weightsVersion what samples are marked with
   * @throws EngineError when the engine cannot load it
   */
  useAdapter(adapter: {
    readonly name: string;
    readonly path: string;
    readonly weightsVersion: number;
  }): Promise<void>;
  /** Frees an adapter's memory. @throws EngineError when there is none of this name */
  dropAdapter(name: string): Promise<void>;
  close(): Promise<void>;
}

export const SAMPLE_TIMEOUT_MS = 1_800_000;
/** Of everything that is not a continuation. Milliseconds. */
export const CONTROL_TIMEOUT_MS = 120_000;
/** Of health and metrics, which say something only when they are quick. Milliseconds. */
export const PROBE_TIMEOUT_MS = 5000;

export function bearer(key: string | undefined): Record<string, string> {
  return key === undefined ? {} : { authorization: `Bearer ${key}` };
}

export const hostOf = (baseUrl: string): string => new URL(baseUrl).host;
