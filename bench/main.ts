/** Entry of `rollcall bench`: flags, the suites that they ask for, results as JSON, HTML and a table. */
import fs from "node:fs";
import path from "node:path";
import { FlagError, HELP, readBenchFlags, type Flags } from "./flags.ts";
import { createLoadSuite } from "./load-command.ts";
import { describeMachine, describeOrigin } from "./machine/description.ts";
import { micro } from "./micro/suite.ts";
import { DRIVERS } from "./peers/registry.ts";
import { INTERPRETER } from "./reference/fork-loop.ts";
import { renderReport } from "./report/html.ts";
import { compareResults } from "./results/compare.ts";
import { parseResults, SCHEMA, type ResultFile, type SuiteResult } from "./results/schema.ts";
import { comparisonTable, countStates, suiteTable, summary } from "./results/table.ts";
import { burstSuite } from "./suites/burst.ts";
import { cores } from "./suites/cores.ts";
import { doors } from "./suites/doors.ts";
import { latency } from "./suites/latency.ts";
import { overhead } from "./suites/overhead.ts";
import { peers } from "./suites/peers.ts";
import { recover } from "./suites/recover.ts";
import { replay } from "./suites/replay.ts";
import { runSuite } from "./suites/session.ts";
import { start } from "./suites/start.ts";
import { step } from "./suites/step.ts";
import type { PeerTargets, Suite } from "./suites/suite.ts";
import { sweep } from "./suites/sweep.ts";
import { trivial } from "./suites/trivial.ts";
import { verify } from "./suites/verify.ts";
import { STDERR } from "./terminal/progress.ts";

const POINTS: readonly Suite[] = [overhead, trivial, peers, latency, burstSuite, start, cores];
const SUITES: readonly Suite[] = [...POINTS, recover, sweep, step, verify, doors, replay, micro];

const PEER_CONNECTIONS = 64;

function suitesOf({ mode, load }: Flags): readonly Suite[] {
  if (mode.kind === "load") return [createLoadSuite(load)];
  if (mode.kind !== "suites") return [];
  return mode.names.flatMap((name) => {
    if (name === "all") return POINTS;
    const suite = SUITES.find((one) => one.name === name);
    if (suite === undefined)
      throw new FlagError(
        `there is no suite ${name}; there are all, ${SUITES.map((one) => one.name).join(", ")}`,
      );
    return [suite];
  });
}

function peerTargets({ peerUrls, peerPids }: Flags): PeerTargets["peers"] {
  return new Map(
    [...peerUrls].map(([name, url]) => {
      const pid = peerPids.get(name) ?? null;
      return [name, () => DRIVERS[name]({ url, pid, connections: PEER_CONNECTIONS })];
    }),
  );
}

const readResults = (file: string): ResultFile => parseResults(fs.readFileSync(file, "utf8"), file);

/** Writes both files and gives their common name. */
function write(directory: string, file: ResultFile): string {
  fs.mkdirSync(directory, { recursive: true });
  const stamp = file.date.replaceAll(/[:.]/g, "-");
  const stem = path.join(
    directory,
    `${stamp}-${file.suites.map(({ name }) => name).join("-")}`.slice(0, 200),
  );
  fs.writeFileSync(`${stem}.json`, `${JSON.stringify(file)}\n`);
  fs.writeFileSync(`${stem}.html`, renderReport(file));
  return stem;
}

async function measure(flags: Flags, argv: readonly string[], say: (text: string) => void): Promise<number> {
  const wanted = suitesOf(flags);
  const interrupt = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => interrupt.abort(new Error(`ended by ${signal}`)));
  const date = new Date().toISOString();
  const machine = describeMachine(INTERPRETER);
  const suites: SuiteResult[] = [];
  for (const suite of wanted) {
    if (interrupt.signal.aborted) break;
    const result = await runSuite(suite, {
      quick: flags.quick,
      output: STDERR,
      signal: interrupt.signal,
      peers: peerTargets(flags),
      serviceFlags: flags.service,
      ...(flags.seed === null ? {} : { seed: flags.seed }),
    });
    suites.push(result);
    say(suiteTable(result));
  }
  // A key must not end up in a file that is passed on.
  const shown = argv.map((word, index) =>
    argv[index - 1] === "--key" ? "…" : word.replace(/^--key=.*/, "--key=…"),
  );
  const file: ResultFile = {
    schema: SCHEMA,
    date,
    origin: describeOrigin(),
    machine,
    quick: flags.quick,
    flags: shown,
    suites,
  };
  const stem = write(flags.out, file);
  say(`\n${summary(file)}\n${stem}.json\n${stem}.html`);
  const isGood = countStates(file).missed === 0 && suites.every(({ failure }) => failure === null);
  return isGood && !interrupt.signal.aborted ? 0 : 1;
}

function compare(before: ResultFile, after: ResultFile, say: (text: string) => void): number {
  if (before.machine.cpu !== after.machine.cpu || before.machine.cores !== after.machine.cores)
    say("these were measured on different machines: differences are theirs too");
  if (before.quick || after.quick) say("one of these is a quick run: its numbers are rough");
  const rows = compareResults(before, after);
  say(comparisonTable(rows));
  const count = (change: string) => rows.filter((row) => row.change === change).length;
  say(`\n${count("better")} better, ${count("worse")} worse, ${count("same")} within the noise`);
  return count("worse") === 0 ? 0 : 1;
}

/**
 * Carries out `rollcall bench`.
 * @returns the exit code: 0 when no target was missed and nothing got worse.
 */
export async function runBench(
  argv: readonly string[],
  say: (text: string) => void = (text) => void process.stdout.write(`${text}\n`),
): Promise<number> {
  try {
    const flags = readBenchFlags(argv);
    const { mode } = flags;
    if (mode.kind === "help") {
      say(HELP);
      return 0;
    }
    if (mode.kind === "compare") return compare(readResults(mode.files[0]), readResults(mode.files[1]), say);
    if (mode.kind === "report") {
      const file = mode.file.replace(/\.json$/, "") + ".html";
      fs.writeFileSync(file, renderReport(readResults(mode.file)));
      say(file);
      return 0;
    }
    return await measure(flags, argv, say);
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    say(`${error.message}\n\n${HELP}`);
    return 2;
  }
}
