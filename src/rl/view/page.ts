/** The page of one run, or of several beside each other: HTML that needs nothing from elsewhere. */
import { createHash } from "node:crypto";
import { drawPlot, escapeText } from "../../lib/line-plot.ts";
import { STYLE } from "../../lib/page-style.ts";
import { curvesOf, plotCurve, type Measured } from "../command/curves.ts";
import { PAGE_SCRIPT } from "./page-script.ts";
import { PAGE_STYLE } from "./page-style.ts";
import type { RunData } from "./run-data.ts";
import { timelinePlots } from "./timeline-plots.ts";

/** Metrics that are drawn besides the main curves, of the first run. */
const OTHER_CURVES_MAX = 80;
/** Steps with an engine timeline that are drawn, newest first. */
const TIMELINES = 3;
const STEP_ROWS_MAX = 1000;

const FILTERS = [
  ["all", "all"],
  ["right", "right"],
  ["wrong", "wrong"],
  ["errors", "with tool errors"],
  ["right-errors", "right, with tool errors"],
  ["excluded", "excluded"],
  ["cut", "cut by a limit"],
  ["trained", "trained on"],
] as const;
const ORDERS = [
  ["group", "by problem"],
  ["longest", "longest first"],
  ["errors", "most errors first"],
] as const;

const options = (all: readonly (readonly [string, string])[]): string =>
  all.map(([value, label]) => `<option value="${value}">${label}</option>`).join("");

/** JSON that no text in it can end the script element of. */
const embed = (value: unknown): string => JSON.stringify(value).replaceAll("<", "\\u003c");

function lastOf(metrics: readonly Measured[], name: string): number | null {
  return valuesOf(metrics, name).at(-1) ?? null;
}

function valuesOf(metrics: readonly Measured[], name: string): number[] {
  return metrics.map((line) => line[name]).filter((value) => typeof value === "number");
}

/** What it was at first and what it came to; one number where it was measured once. */
function change(metrics: readonly Measured[], name: string, digits: number): string {
  const values = valuesOf(metrics, name);
  const ends = values.length < 2 ? values : [values[0] as number, values.at(-1) as number];
  return ends.length === 0 ? "–" : ends.map((value) => value.toFixed(digits)).join(" → ");
}

/** Rollouts of each held-out problem. */
export function attemptsOf({ config }: RunData): number {
  return Number((config["evaluation"] as { attempts?: unknown } | undefined)?.attempts ?? 1);
}

function scores(run: RunData): string {
  const calls = run.metrics.reduce((sum, line) => sum + Number(line["tool/calls"] ?? 0), 0);
  const excluded = run.metrics.reduce((sum, line) => sum + Number(line["rollouts/excluded"] ?? 0), 0);
  const { metrics } = run;
  const all: [string, string][] = [
    [change(metrics, `eval/all/avg@${attemptsOf(run)}`, 3), "accuracy, held out"],
    [change(metrics, "eval/roc/tool_error_ratio/positive", 3), "tool errors inside right ones"],
    [change(metrics, "eval/response_length/correct/mean", 1), "tokens of right ones"],
    [
      String(
        lastOf(
          metrics.filter(({ phase }) => phase === "rl"),
          "step",
        ) ?? 0,
      ),
      "policy steps",
    ],
    [calls.toLocaleString("en-US"), "tool calls"],
    ...(excluded > 0 ? ([[String(excluded), "excluded"]] as [string, string][]) : []),
  ];
  const cells = all.map(([value, label]) => `<div class="score"><b>${value}</b>${label}</div>`);
  return `<h2>${escapeText(run.name)}</h2><div class="scores">${cells.join("")}</div>`;
}

function otherCurves({ metrics }: RunData): string {
  const lines = metrics.filter(({ phase }) => phase === "rl");
  const names = new Set(lines.flatMap((line) => Object.keys(line)).filter((name) => name.includes("/")));
  const plots = [...names]
    .sort()
    .slice(0, OTHER_CURVES_MAX)
    .map((name) =>
      drawPlot({
        title: name,
        xLabel: "policy steps",
        yLabel: "",
        lines: [{ name, points: lines.map((line) => [Number(line["step"]), Number(line[name] ?? NaN)]) }],
      }),
    );
  return `<details><summary>All measurements of a policy step</summary><div class="plots">${plots.join("")}</div></details>`;
}

