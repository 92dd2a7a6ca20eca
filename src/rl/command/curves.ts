/** Curves of one or several runs from their metrics.jsonl, as one HTML page that needs nothing from elsewhere. */
import { existsSync, readFileSync } from "node:fs";
import { drawPlot, escapeText, type PlotLine } from "../../lib/line-plot.ts";
import { STYLE } from "../../lib/page-style.ts";

/** A line of metrics.jsonl as it is read back. */
export type Measured = Readonly<Record<string, number | string>>;

export function readMetrics(file: string): Measured[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Measured);
}

/** Runs that differ in their seed alone; their curves are drawn as a mean with its range. */
export interface Series {
  readonly name: string;
  readonly runs: readonly (readonly Measured[])[];
}

export interface Curve {
  readonly title: string;
  readonly unit: string;
  readonly phase: "rl" | "eval";
  readonly metric: string;
  /** Steps over which it is averaged; policy steps are noisy. */
  readonly window: number;
}

/** @param attempts of the evaluation, which are in the name of its accuracy */
export function curvesOf(attempts: number): Curve[] {
  const smooth = { phase: "rl", window: 5 } as const;
  return [
    {
      title: "Accuracy on held-out problems",
      unit: "share",
      phase: "eval",
      metric: `eval/all/avg@${attempts}`,
      window: 1,
    },
    {
      title: "Tool errors inside right rollouts, held out",
      unit: "share of calls",
      phase: "eval",
      metric: "eval/roc/tool_error_ratio/positive",
      window: 1,
    },
    {
      title: "Length of right rollouts, held out",
      unit: "tokens",
      phase: "eval",
      metric: "eval/response_length/correct/mean",
      window: 1,
    },
    { title: "Reward", unit: "mean of 5 steps", metric: "reward/all/mean", ...smooth },
    {
      title: "Tool errors inside right rollouts",
      unit: "mean of 5 steps",
      metric: "roc/tool_error_ratio/positive",
      ...smooth,
    },
    { title: "Tool errors", unit: "share of calls, mean of 5 steps", metric: "tool/error_rate", ...smooth },
    { title: "Response length", unit: "tokens, mean of 5 steps", metric: "response_length/mean", ...smooth },
    { title: "Entropy", unit: "nats, mean of 5 steps", metric: "actor/entropy", ...smooth },
    { title: "Tool calls", unit: "per second, mean of 5 steps", metric: "tool/calls_per_s", ...smooth },
  ];
}

type Points = (readonly [step: number, value: number])[];

function pointsOf(lines: readonly Measured[], { phase, metric, window }: Curve): Points {
  const points = lines
    .filter((line) => line["phase"] === phase && typeof line[metric] === "number")
    .map((line) => [line["step"] as number, line[metric] as number] as const);
  return points.map(([step], at) => {
    const recent = points.slice(Math.max(0, at + 1 - window), at + 1);
    return [step, recent.reduce((sum, [, value]) => sum + value, 0) / recent.length] as const;
  });
}

/** Mean over the runs at each step that all of them have, with the lowest and the highest. */
function lineOf({ name, runs }: Series, curve: Curve): PlotLine {
  const all = runs.map((lines) => new Map(pointsOf(lines, curve)));
  const steps = [...(all[0]?.keys() ?? [])].filter((step) => all.every((one) => one.has(step)));
  const at = (step: number): number[] => all.map((one) => one.get(step) as number);
  return {
    name,
    points: steps.map(
      (step) => [step, at(step).reduce((sum, value) => sum + value, 0) / all.length] as const,
    ),
    ...(runs.length < 2
      ? {}
      : { spread: steps.map((step) => [step, Math.min(...at(step)), Math.max(...at(step))] as const) }),
  };
}

/** One curve of each series in one plot, or nothing when none of them measured it. */
export function plotCurve(series: readonly Series[], curve: Curve): string {
  return drawPlot({
    title: curve.title,
    yLabel: curve.unit,
    xLabel: "policy steps",
    lines: series.map((one) => lineOf(one, curve)),
  });
}

/** @param rows a table above the curves, its first row the heads */
export function curvesPage(
  title: string,
  series: readonly Series[],
  curves: readonly Curve[],
  rows: readonly (readonly string[])[],
): string {
  const plots = curves.map((curve) => plotCurve(series, curve));
  const table = rows.map((row, at) => {
    const tag = at === 0 ? "th" : "td";
    return `<tr>${row.map((cell) => `<${tag}>${escapeText(cell)}</${tag}>`).join("")}</tr>`;
  });
  return (
    `<!doctype html><html lang="en"><meta charset="utf-8"><title>${escapeText(title)}</title>` +
    `<style>${STYLE}</style><main><h1>${escapeText(title)}</h1>` +
    `<table>${table.join("")}</table><div class="plots">${plots.join("")}</div></main></html>\n`
  );
}
