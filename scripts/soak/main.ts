/** `npm run soak -- --calls 200000`: a mixed hostile and normal load, and whether anything is lost, wrong or grows. */
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { HOSTILE } from "./hostile.ts";
import { soakPage } from "./plot.ts";
import { SERIES } from "./sample.ts";
import { complaints, soak, type SoakReport } from "./soak.ts";
import { DOORS, type Tally } from "./tally.ts";

const HELP = `Usage: npm run soak -- [--calls 4000] [--in-flight 16] [--samples 40] [--seed 1] [--out .rollcall/soak]

Exits 1 when an answer is lost or wrong, when something is left behind or when something grows.
`;

const { values } = parseArgs({
  options: {
    calls: { type: "string", default: "4000" },
    "in-flight": { type: "string", default: "16" },
    samples: { type: "string", default: "40" },
    seed: { type: "string", default: "1" },
    out: { type: "string", default: ".rollcall/soak" },
    help: { type: "boolean", default: false },
  },
});

function positive(name: "calls" | "in-flight" | "samples" | "seed"): number {
  const value = Number(values[name]);
  if (Number.isSafeInteger(value) && value > 0) return value;
  process.stderr.write(`soak: --${name} must be a whole number above 0, not ${values[name]}\n\n${HELP}`);
  return process.exit(2);
}

const whole = (value: number) => value.toLocaleString("en-US", { maximumFractionDigits: 0 });
const short = (value: number) => value.toLocaleString("en-US", { maximumFractionDigits: 1 });

/** The one line at the bottom of a terminal; a line now and then where there is none. What went wrong is told at once. */
function createProgress(calls: number): { show(tally: Tally, seconds: number): void; end(): void } {
  let shownAt = -Infinity;
  let told = 0;
  return {
    show(tally, seconds) {
      for (; told < tally.findings.length; told++) process.stderr.write(`\n  ${tally.findings[told]}\n`);
      if (!process.stderr.isTTY && seconds - shownAt < 15) return;
      shownAt = seconds;
      const text = `${whole(tally.answered)} of ${whole(calls)} calls, ${whole(tally.answered / seconds)}/s, hostile ${whole(tally.hostile)}, lost ${tally.lost}, wrong ${tally.wrong}`;
      process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${text}` : `${text}\n`);
    },
    end: () => void (process.stderr.isTTY && process.stderr.write("\r\x1b[K")),
  };
}

function table({ trends }: SoakReport): string {
  const head = ["", "first", "last", "most", "per 1,000 calls", ""];
  const rows = SERIES.map(({ name, label, unit }) => {
    const { first, last, most, slope, slopeError, grows } = trends[name];
    const error = Number.isFinite(slopeError) ? ` ± ${slopeError.toFixed(3)}` : "";
    return [
      unit === "" ? label : `${label}, ${unit}`,
      short(first),
      short(last),
      short(most),
      `${slope.toFixed(3)}${error}`,
      grows ? "GROWS" : "flat",
    ];
  });
  const widths = head.map((_, column) =>
    Math.max(...[head, ...rows].map((row) => (row[column] ?? "").length)),
  );
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join("  "),
    )
    .join("\n");
}

function summary(report: SoakReport): string[] {
  const { tally, seconds } = report;
  const outcomes = Object.entries(tally.outcomes)
    .toSorted(([, a], [, b]) => b - a)
    .map(([name, count]) => `${name} ${whole(count)}`)
    .join(", ");
  return [
    `${whole(tally.sent)} calls sent in ${short(seconds)} s, ${whole(tally.hostile)} of them hostile (${HOSTILE.length} programs); answered ${whole(tally.answered)}, lost ${tally.lost}, wrong ${tally.wrong}`,
    `by door: ${DOORS.map((door) => `${door} ${whole(tally.doors[door])}`).join(", ")}`,
    `outcomes: ${outcomes}`,
    `sandbox faults ${report.faults}, sandboxes made anew ${report.restarts}, left behind ${report.remains.length}`,
    `${cpus()[0]?.model.trim() ?? "unknown CPU"}, ${availableParallelism()} cores, ${short(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.version}, ${new Date().toISOString().slice(0, 10)}`,
  ];
}

function writeReport(report: SoakReport, lines: readonly string[]): string {
  const directory = path.resolve(values.out);
  mkdirSync(directory, { recursive: true });
  const name = `soak-${report.tally.sent}`;
  const page = soakPage(`Soak of ${whole(report.tally.sent)} calls`, lines, report.samples, report.trends);
  writeFileSync(path.join(directory, `${name}.json`), `${JSON.stringify({ lines, ...report }, null, 1)}\n`);
  writeFileSync(path.join(directory, `${name}.html`), page);
  return path.join(directory, name);
}

async function main(): Promise<number> {
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const calls = positive("calls");
  const interrupt = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => interrupt.abort());
  const progress = createProgress(calls);
  const report = await soak({
    calls,
    inFlight: positive("in-flight"),
    samples: positive("samples"),
    seed: positive("seed"),
    signal: interrupt.signal,
    onProgress: (tally, seconds) => progress.show(tally, seconds),
  });
  progress.end();
  const lines = summary(report);
  const wrong = complaints(report);
  console.log(`${lines.join("\n")}\n\n${table(report)}\n`);
  for (const finding of report.tally.findings) console.log(`  ${finding}`);
  const file = writeReport(report, lines);
  console.log(`${file}.html\n${file}.json`);
  for (const complaint of wrong) console.log(`FAILED: ${complaint}`);
  return wrong.length === 0 && !interrupt.signal.aborted ? 0 : 1;
}

process.exitCode = await main();
