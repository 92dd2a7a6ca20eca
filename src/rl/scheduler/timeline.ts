/** What each engine did over a step, for the run page: samples at an even pace, and what happened to it. */

/** One engine at one moment. */
export interface TimelineSample {
  readonly kind: "sample";
  /** Milliseconds since the step's first rollout was asked for. */
  readonly at: number;
  readonly engine: string;
  /** Turns being computed; turns held back; trajectories that are in a tool call. */
  readonly running: number;
  readonly waiting: number;
  readonly acting: number;
  /** Trajectories that no engine has yet. The same for all engines. */
  readonly queued: number;
  /** Tokens of all trajectories there by our own account, and tokens that the KV cache holds, if known. */
  readonly liveTokens: number;
  readonly kvTokens: number | null;
  /** As the engine reports it, 0 to 1. */
  readonly kvUsage: number | null;
  readonly credit: number;
}

export interface TimelineEvent {
  readonly kind: "down" | "up" | "repinned" | "preempted";
  readonly at: number;
  readonly engine: string;
  readonly detail: string;
}

export type TimelineEntry = TimelineSample | TimelineEvent;

/** A step's rounds are thinned to every second one when there are more, and are half as frequent from then on. */
const ROUNDS_MAX = 256;
const EVENTS_MAX = 2000;

export class Timeline {
  #rounds: (readonly TimelineSample[])[] = [];
  #events: TimelineEvent[] = [];
  readonly #firstPaceMs: number;
  #paceMs: number;

  /** @param paceMs milliseconds between two rounds of samples at the beginning of a step */
  constructor(paceMs: number) {
    this.#firstPaceMs = paceMs;
    this.#paceMs = paceMs;
  }

  /** Time until the next round. Milliseconds. */
  get paceMs(): number {
    return this.#paceMs;
  }

  /** One sample of each engine. */
  addRound(samples: readonly TimelineSample[]): void {
    this.#rounds.push(samples);
    if (this.#rounds.length <= ROUNDS_MAX) return;
    this.#rounds = this.#rounds.filter((_, index) => index % 2 === 0);
    this.#paceMs *= 2;
  }

  addEvent(event: TimelineEvent): void {
    if (this.#events.length < EVENTS_MAX) this.#events.push(event);
  }

  /** Everything since the last time, by time. */
  take(): TimelineEntry[] {
    const all = [...this.#rounds.flat(), ...this.#events].sort((left, right) => left.at - right.at);
    this.#rounds = [];
    this.#events = [];
    this.#paceMs = this.#firstPaceMs;
    return all;
  }
}
