/** The load: what is asked by which door and how often, so many in flight, each answer checked. */
import type { Call } from "../../src/contract/call.ts";
import type { Client } from "../../src/client/index.ts";
import type { Executor } from "../../src/contract/executor.ts";
import type { Result } from "../../src/contract/result.ts";
import { callOf, checkResult, createDraw, createRandom, loadPrograms } from "../../workload/mix.ts";
import { judgeBatch, type Post, verifyOne } from "./doors.ts";
import { checkHostile, HOSTILE } from "./hostile.ts";
import { runRollout } from "./rollouts.ts";
import { askOnce, type Tally } from "./tally.ts";

/** What one item of the load is, and its share of all items; a rollout and a batch are several calls. */
const SHARES = {
  hostile: 0.08,
  /** Programs for JavaScript and Node have no weight in the workload's own mixes. */
  script: 0.14,
  compiled: 0.03,
  verification: 0.08,
  judge: 0.02,
  rollout: 0.03,
} as const;
type Kind = keyof typeof SHARES | "program";

/** For programs that never end, and for those that do, on a machine however busy. Milliseconds. */
const ENDLESS_WALL_MS = 500;
const WALL_MS = 60_000;

export interface Doors {
  readonly client: Client;
  /** For other systems' routes. */
  readonly post: Post;
}

/** One item: asks, checks, and notes what came back. */
export type Item = (doors: Doors, tally: Tally) => Promise<unknown>;

function callItem(
  name: string,
  hostile: boolean,
  call: Call,
  check: (result: Result) => string | null,
): Item {
  return ({ client }, tally) =>
    askOnce(tally, {
      name,
      door: "calls",
      hostile,
      ask: () => client.execute(call),
      outcomeOf: ({ outcome }) => outcome,
      check,
    });
}

/** A program in C++ that prints `n`: few texts, so that most are compiled already. */
function compiledItem(n: number): Item {
  const source = `#include <cstdio>\nint main() { std::printf("%d\\n", ${n} * 2); }`;
  const call: Call = { runtime: "cpp", source, limits: { wall_ms: WALL_MS } };
  return callItem("compiled", false, call, ({ outcome, stdout, stderr, detail }) =>
    outcome === "completed" && stdout === `${2 * n}\n`
      ? null
      : `${outcome}, ${JSON.stringify(stdout)}: ${detail ?? stderr.slice(-200)}`,
  );
}

/** Different programs in C++. */
const COMPILED_PROGRAMS = 12;

/** An endless source of items; the same seed gives the same. */
export function createPlan(seed: number): () => Item {
  const random = createRandom(seed);
  const programs = loadPrograms();
  const draw = createDraw(programs, "early_policy", random);
  const scripts = programs.filter(({ runtime }) => runtime !== "python");
  const oneOf = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)] as T;
  const below = (n: number) => Math.floor(random() * n);
  const program = (one: (typeof programs)[number]): Item => {
    const wall_ms = one.expect.outcome === "wall_limit" ? ENDLESS_WALL_MS : WALL_MS;
    return callItem(one.kind, false, callOf(one, { limits: { wall_ms } }), (result) =>
      checkResult(one, result),
    );
  };
  const kinds: Record<Kind, () => Item> = {
    hostile() {
      const one = oneOf(HOSTILE);
      return callItem(one.name, true, one.call, (result) => checkHostile(one, result));
    },
    script: () => program(oneOf(scripts)),
    program: () => program(draw()),
    compiled: () => compiledItem(below(COMPILED_PROGRAMS)),
    verification() {
      const n = below(1 << 20);
      return ({ client }, tally) => verifyOne(client, tally, n);
    },
    judge() {
      const n = below(1000);
      return ({ post }, tally) => judgeBatch(post, tally, n);
    },
    rollout() {
      // A source of its own: what it draws depends on when its calls are answered.
      const [own, x] = [createRandom(below(2 ** 32)), below(1_000_000)];
      return ({ client }, tally) => runRollout(client, tally, own, x);
    },
  };
  return () => {
    let rest = random();
    const kind = (Object.keys(SHARES) as (keyof typeof SHARES)[]).find((name) => (rest -= SHARES[name]) < 0);
    return kinds[kind ?? "program"]();
  };
}

export interface LoadOptions {
  /** No item is begun when the tally has so many calls; the last ones may bring a few more. */
  readonly sentMax: number;
  readonly inFlight: number;
  readonly signal: AbortSignal;
}

/** Sends items and resolves when the last has its answers; fewer when the signal aborts. */
export async function sendLoad(
  doors: Doors,
  plan: () => Item,
  tally: Tally,
  { sentMax, inFlight, signal }: LoadOptions,
): Promise<void> {
  const sender = async () => {
    while (tally.sent < sentMax && !signal.aborted) await plan()(doors, tally);
  };
  await Promise.all(Array.from({ length: inFlight }, sender));
}

/** One program for each of Python's import profiles, long enough for every slot to take one at the same time. */
const WARM_SOURCES = [
  "import time\ntime.sleep(0.5)",
  "import subprocess, time\ntime.sleep(0.5)",
  "import numpy, time\ntime.sleep(0.5)",
  "import sympy, time\ntime.sleep(0.5)",
  "import pandas, time\ntime.sleep(0.5)",
  "import math_verify, time\ntime.sleep(0.5)",
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
  for (const runtime of ["python", "node"] as const) {
    const session = await executor.openSession({ runtime });
    const forks = await session.fork();
    await Promise.all([session, ...forks].map((one) => one.close()));
  }
}
