/**
 * What a run of the bench leaves behind, as JSON. A file of another `schema` is not read; a field that is added
 * does not change the number, one that changes its meaning does.
 */
import type { Recorded } from "../load/recorder.ts";
import type { Machine, Origin } from "../machine/description.ts";
import type { Sample } from "../machine/sampler.ts";

export const SCHEMA = 1;

export interface Measure {
  /** Stable over versions: two files are compared by it. */
  readonly id: string;
  readonly label: string;
  /** "x" for a ratio. */
  readonly unit: string;
  readonly better: "lower" | "higher";
  /** Null for a value that is only told. */
  readonly target: number | null;
  /** Median of the rounds; null when it was not measured. */
  readonly value: number | null;
  readonly rounds: readonly number[];
  /** Why it was not measured, or what to know about it. */
  readonly note: string | null;
  /** A count of what must not happen, or must always: no difference is noise. */
  readonly isExact?: boolean;
}

export type State = "met" | "missed" | "told" | "not given";

/** A load and all that was seen of it. */
export interface LoadResult {
  readonly name: string;
  readonly target: string;
  readonly recorded: Recorded;
  /** CPU time of the target and all its children; null when its process is not known. Milliseconds. */
  readonly cpuMs: number | null;
  /** Of it, what the cgroups of its containers counted. Milliseconds. */
  readonly containersCpuMs: number | null;
  readonly samples: readonly Sample[];
  /** 99th percentile of the event loop's lag over the load; null when it is not known. */
  readonly lagMs: number | null;
}

export interface Curve {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly isLogarithmic: boolean;
  readonly lines: readonly {
    readonly name: string;
    readonly points: readonly (readonly [number, number])[];
  }[];
}

export interface SuiteResult {
  readonly name: string;
  readonly title: string;
  readonly seconds: number;
  readonly measures: readonly Measure[];
  readonly loads: readonly LoadResult[];
  readonly curves: readonly Curve[];
  /** Set when the suite could not be finished. */
  readonly failure: string | null;
}

export interface ResultFile {
  readonly schema: typeof SCHEMA;
  readonly date: string;
  readonly origin: Origin;
  readonly machine: Machine;
  /** Few calls and one round: shows that everything runs, its numbers are rough. */
  readonly quick: boolean;
  readonly flags: readonly string[];
  readonly suites: readonly SuiteResult[];
}

/** A target whose measurement failed, with no reason told, is missed: it must not pass by having no value. */
export function stateOf({ value, target, better, note }: Measure): State {
  if (value === null) return target !== null && note === null ? "missed" : "not given";
  if (target === null) return "told";
  return (better === "lower" ? value <= target : value >= target) ? "met" : "missed";
}

export function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const ascending = values.toSorted((a, b) => a - b);
  const middle = ascending.length >> 1;
  const upper = ascending[middle] ?? 0;
  return ascending.length % 2 === 1 ? upper : ((ascending[middle - 1] ?? 0) + upper) / 2;
}

type Description = Pick<Measure, "id" | "label" | "unit" | "better" | "isExact"> & {
  readonly target?: number;
  readonly note?: string;
};

/** A measure of one or more rounds; a round that is not a number, e.g. 0 through 0, was none. */
export function measured(description: Description, ...rounds: readonly number[]): Measure {
  const numbers = rounds.filter((round) => Number.isFinite(round));
  return {
    ...description,
    target: description.target ?? null,
    note: description.note ?? null,
    value: median(numbers),
    rounds: numbers,
  };
}

/** A measure that could not be taken. */
export function notGiven(description: Description, why: string): Measure {
  return { ...description, target: description.target ?? null, value: null, rounds: [], note: why };
}

/** @throws Error when the text is not a result file of this schema. */
export function parseResults(text: string, name: string): ResultFile {
  const file = JSON.parse(text) as Partial<ResultFile>;
  if (file.schema !== SCHEMA || !Array.isArray(file.suites))
    throw new Error(`${name} is no result file of schema ${SCHEMA}`);
  return file as ResultFile;
}
