/** One page of HTML that needs nothing else: no script, no font, no picture from anywhere. */
import {
  stateOf,
  type LoadResult,
  type Measure,
  type ResultFile,
  type SuiteResult,
} from "../results/schema.ts";
import { countStates, number, quantity } from "../results/table.ts";
import { loadPlots } from "./load-plots.ts";
import { drawPlot, escapeText } from "../../src/lib/line-plot.ts";
import { STYLE } from "../../src/lib/page-style.ts";

const STATE_CLASS = { met: "met", missed: "missed", told: "told", "not given": "open" } as const;
/** A load with fewer seconds has nothing to show over time. */
const PLOTTED_SECONDS_MIN = 2;
const LOADS_OPEN = 1;

function fact(name: string, value: string): string {
  return `<li>${name} <b>${escapeText(value)}</b></li>`;
}

function header({ date, origin, machine, quick, flags }: ResultFile): string {
  const facts = [
    fact("measured", date.replace("T", " ").replace(/\..*/, " UTC")),
    fact("commit", `${origin.commit.slice(0, 10)}${origin.changed ? " and changes in no commit" : ""}`),
    fact("CPU", `${machine.cpu}, ${machine.cores} cores`),
    fact("memory", `${number(machine.memoryBytes / 2 ** 30)} GiB`),
    fact("kernel", machine.kernel),
    fact("Node", machine.node),
    fact("Python", machine.python),
    fact("load before", machine.loadBefore.toFixed(2)),
    fact("flags", flags.join(" ")),
  ];
  const busy = machine.loadBefore > machine.cores / 4;
  const warnings = [
    ...(quick
      ? ["A quick run: few calls and one round. It shows that everything runs; its numbers are rough."]
      : []),
    ...(busy
      ? [
          `The machine was busy before the start (load ${machine.loadBefore.toFixed(2)} on ${machine.cores} cores): numbers are worse than they could be, ratios less exact.`,
        ]
      : []),
  ];
  return `<h1>Rollcall bench</h1><ul class="facts">${facts.join("")}</ul>${warnings
    .map((text) => `<p class="warning">${escapeText(text)}</p>`)
    .join("")}`;
}

type Card = readonly [kind: string, value: string, label: string];

/** What a single load comes down to. */
function loadCards({ recorded, cpuMs }: LoadResult): Card[] {
  const { answered, planned, wrong, perSecond, latency } = recorded;
  const right = answered - wrong;
  return [
    [right === planned ? "met" : "missed", `${number((100 * right) / planned)} %`, "answered rightly"],
    ["", number(perSecond), "calls/s"],
    ["", `${number(latency.p50Ms)} ms`, "p50"],
    ["", `${number(latency.p99Ms)} ms`, "p99"],
    ...(cpuMs === null
      ? []
      : [["", `${number(cpuMs / Math.max(1, answered))} ms`, "CPU a call, server and children"] as const]),
  ];
}

/** What suites come down to. */
function suiteCards(file: ResultFile, loads: readonly LoadResult[]): Card[] {
  const { met, missed, "not given": open } = countStates(file);
  const calls = loads.reduce((sum, { recorded }) => sum + recorded.answered, 0);
  const whole = (value: number): string => value.toLocaleString("en-US");
  return [
    ["met", whole(met), "targets met"],
    [missed > 0 ? "missed" : "", whole(missed), "missed"],
    [open > 0 ? "open" : "", whole(open), "not given"],
    ["", whole(calls), "calls answered"],
  ];
}

function scores(file: ResultFile): string {
  const loads = file.suites.flatMap((suite) => suite.loads);
  const [only] = loads;
  const isOne = only !== undefined && loads.length === 1 && only.recorded.planned > 0;
  const cards = isOne ? loadCards(only) : suiteCards(file, loads);
  const drawn = cards.map(
    ([kind, value, label]) => `<div class="score ${kind}"><b>${value}</b>${label}</div>`,
  );
  return `<div class="scores">${drawn.join("")}</div>`;
}

