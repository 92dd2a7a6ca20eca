/** What the demo says at its end. */
import type { CpuUse } from "../../bench/machine/cpu.ts";
import { ink, ms, quantile, whole } from "../../bench/terminal/ink.ts";
import type { Report, Row } from "./tally.ts";

const NAME_WIDTH = 16;
const NUMBER_WIDTH = 10;

function line(name: string, cells: readonly (number | string)[]): string {
  const texts = cells.map((cell) => (typeof cell === "number" ? whole(cell) : cell).padStart(NUMBER_WIDTH));
  return `  ${name.padEnd(NAME_WIDTH)}${texts.join("")}`;
}

function outcomeLine(name: string, { expected, got, right }: Row): string {
  const text = line(name, [expected, got, right]);
  return right === expected && got === expected ? text : ink.red(text);
}

function quantiles(ascending: readonly number[]): string[] {
  return [0.5, 0.95, 0.99].map((share) => ms(quantile(ascending, share)));
}

function outcomeTable({ rows }: Report): string[] {
  const total = { expected: 0, got: 0, right: 0 };
  for (const row of Object.values(rows)) {
    total.expected += row.expected;
    total.got += row.got;
    total.right += row.right;
  }
  return [
    ink.bold(line("outcome", ["expected", "got", "right"])),
    ...Object.entries(rows).map(([name, row]) => outcomeLine(name, row)),
    outcomeLine("all", total),
  ];
}

function answeredOnce({ missing, surplus }: Report): string {
  if (missing.length === 0 && surplus.length === 0) return "yes: no id missing, none twice";
  return ink.red(`no: ${whole(missing.length)} missing, ${whole(surplus.length)} that should not be there`);
}

export function finalTable(report: Report, cpu: CpuUse): string {
  const { calls, loadCalls, loadMs, latencies, ownCpuMs } = report;
  const perCall = cpu.totalMs / calls;
  const own = ownCpuMs / calls;
  const wrong = report.wrong.map((text) => ink.red(`  wrong: ${text}`));
  const unseen = report.wrongCount - report.wrong.length;
  return [
    "",
    ...outcomeTable(report),
    "",
    ink.bold(line("latency", ["p50", "p95", "p99"])),
    line("call alone", quantiles(latencies.alone)),
    line("under load", quantiles(latencies.single)),
    line("in a batch", quantiles(latencies.batch)),
    line("slot to start", quantiles(report.starts)),
    "",
    `  answered once   ${answeredOnce(report)}`,
    `  rate            ${ink.bold(`${whole(loadCalls / (loadMs / 1000))} calls/s`)} under load, over ${(loadMs / 1000).toFixed(1)} s`,
    `  CPU per call    ${ms(perCall)} of the service and all its children; ${ms(own)} of it the programs' own computing`,
    ...wrong,
    ...(unseen > 0 ? [ink.red(`  and ${whole(unseen)} more`)] : []),
    "",
  ].join("\n");
}
