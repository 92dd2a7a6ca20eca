/** What the scheduler needs of an engine and of time. */
import type { Sampler } from "../ports.ts";

/** What an engine says about itself; read every few seconds, so always a little old. */
export interface EngineLoad {
  /** Share of the KV cache in use, 0 to 1. */
  readonly kvUsage: number;
  /** Requests being computed. */
  readonly running: number;
  /** Requests that wait inside the engine. */
  readonly waiting: number;
  /** Requests thrown out of the KV cache since the engine started. */
  readonly preemptions: number;
  /** Tokens that the KV cache holds, when the engine tells. */
  readonly kvTokens?: number;
}

export interface FleetEngine {
  /** Unique in the fleet; in logs, metrics and the timeline. */
  readonly name: string;
  readonly sampler: Sampler;
  /** Tokens that the KV cache holds. Unbounded without it, until `load` tells one. */
  readonly kvTokens?: number;
  /** Absent when the engine publishes nothing. */
  load?(): Promise<EngineLoad>;
}

export interface Clock {
  /** Milliseconds since some start. */
  now(): number;
  /** Calls `then` once after `ms` milliseconds. @returns what calls that off */
  after(ms: number, then: () => void): () => void;
}

/** The machine's monotonic clock. Its timers keep the process alive: while all engines rest nothing else may. */
export const MACHINE_CLOCK: Clock = {
  now: () => performance.now(),
  after(ms, then) {
    const timer = setTimeout(then, ms);
    return () => clearTimeout(timer);
  },
};
