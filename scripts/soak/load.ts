/** The load: programs of the example workload and hostile ones, so many in flight, each answer checked. */
import type { Call } from "../../src/contract/call.ts";
import type { Executor } from "../../src/contract/executor.ts";
import type { Result } from "../../src/contract/result.ts";
import { callOf, checkResult, createDraw, createRandom, loadPrograms } from "../../workload/mix.ts";
import { checkHostile, HOSTILE } from "./hostile.ts";

/** Shares of all calls. Programs for JavaScript have no weight in the workload's own mixes. */
const HOSTILE_SHARE = 0.08;
const JAVASCRIPT_SHARE = 0.15;
/** For programs that never end, and for those that do, on a machine however busy. Milliseconds. */
const ENDLESS_WALL_MS = 500;
const WALL_MS = 60_000;
/** Of what went wrong, how much is kept to be shown. */
const FINDINGS_MAX = 50;

export interface Tally {
  sent: number;
  answered: number;
  /** Calls that got no Result. */
  lost: number;
  wrong: number;
  hostile: number;
  readonly outcomes: Record<string, number>;
  readonly findings: string[];
}

export function newTally(): Tally {
  return { sent: 0, answered: 0, lost: 0, wrong: 0, hostile: 0, outcomes: {}, findings: [] };
}

interface Planned {
  readonly name: string;
  readonly hostile: boolean;
  readonly call: Call;
  check(result: Result): string | null;
}

/** An endless source of calls; the same seed gives the same calls. */
export function createPlan(seed: number): () => Planned {
  const random = createRandom(seed);
  const programs = loadPrograms();
  const draw = createDraw(programs, "early_policy", random);
  const scripts = programs.filter(({ runtime }) => runtime !== "python");
  const oneOf = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)] as T;
  return () => {
    const kind = random();
    if (kind < HOSTILE_SHARE) {
      const program = oneOf(HOSTILE);
      return {
        name: program.name,
        hostile: true,
        call: program.call,
        check: (result) => checkHostile(program, result),
      };
    }
    const program = kind < HOSTILE_SHARE + JAVASCRIPT_SHARE ? oneOf(scripts) : draw();
    const wall_ms = program.expect.outcome === "wall_limit" ? ENDLESS_WALL_MS : WALL_MS;
    return {
      name: program.kind,
      hostile: false,
      call: callOf(program, { limits: { wall_ms } }),
      check: (result) => checkResult(program, result),
    };
  };
}

function note(tally: Tally, text: string): void {
  if (tally.findings.length < FINDINGS_MAX) tally.findings.push(text);
}

async function sendOne(executor: Executor, planned: Planned, tally: Tally): Promise<void> {
  tally.sent++;
  if (planned.hostile) tally.hostile++;
  try {
    const result = await executor.execute(planned.call);
    tally.answered++;
    tally.outcomes[result.outcome] = (tally.outcomes[result.outcome] ?? 0) + 1;
    const why = planned.check(result);
    if (why === null) return;
    tally.wrong++;
    note(tally, `${planned.name}: ${why}`);
  } catch (error) {
    tally.lost++;
    note(tally, `${planned.name}: no answer: ${String(error)}`);
  }
}

export interface LoadOptions {
  readonly calls: number;
  readonly inFlight: number;
  readonly signal: AbortSignal;
}

/** Sends that many calls and resolves when the last has its answer; fewer when the signal aborts. */
export async function sendLoad(
  executor: Executor,
  plan: () => Planned,
  tally: Tally,
  { calls, inFlight, signal }: LoadOptions,
): Promise<void> {
  let left = calls;
  const sender = async () => {
    while (left-- > 0 && !signal.aborted) await sendOne(executor, plan(), tally);
  };
  await Promise.all(Array.from({ length: inFlight }, sender));
}

/** One program for each import profile, long enough for every slot to take one at the same time. */
const WARM_SOURCES = [
  "import time\ntime.sleep(0.5)",
  "import subprocess, time\ntime.sleep(0.5)",
  "import numpy, time\ntime.sleep(0.5)",
  "import sympy, time\ntime.sleep(0.5)",
  "import pandas, time\ntime.sleep(0.5)",
];

/** Lets every slot make everything it makes at its first use, so that what comes later is growth. */
export async function warmUp(executor: Executor, slots: number): Promise<void> {
  for (const source of WARM_SOURCES) {
    const calls = Array.from({ length: 2 * slots }, (): Call => ({ runtime: "python", source }));
    await Promise.all(calls.map((call) => executor.execute(call)));
  }
  for (const runtime of ["node", "javascript"] as const) {
    const calls = Array.from({ length: 2 * slots }, (): Call => ({
      runtime,
      source: "setTimeout(() => {}, 400)",
    }));
    await Promise.all(calls.map((call) => executor.execute(call)));
  }
}
