/** The simulation's results as a table for a terminal and as a page. */
import { drawBars } from "../../lib/bar-plot.ts";
import { escapeText } from "../../lib/line-plot.ts";
import { STYLE } from "../../lib/page-style.ts";
import { timelinePlots } from "../view/timeline-plots.ts";
import type { PolicyName } from "./policies.ts";
import type { Setting, StepOutcome } from "./simulate.ts";

/** One policy in one setting: its steps, for each seed. */
export interface Cell {
  readonly setting: Setting;
  readonly policy: PolicyName;
  readonly runs: readonly (readonly StepOutcome[])[];
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

/** Mean seconds of a step, of each seed. */
export function stepSeconds({ runs }: Cell): number[] {
  return runs.map((steps) => mean(steps.map(({ seconds }) => seconds)));
}

function row(cell: Cell): readonly string[] {
  const steps = cell.runs.flat();
  const first = mean(cell.runs.map((run) => run[0]?.seconds ?? 0));
  const later = mean(cell.runs.flatMap((run) => run.slice(1).map(({ seconds }) => seconds)));
  return [
    cell.policy,
    mean(stepSeconds(cell)).toFixed(0),
    first.toFixed(0),
    later.toFixed(0),
    `${(mean(steps.map(({ recomputed }) => recomputed)) / 1e6).toFixed(2)}M`,
    `${(mean(steps.map(({ kvUse }) => kvUse)) * 100).toFixed(0)} %`,
  ];
}

const HEAD = ["policy", "s/step", "first", "later", "recomputed", "KV use"] as const;

/** Markdown, which is also what a terminal shows. */
export function simulationTable(cells: readonly Cell[]): string {
  const bySetting = [...Map.groupBy(cells, ({ setting }) => setting.name)];
  return bySetting
    .map(([name, own]) => {
      const rows = [HEAD, ...own.map(row)];
      const widths = HEAD.map((_, at) => Math.max(...rows.map((cells) => cells[at]?.length ?? 0)));
      const line = (cells: readonly string[]): string =>
        `| ${cells.map((text, at) => (at === 0 ? text.padEnd(widths[at] ?? 0) : text.padStart(widths[at] ?? 0))).join(" | ")} |`;
      const rule = `|${widths.map((width, at) => (at === 0 ? "-".repeat(width + 2) : `${"-".repeat(width + 1)}:`)).join("|")}|`;
      return `${name}\n\n${[line(HEAD), rule, ...rows.slice(1).map(line)].join("\n")}\n`;
    })
    .join("\n");
}

export function simulationPage(cells: readonly Cell[], told: string): string {
  const bars = [...Map.groupBy(cells, ({ setting }) => setting.name)].map(([name, own]) =>
    drawBars(
      name,
      "seconds a step",
      own.map((cell) => {
        const seconds = stepSeconds(cell);
        return {
          name: cell.policy,
          value: mean(seconds),
          spread: [Math.min(...seconds), Math.max(...seconds)],
          isOurs: cell.policy === "scheduler",
        };
      }),
    ),
  );
  const timelines = cells
    .filter(({ policy }) => policy === "scheduler")
    .map(({ setting, runs }) => {
      const plots = timelinePlots(runs[0]?.[1]?.timeline ?? []);
      return plots === ""
        ? ""
        : `<h2>Engines <small>${escapeText(setting.name)}, second step</small></h2>${plots}`;
    });
  return (
    `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">` +
    `<title>Rollout scheduling, simulated</title><style>${STYLE}</style><main><h1>Rollout scheduling, simulated</h1>` +
    `<p class="dim">${escapeText(told)}</p><div class="plots">${bars.join("")}</div>` +
    `<details><summary>Table</summary><pre>${escapeText(simulationTable(cells))}</pre></details>${timelines.join("")}</main></html>\n`
  );
}
