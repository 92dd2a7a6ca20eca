/** Results as text for a terminal. */
import { ink } from "../terminal/ink.ts";
import type { Change, Comparison } from "./compare.ts";
import { stateOf, type Measure, type ResultFile, type State, type SuiteResult } from "./schema.ts";

const LABEL_WIDTH = 68;
const NUMBER_WIDTH = 22;

const PAINT: Readonly<Record<State, (text: string) => string>> = {
  met: ink.green,
  missed: ink.red,
  told: ink.dim,
  "not given": ink.yellow,
};

/** Three digits that mean something, without an exponent. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return "∞";
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString("en-US");
  return size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : value.toFixed(2);
}

export function quantity(value: number | null, unit: string): string {
  if (value === null) return "-";
  if (unit === "x") return `${number(value)}x`;
  return `${unit === "calls" ? Math.round(value).toLocaleString("en-US") : number(value)} ${unit}`;
}

function targetText({ target, unit, better }: Measure): string {
  return target === null ? "" : `${better === "lower" ? "≤" : "≥"} ${quantity(target, unit)}`;
}

function row(measure: Measure): string {
  const state = stateOf(measure);
  const cells = [
    measure.label.padEnd(LABEL_WIDTH),
    targetText(measure).padStart(NUMBER_WIDTH),
    quantity(measure.value, measure.unit).padStart(NUMBER_WIDTH),
  ];
  const note = measure.note === null ? "" : ink.dim(`  ${measure.note}`);
  return `  ${cells.join("")}  ${PAINT[state](state === "told" ? "" : state)}${note}`;
}

/** One line for each load whose answers were not all there and right. */
function flaws({ loads }: SuiteResult): string[] {
  return loads.flatMap(({ name, target, recorded }) => {
    const refused = Object.entries(recorded.refused).map(([reason, count]) => `${count} ${reason}`);
    if (recorded.wrong > 0)
      refused.push(`${recorded.wrong} wrong, e.g. ${recorded.wrongTexts[0] ?? "unknown"}`);
    return refused.length === 0 ? [] : [ink.yellow(`  ${target}, ${name}: ${refused.join(", ")}`)];
  });
}

export function suiteTable(suite: SuiteResult): string {
  const lines = [ink.bold(`\n${suite.name}: ${suite.title}`) + ink.dim(`  ${suite.seconds.toFixed(0)} s`)];
  lines.push(...suite.measures.map(row), ...flaws(suite));
  if (suite.failure !== null) lines.push(ink.red(`  not finished: ${suite.failure}`));
  return lines.join("\n");
}

export function countStates({ suites }: Pick<ResultFile, "suites">): Record<State, number> {
  const counts: Record<State, number> = { met: 0, missed: 0, told: 0, "not given": 0 };
  for (const measure of suites.flatMap(({ measures }) => measures)) counts[stateOf(measure)] += 1;
  return counts;
}

export function summary(file: ResultFile): string {
  const { met, missed, "not given": open } = countStates(file);
  const failed = file.suites.filter(({ failure }) => failure !== null).length;
  const words = [`${met} met`, `${missed} missed`, `${open} not given`];
  if (failed > 0) words.push(`${failed} suites not finished`);
  return (missed + failed > 0 ? ink.red : ink.green)(words.join(", "));
}

const PAINT_CHANGE: Readonly<Record<Change, (text: string) => string>> = {
  better: ink.green,
  worse: ink.red,
  same: ink.dim,
  "only before": ink.yellow,
  "only after": ink.yellow,
};

function percentText(difference: number | null): string {
  if (difference === null) return "";
  return `${difference > 0 ? "+" : ""}${number(difference * 100)} %`;
}

/** One block for each suite; the columns are as wide as what is in them. */
export function comparisonTable(rows: readonly Comparison[]): string {
  const cells = rows.map((row) => ({
    ...row,
    texts: [
      quantity(row.before, row.unit),
      quantity(row.after, row.unit),
      percentText(row.difference),
      row.difference === null ? "" : `±${(row.band * 100).toFixed(0)} %`,
    ],
  }));
  const heads = ["before", "after", "change", "noise"];
  const labelWidth = Math.max(0, ...rows.map(({ label }) => label.length)) + 2;
  const widths = heads.map((head, column) =>
    Math.max(head.length, ...cells.map(({ texts }) => texts[column]?.length ?? 0)),
  );
  const line = (texts: readonly string[]): string =>
    texts.map((text, column) => text.padStart((widths[column] ?? 0) + 2)).join("");
  const blocks = [...Map.groupBy(cells, ({ suite }) => suite)].map(([suite, members]) => {
    const head = ink.bold(suite.padEnd(labelWidth + 2)) + ink.dim(line(heads));
    const lines = members.map(
      ({ label, texts, change }) =>
        `  ${label.padEnd(labelWidth)}${line(texts)}  ${PAINT_CHANGE[change](change)}`,
    );
    return [head, ...lines].join("\n");
  });
  return blocks.join("\n\n");
}