const STEP_COLUMNS: readonly (readonly [head: string, metric: string, digits: number])[] = [
  ["reward", "reward/all/mean", 3],
  ["tool errors", "tool/error_rate", 3],
  ["in right ones", "roc/tool_error_ratio/positive", 3],
  ["response", "response_length/mean", 0],
  ["turns", "num_turns/mean", 2],
  ["tool calls", "tool/calls", 0],
  ["kept", "down_sampling/after_sampling_trace_num", 0],
  ["entropy", "actor/entropy", 3],
  ["seconds", "time/step", 2],
];

function stepTable(run: RunData, at: number): string {
  const rows = run.metrics
    .filter(({ phase }) => phase === "rl")
    .slice(-STEP_ROWS_MAX)
    .map((line) => {
      const file = `step-${String(line["step"]).padStart(6, "0")}`;
      const cells = STEP_COLUMNS.map(([, metric, digits]) => {
        const value = line[metric];
        return `<td class="number">${typeof value === "number" ? value.toFixed(digits) : ""}</td>`;
      });
      return `<tr data-run="${at}" data-file="${escapeText(file)}"><td>${escapeText(String(line["step"]))}</td><td>${escapeText(String(line["stage"] ?? ""))}</td>${cells.join("")}</tr>`;
    });
  if (rows.length === 0) return "";
  const heads = STEP_COLUMNS.map(([head]) => `<th class="number">${head}</th>`).join("");
  return `<details${at === 0 ? " open" : ""}><summary>${escapeText(run.name)}<span class="dim">a click shows the step's rollouts</span></summary><div class="steps"><table><tr><th>step</th><th>stage</th>${heads}</tr>${rows.join("")}</table></div></details>`;
}

function timelines(run: RunData): string {
  const steps = [...Map.groupBy(run.timeline, ({ step }) => step)].slice(-TIMELINES).toReversed();
  return steps
    .map(([step, entries], at) => {
      const plots = timelinePlots(entries);
      return plots === ""
        ? ""
        : `<details${at === 0 ? " open" : ""}><summary>${escapeText(run.name)}, step ${step}</summary>${plots}</details>`;
    })
    .join("");
}

const ROLLOUTS = `<h2 id="rollouts">Rollouts</h2><div class="controls"><select id="run" aria-label="run"></select>
<select id="file" aria-label="step"></select><select id="filter" aria-label="which">${options(FILTERS)}</select>
<select id="order" aria-label="order">${options(ORDERS)}</select><input id="search" type="search" placeholder="text of a rollout" aria-label="text">
<span id="count" class="dim"></span></div><div class="rollouts"><div id="list"></div><div id="detail" class="card"></div></div>`;

/**
 * @param rows transcripts that the page brings with it, by run and name; others it asks its server for
 * @param files names that it offers, by run
 */
export function viewPage(
  runs: readonly RunData[],
  rows: readonly Readonly<Record<string, unknown[]>>[],
  files: readonly (readonly string[])[],
): string {
  const series = runs.map(({ name, metrics }) => ({ name, runs: [metrics] }));
  const curves = curvesOf(Math.max(...runs.map(attemptsOf))).map((curve) => plotCurve(series, curve));
  const hash = createHash("sha256").update(PAGE_SCRIPT).digest("base64");
  const policy = `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${hash}'; connect-src 'self'; base-uri 'none'; form-action 'none'`;
  const data = runs.map(({ name }, at) => ({ name, files: files[at] ?? [], rows: rows[at] ?? {} }));
  const engines = runs.map(timelines).join("");
  const title = escapeText(runs.map(({ name }) => name).join(", "));
  const configs = runs.map(
    (run) =>
      `<details><summary>Recipe of ${escapeText(run.name)}</summary><pre>${escapeText(JSON.stringify(run.config, null, 2))}</pre></details>`,
  );
  return (
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}">` +
    `<meta name="viewport" content="width=device-width, initial-scale=1"><title>${title}</title><style>${STYLE}${PAGE_STYLE}</style></head>` +
    `<body><main><h1>Rollcall <small class="dim">training</small></h1>${runs.map(scores).join("")}` +
    `<h2>Curves</h2><div class="plots">${curves.join("")}</div>${runs[0] === undefined ? "" : otherCurves(runs[0])}` +
    `<h2>Steps</h2>${runs.map(stepTable).join("")}${ROLLOUTS}` +
    `${engines === "" ? "" : `<h2>Engines</h2>${engines}`}<h2>Recipes</h2>${configs.join("")}</main>` +
    `<script type="application/json" id="data">${embed({ runs: data })}</script><script>${PAGE_SCRIPT}</script></body></html>\n`
  );
}
