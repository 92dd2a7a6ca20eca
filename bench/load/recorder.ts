/** Keeps count of a load's answers: when, how long from the intended time, with what outcome, right or wrong. */
import type { Answer } from "../targets/target.ts";
import { Histogram, type HistogramData } from "./histogram.ts";

/** One second of a load. */
export interface Second {
  readonly answered: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Not in the files of earlier versions. */
  readonly maxMs?: number;
  readonly outcomes?: Readonly<Record<string, number>>;
}

export interface Quantiles {
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  readonly meanMs: number;
}

export interface Recorded {
  readonly planned: number;
  readonly answered: number;
  /** Calls that got no result, by reason. */
  readonly refused: Readonly<Record<string, number>>;
  /** Answers that were not what the program must give. */
  readonly wrong: number;
  /** The first few, in words. */
  readonly wrongTexts: readonly string[];
  readonly outcomes: Readonly<Record<string, number>>;
  /** From the first intended time to the last answer. Milliseconds. */
  readonly elapsedMs: number;
  readonly perSecond: number;
  /** From the intended time of a call to its answer. */
  readonly latency: Quantiles;
  readonly histogram: HistogramData;
  /** How late the generator itself sent, against its plan. */
  readonly sendLag: Quantiles;
  readonly seconds: readonly Second[];
  /** Time of each thousandth answer, from the start. Milliseconds. */
  readonly thousandsMs: readonly number[];
  /** CPU time of the programs that ran into a limit, as the service measured it. Milliseconds. */
  readonly endlessCpuMs: number;
  /** CPU time of the other programs' own computing, as measured beforehand. Milliseconds. */
  readonly plannedCpuMs: number;
}

const WRONG_TEXTS_MAX = 10;
const SECOND_MS = 1000;
const THOUSAND = 1000;

export function quantilesOf(histogram: Histogram): Quantiles {
  return {
    p50Ms: histogram.quantile(0.5),
    p90Ms: histogram.quantile(0.9),
    p95Ms: histogram.quantile(0.95),
    p99Ms: histogram.quantile(0.99),
    p999Ms: histogram.quantile(0.999),
    maxMs: histogram.maxMs,
    meanMs: histogram.meanMs,
  };
}

function add(counts: Map<string, number>, key: string, count: number): void {
  counts.set(key, (counts.get(key) ?? 0) + count);
}

interface SecondSeen {
  readonly latency: Histogram;
  readonly outcomes: Map<string, number>;
}

export class Recorder {
  readonly latency = new Histogram();
  readonly outcomes = new Map<string, number>();
  readonly refused = new Map<string, number>();
  planned = 0;
  answered = 0;
  wrong = 0;
  inFlight = 0;
  readonly #sendLag = new Histogram();
  readonly #seconds: SecondSeen[] = [];
  readonly #thousandsMs: number[] = [];
  readonly #wrongTexts: string[] = [];
  #endlessCpuMs = 0;
  #plannedCpuMs = 0;
  #lastMs = 0;

  /** Calls went out `lagMs` after they were due. */
  sent(calls: number, lagMs: number): void {
    this.planned += calls;
    this.inFlight += calls;
    this.#sendLag.record(lagMs);
  }

  /** @param atMs from the start of the load; `dueMs` likewise, when the call was meant to be sent. */
  answer(kind: string, answer: Answer, dueMs: number, atMs: number, warmCpuMs: number | null): void {
    this.inFlight -= 1;
    this.answered += 1;
    this.#lastMs = Math.max(this.#lastMs, atMs);
    this.latency.record(atMs - dueMs);
    const second = Math.floor(atMs / SECOND_MS);
    while (this.#seconds.length <= second)
      this.#seconds.push({ latency: new Histogram(), outcomes: new Map() });
    const { latency, outcomes } = this.#seconds[second] as SecondSeen;
    latency.record(atMs - dueMs);
    add(outcomes, answer.outcome, 1);
    if (this.answered % THOUSAND === 0) this.#thousandsMs.push(atMs);
    add(this.outcomes, answer.outcome, 1);
    if (warmCpuMs === null) this.#endlessCpuMs += answer.cpuMs ?? 0;
    else this.#plannedCpuMs += warmCpuMs;
    if (answer.complaint === null) return;
    this.wrong += 1;
    if (this.#wrongTexts.length < WRONG_TEXTS_MAX) this.#wrongTexts.push(`${kind}: ${answer.complaint}`);
  }

  /** Calls that got no answer. */
  refuse(calls: number, error: unknown): void {
    this.inFlight -= calls;
    const { code, message } = error as { code?: unknown; message?: unknown };
    add(this.refused, typeof code === "string" ? code : String(message ?? error), calls);
  }

  get refusedCalls(): number {
    return [...this.refused.values()].reduce((sum, count) => sum + count, 0);
  }

  report(): Recorded {
    const elapsedMs = this.#lastMs;
    return {
      planned: this.planned,
      answered: this.answered,
      refused: Object.fromEntries(this.refused),
      wrong: this.wrong,
      wrongTexts: this.#wrongTexts,
      outcomes: Object.fromEntries(this.outcomes),
      elapsedMs,
      perSecond: elapsedMs === 0 ? 0 : (this.answered * SECOND_MS) / elapsedMs,
      latency: quantilesOf(this.latency),
      histogram: this.latency.toJSON(),
      sendLag: quantilesOf(this.#sendLag),
      seconds: this.#seconds.map(({ latency, outcomes }) => ({
        answered: latency.count,
        p50Ms: latency.quantile(0.5),
        p99Ms: latency.quantile(0.99),
        maxMs: latency.maxMs,
        outcomes: Object.fromEntries(outcomes),
      })),
      thousandsMs: this.#thousandsMs,
      endlessCpuMs: this.#endlessCpuMs,
      plannedCpuMs: this.#plannedCpuMs,
    };
  }
}
