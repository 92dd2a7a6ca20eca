/** A server that samples and cannot train: one of a fleet, given its weights as LoRA adapters by name. */
import type { Sample, Sampler, SampleRequest } from "../ports.ts";
import type { EngineLoad } from "../scheduler/ports.ts";
import { accepted, createEndpoint, type Endpoint, jsonOf } from "./endpoint.ts";

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

/** How one kind of server is spoken to; the rest is the same for all. */
export interface Dialect {
  readonly samplePath: string;
  /** @param adapter null for the base model */
  readonly sampleBody: (
    request: SampleRequest,
    model: string,
    adapter: string | null,
  ) => Record<string, unknown>;
  /** Header by which a router in front of several replicas keeps a trajectory on one of them. */
  readonly sessionHeader: string;
  /** @throws EngineError for an answer that cannot be trained on */
  readonly readSample: (
    what: string,
    answer: unknown,
    request: SampleRequest,
  ) => Omit<Sample, "weightsVersion">;
  /** @param text of `/metrics` */
  readonly readLoad: (text: string) => EngineLoad;
  readonly loadAdapterPath: string;
  readonly unloadAdapterPath: string;
  /** Looks into the body of a control answer with status 200, where a server says there whether it worked. @throws EngineError */
  readonly checkControl?: (what: string, answer: unknown) => void;
}

export const SAMPLE_TIMEOUT_MS = 1_800_000;
/** Of everything that is not a continuation. Milliseconds. */
const CONTROL_TIMEOUT_MS = 120_000;
/** Of health and metrics, which say something only when they are quick. Milliseconds. */
const PROBE_TIMEOUT_MS = 5000;

export function bearer(key: string | undefined): Record<string, string> {
  return key === undefined ? {} : { authorization: `Bearer ${key}` };
}

class HttpEngine implements InferenceEngine {
  readonly name: string;
  readonly contextTokens: number;
  readonly #dialect: Dialect;
  readonly #endpoint: Endpoint;
  readonly #sampleTimeoutMs: number;
  readonly #model: string;
  #adapter: string | null = null;
  #weightsVersion = 0;

  constructor(dialect: Dialect, options: InferenceOptions) {
    this.name = options.name ?? new URL(options.baseUrl).host;
    this.contextTokens = options.contextTokens;
    this.#dialect = dialect;
    this.#endpoint = createEndpoint({ baseUrl: options.baseUrl, headers: bearer(options.key) });
    this.#sampleTimeoutMs = options.sampleTimeoutMs ?? SAMPLE_TIMEOUT_MS;
    this.#model = options.model;
  }

  async sample(request: SampleRequest, options: { readonly signal?: AbortSignal } = {}): Promise<Sample> {
    const { samplePath: path, sampleBody, sessionHeader, readSample } = this.#dialect;
    const weightsVersion = this.#weightsVersion;
    const answer = await this.#endpoint.ask({
      path,
      body: sampleBody(request, this.#model, this.#adapter),
      headers: request.sessionKey === undefined ? {} : { [sessionHeader]: request.sessionKey },
      signal: options.signal,
      timeoutMs: this.#sampleTimeoutMs,
    });
    const body = jsonOf(this.name, path, accepted(this.#endpoint.name, path, answer));
    return { ...readSample(`${this.name}${path}`, body, request), weightsVersion };
  }

  async load(): Promise<EngineLoad> {
    const answer = await this.#endpoint.ask({ path: "/metrics", timeoutMs: PROBE_TIMEOUT_MS });
    return this.#dialect.readLoad(accepted(this.#endpoint.name, "/metrics", answer).bytes.toString("utf8"));
  }

  async isHealthy(): Promise<boolean> {
    try {
      return (await this.#endpoint.ask({ path: "/health", timeoutMs: PROBE_TIMEOUT_MS })).status === 200;
    } catch {
      return false;
    }
  }

  async useAdapter(adapter: { name: string; path: string; weightsVersion: number }): Promise<void> {
    await this.#control(this.#dialect.loadAdapterPath, { lora_name: adapter.name, lora_path: adapter.path });
    this.#adapter = adapter.name;
    this.#weightsVersion = adapter.weightsVersion;
  }

  async dropAdapter(name: string): Promise<void> {
    await this.#control(this.#dialect.unloadAdapterPath, { lora_name: name });
  }

  close(): Promise<void> {
    return this.#endpoint.close();
  }

  async #control(path: string, body: Record<string, unknown>): Promise<void> {
    const answer = await this.#endpoint.ask({ path, body, timeoutMs: CONTROL_TIMEOUT_MS });
    const taken = accepted(this.#endpoint.name, path, answer);
    const { checkControl } = this.#dialect;
    if (checkControl !== undefined) checkControl(`${this.name}${path}`, jsonOf(this.name, path, taken));
  }
}

export function createHttpEngine(dialect: Dialect, options: InferenceOptions): InferenceEngine {
  return new HttpEngine(dialect, options);
}
