/** Metrics in Prometheus' text form, as far as gauges and counters go. */

export interface MetricPoint {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const LINE = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/;
const LABEL = /([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"/g;

export function parsePrometheus(text: string): MetricPoint[] {
  const points: MetricPoint[] = [];
  for (const line of text.split("\n")) {
    const match = line.startsWith("#") ? null : LINE.exec(line);
    if (match === null) continue;
    const labels: Record<string, string> = {};
    for (const [, key = "", value = ""] of (match[2] ?? "").matchAll(LABEL)) labels[key] = value;
    points.push({ name: match[1] ?? "", labels, value: Number(match[3]) });
  }
  return points;
}

/** Values of the first of `names` that is published at all; servers rename their metrics now and then. */
export function valuesOf(points: readonly MetricPoint[], names: readonly string[]): number[] {
  for (const name of names) {
    const values = points.filter((point) => point.name === name && Number.isFinite(point.value));
    if (values.length > 0) return values.map(({ value }) => value);
  }
  return [];
}

export const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

export const meanOf = (values: readonly number[]): number => sumOf(values) / Math.max(1, values.length);