function measureRow(measure: Measure): string {
  const state = stateOf(measure);
  const { label, unit, target, value, better, note, rounds } = measure;
  const targetText = target === null ? "" : `${better === "lower" ? "≤" : "≥"} ${quantity(target, unit)}`;
  const spread = rounds.length < 2 ? "" : `${number(Math.min(...rounds))} to ${number(Math.max(...rounds))}`;
  const noteText = note === null ? "" : `<span class="note">${escapeText(note)}</span>`;
  const chip = state === "told" ? "" : `<span class="chip ${STATE_CLASS[state]}">${state}</span>`;
  return (
    `<tr class="${STATE_CLASS[state]}"><td${label.startsWith("  ") ? ' class="sub"' : ""}>${escapeText(label.trim())}${noteText}</td>` +
    `<td class="number">${escapeText(targetText)}</td><td class="number"><b>${escapeText(quantity(value, unit))}</b></td>` +
    `<td class="number dim">${spread}</td><td>${chip}</td></tr>`
  );
}

function measureTable(measures: readonly Measure[]): string {
  if (measures.length === 0) return "";
  const head =
    '<tr><th>measure</th><th class="number">target</th><th class="number">measured</th><th class="number">rounds</th><th></th></tr>';
  return `<div class="card"><table>${head}${measures.map(measureRow).join("")}</table></div>`;
}

function loadSection(load: LoadResult, isOpen: boolean): string {
  const { recorded } = load;
  const facts = [
    `${recorded.answered.toLocaleString("en-US")} of ${recorded.planned.toLocaleString("en-US")} answered`,
    `${number(recorded.perSecond)} calls/s`,
    `p50 ${number(recorded.latency.p50Ms)} ms`,
    `p99 ${number(recorded.latency.p99Ms)} ms`,
    ...(load.cpuMs === null ? [] : [`${number(load.cpuMs / Math.max(1, recorded.answered))} ms CPU/call`]),
    ...(recorded.wrong > 0 ? [`${recorded.wrong} wrong`] : []),
    ...Object.entries(recorded.refused).map(([reason, count]) => `${count} ${reason}`),
  ];
  const outcomes = Object.entries(recorded.outcomes).map(([name, count]) => `${name} ${count}`);
  const wrong = recorded.wrongTexts.map((text) => `<div class="note">wrong: ${escapeText(text)}</div>`);
  return (
    `<details${isOpen ? " open" : ""}><summary><b>${escapeText(load.name)}</b> ${escapeText(load.target)}` +
    `<span class="dim">${escapeText(facts.join(" · "))}</span></summary>` +
    `<div class="note">${escapeText(outcomes.join(", "))}</div>${wrong.join("")}${loadPlots(load)}</details>`
  );
}

function suiteSection(suite: SuiteResult): string {
  const curves = suite.curves.map((curve) => drawPlot({ ...curve, xIsLogarithmic: curve.isLogarithmic }));
  const weight = ({ name, recorded }: LoadResult) => (name.includes("warming up") ? 0 : recorded.answered);
  const isLong = ({ recorded }: LoadResult) => recorded.seconds.length >= PLOTTED_SECONDS_MIN;
  const loads = suite.loads
    .filter(isLong)
    .toSorted((one, two) => weight(two) - weight(one))
    .map((load, index) => loadSection(load, index < LOADS_OPEN));
  const failure =
    suite.failure === null ? "" : `<p class="warning failure">not finished: ${escapeText(suite.failure)}</p>`;
  return (
    `<section><h2>${escapeText(suite.title)}<small>${escapeText(suite.name)}, ${suite.seconds.toFixed(0)} s</small></h2>` +
    `${failure}${measureTable(suite.measures)}` +
    `${curves.length > 0 ? `<div class="plots">${curves.join("")}</div>` : ""}${loads.join("")}</section>`
  );
}

export function renderReport(file: ResultFile): string {
  const title = `Rollcall bench, ${file.date.slice(0, 10)}`;
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeText(title)}</title><style>${STYLE}</style></head>
<body><main>
${header(file)}
${scores(file)}
${file.suites.map(suiteSection).join("\n")}
<p class="dim">Latency counts from the time at which a call was meant to be sent. What each number does not say: bench/README.md.</p>
</main></body></html>
`;
}
