/**
 * One engine of an adapter fleet, which may go away and come back. What it is asked for is written by the present
 * weights or by none: an engine that could not be given them, or that lost them because it was started again, is given
 * them before its next continuation.
 */
import { EngineError, type Sample, type SampleOptions, type SampleRequest } from "../ports.ts";
import type { EngineLoad, FleetEngine } from "../scheduler/ports.ts";
import type { InferenceEngine } from "./inference-engine.ts";

export interface Adapter {
  /** Unique among the fleet's adapters. */
  readonly name: string;
  /** A directory as the engines see it. */
  readonly path: string;
  readonly weightsVersion: number;
}

/** Adapters that an engine holds: the present one, and the one with which requests that are under way end. */
const HELD = 2;

/** What an engine answers that does not know the adapter it is asked to use. */
function isAdapterLost(error: unknown): boolean {
  return error instanceof EngineError && (error.status === 404 || error.status === 400);
}

/** The engine gave no answer: when it gives one again it may have been started anew. */
function isAway(error: unknown): boolean {
  return error instanceof EngineError && error.retryable && error.status === null;
}

export class FleetMember implements FleetEngine {
  readonly name: string;
  readonly sampler;
  readonly #engine: InferenceEngine;
  #wanted: Adapter | null = null;
  /** What it is known to have, or null. */
  #has: Adapter | null = null;
  #giving: Promise<void> | null = null;
  /** Times that something was loaded; engines cache what they loaded under a name, so none is used twice. */
  #loads = 0;
  #held: string[] = [];
  inFlight = 0;

  constructor(engine: InferenceEngine) {
    this.#engine = engine;
    this.name = engine.name;
    this.sampler = {
      contextTokens: engine.contextTokens,
      sample: (request: SampleRequest, options?: SampleOptions) => this.#sample(request, options),
    };
  }

  load(): Promise<EngineLoad> {
    return this.#engine.load();
  }

  /**
   * Samples by these weights from now on.
   * @returns why it could not be given them yet, or null
   * @throws EngineError when another try would not help
   */
  async want(adapter: Adapter): Promise<string | null> {
    this.#wanted = adapter;
    try {
      await this.#give();
      return null;
    } catch (error) {
      if (!(error instanceof EngineError) || !error.retryable) throw error;
      return error.message;
    }
  }

  close(): Promise<void> {
    return this.#engine.close();
  }

  async #sample(request: SampleRequest, options?: SampleOptions): Promise<Sample> {
    this.inFlight += 1;
    try {
      await this.#give();
      const used = this.#has;
      try {
        return await this.#engine.sample(request, options);
      } catch (error) {
        if ((isAway(error) || isAdapterLost(error)) && this.#has === used) this.#has = null;
        if (!isAdapterLost(error)) throw error;
      }
      await this.#give();
      return await this.#engine.sample(request, options);
    } finally {
      this.inFlight -= 1;
    }
  }

  /** Loads what is wanted unless it is there; many at once load it once. @throws EngineError */
  #give(): Promise<void> {
    if (this.#has === this.#wanted) return Promise.resolve();
    this.#giving ??= this.#loadWanted().finally(() => {
      this.#giving = null;
    });
    return this.#giving;
  }

  async #loadWanted(): Promise<void> {
    while (this.#has !== this.#wanted && this.#wanted !== null) {
      const adapter = this.#wanted;
      this.#loads += 1;
      const name = this.#held.includes(adapter.name) ? `${adapter.name}-${this.#loads}` : adapter.name;
      await this.#engine.useAdapter({ ...adapter, name });
      this.#has = adapter;
      this.#held.push(name);
      // An engine that was started again has lost them already.
      for (const old of this.#held.splice(0, this.#held.length - HELD))
        await this.#engine.dropAdapter(old).catch(() => {});
    }
  }
}
