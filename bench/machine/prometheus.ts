/** The few lines of the Prometheus text format that are read here. */
import { request } from "undici";

const SAMPLE = /^([A-Za-z_:][\w:]*)(?:\{([^}]*)\})? ([^ ]+)$/;

/** Sum over all label sets of each metric. */
export function parseMetrics(text: string): Map<string, number> {
  const sums = new Map<string, number>();
  for (const line of text.split("\n")) {
    const match = SAMPLE.exec(line);
    const value = Number(match?.[3]);
    if (match?.[1] === undefined || Number.isNaN(value)) continue;
    sums.set(match[1], (sums.get(match[1]) ?? 0) + value);
  }
  return sums;
}

/** Slots of all engines, and those of them that are idle. */
export function countSlots(text: string): { readonly all: number; readonly idle: number } {
  const slots = text.split("\n").filter((line) => line.startsWith("rollcall_slots{"));
  const sum = (lines: readonly string[]) =>
    lines.reduce((total, line) => total + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
  return { all: sum(slots), idle: sum(slots.filter((line) => line.includes('state="idle"'))) };
}

/** How many observations of a histogram were at most so large; of the last there is no bound. */
export interface Bucket {
  readonly atMost: number;
  readonly count: number;
}

/** Buckets of the histogram `name`, ascending, each without those below it; empty where there is no such metric. */
export function parseBuckets(text: string, name: string): Bucket[] {
  const sums = text.split("\n").flatMap((line) => {
    const match = SAMPLE.exec(line);
    const bound = /^le="([^"]+)"$/.exec(match?.[2] ?? "")?.[1];
    if (match?.[1] !== `${name}_bucket` || bound === undefined) return [];
    return [{ atMost: bound === "+Inf" ? Number.POSITIVE_INFINITY : Number(bound), count: Number(match[3]) }];
  });
  return sums.map(({ atMost, count }, index) => ({ atMost, count: count - (sums[index - 1]?.count ?? 0) }));
}

/** The bound of the bucket in which that share (0 to 1) of all observations is reached; NaN when there is none. */
export function quantileOfBuckets(buckets: readonly Bucket[], share: number): number {
  const all = buckets.reduce((total, { count }) => total + count, 0);
  let seen = 0;
  for (const { atMost, count } of buckets) {
    seen += count;
    if (seen > 0 && seen >= share * all) return atMost;
  }
  return Number.NaN;
}

/** The metrics of a service of ours, as text; null when it does not answer. */
export async function scrape(url: string): Promise<string | null> {
  try {
    const answer = await request(`${url}/metrics`, { headersTimeout: 10_000, bodyTimeout: 10_000 });
    const text = await answer.body.text();
    return answer.statusCode === 200 ? text : null;
  } catch {
    return null;
  }
}
