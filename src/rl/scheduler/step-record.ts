/**
 * What is written down of a step while it goes on: counts, what happened, and at an even pace what each engine holds.
 * The pace is that of the step: 50 ms at first, and half as often each time there are more samples than a plot shows.
 */
import type { Metrics } from "../ports.ts";
import type { EngineAccount } from "./engine-account.ts";
import type { Clock } from "./ports.ts";
import { StepTally } from "./step-tally.ts";
import { Timeline, type TimelineEntry, type TimelineEvent } from "./timeline.ts";

export interface StepRecordOptions {
  readonly accounts: readonly EngineAccount[];
  readonly clock: Clock;
  /** How often engines are asked for their load. Milliseconds. */
  readonly pollMs: number;
  /** Trajectories that no engine has yet. */
  readonly queued: () => number;
}

/** Milliseconds between two looks at the beginning of a step, at most. */
const PACE_MS = 50;

export class StepRecord {
  readonly #options: StepRecordOptions;
  readonly #timeline: Timeline;
  /** When the step's first rollout was asked for, or null before. */
  #startedAt: number | null = null;
  #cancelSample: (() => void) | null = null;
  tally = new StepTally();

  constructor(options: StepRecordOptions) {
    this.#options = options;
    this.#timeline = new Timeline(Math.min(PACE_MS, options.pollMs));
  }

  note(kind: TimelineEvent["kind"], { engine }: EngineAccount, detail: string): void {
    this.#timeline.addEvent({ kind, at: this.#at(), engine: engine.name, detail });
  }

  /** Looks at the engines from now on, until nothing is in flight; called again it does nothing. */
  follow(): void {
    if (this.#cancelSample !== null) return;
    const { clock } = this.#options;
    this.#startedAt ??= clock.now();
    this.#cancelSample = clock.after(this.#timeline.paceMs, () => {
      this.#cancelSample = null;
      this.#sample();
      if (this.#isBusy()) this.follow();
    });
  }

  stop(): void {
    this.#cancelSample?.();
    this.#cancelSample = null;
  }

  /** Ends a step and begins the next. */
  take(): { readonly metrics: Metrics; readonly timeline: readonly TimelineEntry[] } {
    // How it was left: a step that was over before the first look has one sample too.
    this.#sample();
    const step = { metrics: this.tally.metrics(), timeline: this.#timeline.take() };
    this.tally = new StepTally();
    // What is carried over is looked at from now on as of the next step.
    this.#startedAt = this.#isBusy() ? this.#options.clock.now() : null;
    if (this.#startedAt === null) this.stop();
    return step;
  }

  #isBusy(): boolean {
    const { accounts, queued } = this.#options;
    return queued() > 0 || accounts.some(({ holdings }) => holdings.size > 0);
  }

  #at(): number {
    const now = this.#options.clock.now();
    return now - (this.#startedAt ?? now);
  }

  #sample(): void {
    const { accounts, clock, queued } = this.#options;
    const now = clock.now();
    const samples = accounts.map((account) => {
      const { engine, running, waiting, holdings, kvTokens, kvUsage, credit } = account;
      const liveTokens = account.live(now);
      this.tally.inFlight.add(holdings.size);
      this.tally.running.add(running);
      this.tally.credit.add(credit.value);
      this.tally.kvUsage.add(kvUsage ?? liveTokens / kvTokens);
      return {
        kind: "sample" as const,
        at: this.#at(),
        engine: engine.name,
        running,
        waiting,
        acting: holdings.size - running - waiting,
        queued: queued(),
        liveTokens: Math.round(liveTokens),
        kvTokens: kvTokens === Infinity ? null : kvTokens,
        kvUsage,
        credit: credit.value,
      };
    });
    this.#timeline.addRound(samples);
  }
}
