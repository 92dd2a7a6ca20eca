/** What the engines did over a step: turns and KV cache of each over time, and what happened to them. */
import { drawPlot, escapeText, type PlotLine } from "../../lib/line-plot.ts";
import type { TimelineEntry, TimelineEvent, TimelineSample } from "../scheduler/timeline.ts";

/** Engines drawn one by one; of more, the page says how many are left out. */
const ENGINES_MAX = 16;
const EVENTS_MAX = 40;

const seconds = (at: number): number => at / 1000;

function enginePlots(engine: string, samples: readonly TimelineSample[]): string {
  const line = (name: string, of: (sample: TimelineSample) => number): PlotLine => ({
    name,
    points: samples.map((sample) => [seconds(sample.at), of(sample)]),
  });
  const turns = drawPlot({
    title: engine,
    yLabel: "trajectories",
    xLabel: "seconds",
    lines: [
      line("running", ({ running }) => running),
      line("in a tool call", ({ acting }) => acting),
      line("held", ({ waiting }) => waiting),
    ],
  });
  const known = samples.filter(({ kvTokens, kvUsage }) => kvTokens !== null || kvUsage !== null);
  if (known.length === 0) return turns;
  const cache = drawPlot({
    title: engine,
    yLabel: "share of KV cache",
    xLabel: "seconds",
    lines: [
      line("by our account", ({ liveTokens, kvTokens }) => (kvTokens === null ? NaN : liveTokens / kvTokens)),
      line("reported", ({ kvUsage }) => kvUsage ?? NaN),
    ],
  });
  return turns + cache;
}

function eventRow({ at, engine, kind, detail }: TimelineEvent): string {
  return `<tr><td class="number">${seconds(at).toFixed(1)} s</td><td>${escapeText(engine)}</td><td>${kind}</td><td>${escapeText(detail)}</td></tr>`;
}

/** @returns HTML; empty when nothing was recorded */
export function timelinePlots(entries: readonly TimelineEntry[]): string {
  const samples = entries.filter((entry) => entry.kind === "sample");
  const events = entries.filter((entry) => entry.kind !== "sample");
  const byEngine = [...Map.groupBy(samples, ({ engine }) => engine)];
  const plots = byEngine
    .slice(0, ENGINES_MAX)
    .map(([engine, own]) => enginePlots(engine, own))
    .join("");
  const left =
    byEngine.length > ENGINES_MAX
      ? `<p class="dim">${byEngine.length - ENGINES_MAX} engines more are not drawn.</p>`
      : "";
  const told =
    events.length === 0
      ? ""
      : `<details><summary>${events.length} events</summary><table>${events.slice(0, EVENTS_MAX).map(eventRow).join("")}</table></details>`;
  return plots === "" && told === "" ? "" : `<div class="plots">${plots}</div>${left}${told}`;
}
