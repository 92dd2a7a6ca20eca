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

/** Asks a service of ours; null when it does not answer. */
export async function scrape(url: string): Promise<Map<string, number> | null> {
  try {
    const answer = await request(`${url}/metrics`, { headersTimeout: 10_000, bodyTimeout: 10_000 });
    const text = await answer.body.text();
    return answer.statusCode === 200 ? parseMetrics(text) : null;
  } catch {
    return null;
  }
}
