/**
 * How far the forecast of one engine's KV use is trusted, corrected by what the engine reports: the share of its KV
 * cache that may be promised. It grows by a factor once per turnover of the engine's trajectories, while the engine is
 * clear and the bound holds something back, and is cut at once when the engine is thrashing. The thresholds and
 * factors are those of prime-rl's controller of concurrency.
 */
import type { EngineLoad } from "./ports.ts";

const CLEAR_BELOW = 0.6;
const OVERFULL_ABOVE = 0.9;
/** What a trim aims at. */
const TRIM_TO = 0.7;
const GROWTH = 1.25;
const CUT_BY_PREEMPTION = 0.8;
const CUT_BY_QUEUE = 0.9;
/** Requests queued inside the engine, as a share of those running, that count as a queue; and for how many polls. */
const QUEUE_SHARE = 0.5;
const QUEUE_POLLS = 6;
/** Without news of the engine for this long nothing grows. Milliseconds. */
const NEWS_MAX_AGE_MS = 15_000;
const CREDIT_MIN = 0.25;
const CREDIT_MAX = 16;

export class Credit {
  #value = 1;
  #heardAt = -Infinity;
  #isClear = false;
  #queuePolls = 0;
  #preemptions: number | null = null;
  #endedSinceGrowth = 0;
  /** After a cut, until the engine has drained below its new bound, what it reports is about the old one. */
  #isDraining = false;
  preempted = 0;

  /** Share of the engine's KV cache that forecasts may add up to; above 1 it is promised more than once. */
  get value(): number {
    return this.#value;
  }

  /** What the engine reports. `holdsBack`: the bound is what keeps the engine from having more. */
  observe(load: EngineLoad, { now, fits }: { readonly now: number; readonly fits: boolean }): void {
    this.#heardAt = now;
    this.#isClear = load.kvUsage < CLEAR_BELOW && load.waiting === 0;
    // A counter that went back is of an engine that was started again.
    const preempted = this.#preemptions === null ? 0 : Math.max(0, load.preemptions - this.#preemptions);
    this.#preemptions = load.preemptions;
    this.preempted += preempted;
    if (fits) this.#isDraining = false;
    this.#queuePolls = load.waiting > QUEUE_SHARE * load.running ? this.#queuePolls + 1 : 0;
    if (this.#isDraining) return;
    if (preempted > 0) this.#cut(CUT_BY_PREEMPTION);
    else if (load.kvUsage > OVERFULL_ABOVE) this.#cut(TRIM_TO / load.kvUsage);
    else if (this.#queuePolls >= QUEUE_POLLS) this.#cut(CUT_BY_QUEUE);
  }

  /** A trajectory left the engine; `inFlight` were there, and more would have come but for the bound. */
  ended({ inFlight, isBinding, now }: { inFlight: number; isBinding: boolean; now: number }): void {
    this.#endedSinceGrowth += 1;
    if (this.#endedSinceGrowth < inFlight || !isBinding || !this.#isClear) return;
    if (now - this.#heardAt > NEWS_MAX_AGE_MS) return;
    this.#endedSinceGrowth = 0;
    this.#value = Math.min(CREDIT_MAX, this.#value * GROWTH);
  }

  /** The forecasts are made another way from now on; what was learned about the old ones does not hold. */
  reset(): void {
    this.#value = 1;
    this.#endedSinceGrowth = 0;
    this.#isDraining = false;
  }

  #cut(factor: number): void {
    this.#value = Math.max(CREDIT_MIN, this.#value * factor);
    this.#isDraining = true;
    this.#queuePolls = 0;
    this.#endedSinceGrowth = 0;
  }
}
