/**
 * Two result files, measure by measure. A difference counts only outside of the noise band: what the rounds of
 * both files scatter by, and never less than a floor, because few rounds scatter by chance too little.
 */
import { median, type Measure, type ResultFile } from "./schema.ts";

export type Change = "better" | "worse" | "same" | "only before" | "only after";

export interface Comparison {
  readonly suite: string;
  readonly id: string;
  readonly label: string;
  readonly unit: string;
  readonly before: number | null;
  readonly after: number | null;
  /** after / before - 1. */
  readonly difference: number | null;
  /** Half width of the noise band, as a share of the value before. */
  readonly band: number;
  readonly change: Change;
}

/** Below this share no difference is told from noise on a machine that others use as well. */
const BAND_MIN = 0.05;
/** With a single round nothing is known about the scatter. */
const BAND_OF_ONE_ROUND = 0.15;
/** From the median absolute deviation to a band that holds nine tenths of a normal distribution. */
const BAND_PER_DEVIATION = 1.4826 * 1.645;

/** Relative half width of the noise of one measure. */
export function noiseOf({ rounds, value, isExact = false }: Measure): number {
  if (isExact) return 0;
  if (value === null || value === 0 || rounds.length < 2) return BAND_OF_ONE_ROUND;
  const deviation = median(rounds.map((round) => Math.abs(round - value))) ?? 0;
  return Math.max(BAND_MIN, (deviation * BAND_PER_DEVIATION) / Math.abs(value));
}

function compareMeasure(suite: string, before: Measure | undefined, after: Measure | undefined): Comparison {
  const shown = after ?? before;
  if (shown === undefined) throw new Error("nothing to compare");
  const from = before?.value ?? null;
  const to = after?.value ?? null;
  const row = { suite, id: shown.id, label: shown.label, unit: shown.unit, before: from, after: to };
  if (from === null || to === null || before === undefined || after === undefined)
    return { ...row, difference: null, band: 0, change: from === null ? "only after" : "only before" };
  const band = Math.hypot(noiseOf(before), noiseOf(after));
  const difference = from === 0 ? (to === 0 ? 0 : Infinity) : to / from - 1;
  const isBetter = difference < 0 === (shown.better === "lower");
  const change = Math.abs(difference) <= band ? "same" : isBetter ? "better" : "worse";
  return { ...row, difference, band, change };
}

/** Every measure that has a value in either file. */
export function compareResults(before: ResultFile, after: ResultFile): Comparison[] {
  const byKey = (file: ResultFile) =>
    new Map(
      file.suites.flatMap(({ name, measures }) =>
        measures.map((one) => [`${name} ${one.id}`, { suite: name, measure: one }] as const),
      ),
    );
  const old = byKey(before);
  const fresh = byKey(after);
  return [...new Set([...old.keys(), ...fresh.keys()])]
    .map((key) => {
      const suite = fresh.get(key)?.suite ?? old.get(key)?.suite ?? "";
      return compareMeasure(suite, old.get(key)?.measure, fresh.get(key)?.measure);
    })
    .filter((row) => row.before !== null || row.after !== null);
}
