/** What each engine did over a step, for the run page: samples at an even pace, and what happened to it. */

/** One engine at one moment. */
export interface TimelineSample {
  readonly kind: "sample";
  /** Milliseconds since the step began. */
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

/** A step's samples are thinned to every second one when there are more. */
const SAMPLES_MAX = 4000;
const EVENTS_MAX = 2000;

export class Timeline {
  #samples: TimelineSample[] = [];
  #events: TimelineEvent[] = [];
  #round = 0;
  /** Every how many rounds one is kept. */
  #every = 1;

  /** One sample of each engine. */
  addRound(samples: readonly TimelineSample[]): void {
    this.#round += 1;
    if (this.#round % this.#every !== 0) return;
    this.#samples.push(...samples);
    if (this.#samples.length <= SAMPLES_MAX) return;
    this.#every *= 2;
    const times = [...new Set(this.#samples.map(({ at }) => at))];
    const kept = new Set(times.filter((_, index) => index % 2 === 1));
    this.#samples = this.#samples.filter(({ at }) => kept.has(at));
  }

  addEvent(event: TimelineEvent): void {
    if (this.#events.length < EVENTS_MAX) this.#events.push(event);
  }

  /** Everything since the last time, by time. */
  take(): TimelineEntry[] {
    const all = [...this.#samples, ...this.#events].sort((left, right) => left.at - right.at);
    this.#samples = [];
    this.#events = [];
    this.#round = 0;
    this.#every = 1;
    return all;
  }
}
