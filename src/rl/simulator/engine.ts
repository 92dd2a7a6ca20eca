/**
 * An inference engine as far as scheduling can tell: a KV cache of so many tokens, prefill at a rate, decode steps that
 * take longer with more sequences and more context, continuous batching first come first served, prefixes kept until
 * their room is needed, and the youngest sequence thrown out and computed again when the cache overflows. What it
 * writes is nothing: a request's `seed` says how many tokens its continuation has.
 */
import type { Sample, SampleRequest, Sampler } from "../ports.ts";
import type { EngineLoad, FleetEngine } from "../scheduler/ports.ts";
import type { VirtualClock } from "./virtual-clock.ts";

export interface EngineCosts {
  readonly kvTokens: number;
  readonly prefillTokensPerS: number;
  /** Milliseconds of a decode step: for the weights, for each sequence, for each 1000 tokens of context read. */
  readonly decodeMs: number;
  readonly decodeMsPerSequence: number;
  readonly decodeMsPerThousand: number;
  /** Sequences computed at one time, at most. */
  readonly sequencesMax: number;
}

/** Prefill that one pass takes in, and decode steps between two looks at the queue. */
const PREFILL_TOKENS_MAX = 8192;
const DECODE_STEPS_MAX = 16;

interface Sequence {
  readonly key: string;
  readonly target: number;
  readonly resolve: (sample: Sample) => void;
  context: number;
  written: number;
}

export class SimulatedEngine implements FleetEngine {
  readonly name: string;
  readonly sampler: Sampler;
  readonly #clock: VirtualClock;
  readonly #costs: EngineCosts;
  #waiting: Sequence[] = [];
  #running: Sequence[] = [];
  /** Tokens of prefixes without a running sequence, the least recently used first. */
  readonly #kept = new Map<string, number>();
  #isBusy = false;
  #runningTokens = 0;
  #keptTokens = 0;
  preemptions = 0;
  /** Tokens computed by prefill, and of them those that had been computed before. */
  prefilled = 0;
  recomputed = 0;
  /** Token-milliseconds of KV cache under running sequences. */
  occupied = 0;
  /** Highest sum of running tokens at the end of a decode step. */
  runningTokensMost = 0;

  constructor(name: string, costs: EngineCosts, contextTokens: number, clock: VirtualClock) {
    this.name = name;
    this.#clock = clock;
    this.#costs = costs;
    this.sampler = { contextTokens, sample: (request) => this.#enter(request) };
  }

  load(): Promise<EngineLoad> {
    return Promise.resolve({
      kvUsage: this.#runningTokens / this.#costs.kvTokens,
      running: this.#running.length,
      waiting: this.#waiting.length,
      preemptions: this.preemptions,
      kvTokens: this.#costs.kvTokens,
    });
  }

  #enter({ prompt, maxTokens, seed = 1, sessionKey = "" }: SampleRequest): Promise<Sample> {
    return new Promise((resolve) => {
      const target = Math.max(1, Math.min(maxTokens, seed));
      this.#waiting.push({ key: sessionKey, target, resolve, context: prompt.length, written: 0 });
      if (this.#isBusy) return;
      this.#isBusy = true;
      // Requests of the same moment are batched.
      this.#clock.after(0, () => this.#pass());
    });
  }

  #pass(): void {
    const prefillMs = (this.#admit() / this.#costs.prefillTokensPerS) * 1000;
    const steps = this.#roomForSteps();
    if (this.#running.length === 0) {
      this.#isBusy = false;
      return;
    }
    const { decodeMs, decodeMsPerSequence, decodeMsPerThousand } = this.#costs;
    const stepMs =
      decodeMs +
      decodeMsPerSequence * this.#running.length +
      (decodeMsPerThousand * this.#runningTokens) / 1000;
    const ms = prefillMs + steps * stepMs;
    this.occupied += ms * this.#runningTokens;
    this.#clock.after(ms, () => this.#decoded(steps));
  }

  /** Takes sequences in while there is room. @returns tokens to prefill */
  #admit(): number {
    const { kvTokens, sequencesMax } = this.#costs;
    let prefill = 0;
    while (this.#running.length < sequencesMax && prefill < PREFILL_TOKENS_MAX) {
      const next = this.#waiting[0];
      if (next === undefined) break;
      const room = kvTokens - this.#runningTokens;
      if (next.context + DECODE_STEPS_MAX > room && this.#running.length > 0) break;
      this.#waiting.shift();
      const kept = this.#kept.get(next.key) ?? 0;
      this.#forget(next.key);
      const missing = next.context - Math.min(kept, next.context);
      prefill += missing;
      this.prefilled += missing;
      if (next.written > 0) this.recomputed += missing;
      this.#running.push(next);
      this.#runningTokens += next.context;
      this.#evict();
    }
    return prefill;
  }

  /** Decode steps until something ends, for which room is made. */
  #roomForSteps(): number {
    for (;;) {
      const ends = Math.min(...this.#running.map(({ target, written }) => target - written));
      const room = this.#costs.kvTokens - this.#runningTokens;
      const steps = Math.min(DECODE_STEPS_MAX, ends);
      if (this.#running.length <= 1 || steps * this.#running.length <= room) return steps;
      const youngest = this.#running.pop();
      if (youngest === undefined) return steps;
      this.#runningTokens -= youngest.context;
      this.#waiting.unshift(youngest);
      this.preemptions += 1;
      // It is computed again even if it has written nothing yet in this request.
      youngest.written = Math.max(youngest.written, Number.EPSILON);
    }
  }

  #decoded(steps: number): void {
    for (const sequence of this.#running) {
      sequence.written += steps;
      sequence.context += steps;
    }
    this.#runningTokens += steps * this.#running.length;
    this.runningTokensMost = Math.max(this.runningTokensMost, this.#runningTokens);
    const isOver = ({ written, target }: Sequence): boolean => written >= target;
    const over = this.#running.filter(isOver);
    this.#running = this.#running.filter((one) => !isOver(one));
    for (const { key, context, target, resolve } of over) {
      this.#runningTokens -= context;
      this.#kept.set(key, context);
      this.#keptTokens += context;
      resolve({
        tokens: Array.from<number>({ length: target }).fill(0),
        logprobs: [],
        stopReason: "stop",
        weightsVersion: 1,
      });
    }
    this.#evict();
    // What those that ended lead to happens before the next pass.
    this.#clock.after(0, () => this.#pass());
  }

  #forget(key: string): void {
    this.#keptTokens -= this.#kept.get(key) ?? 0;
    this.#kept.delete(key);
  }

  #evict(): void {
    for (const key of this.#kept.keys()) {
      if (this.#runningTokens + this.#keptTokens <= this.#costs.kvTokens) return;
      this.#forget(key);
    }
  }
}
