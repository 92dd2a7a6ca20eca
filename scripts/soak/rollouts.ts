/**
 * Rollouts in sessions: one is opened, called, forked, and each fork called by itself; some forks run what harms
 * them. What each variable must be is known, so that an answer out of another session is seen.
 */
import type { Executor } from "../../src/contract/executor.ts";
import type { Outcome } from "../../src/contract/outcome.ts";
import type { Result } from "../../src/contract/result.ts";
import type { Session } from "../../src/contract/session.ts";
import { askOnce, mustSucceed, type Tally } from "./tally.ts";

const LANGUAGES = ["python", "node"] as const;
type Language = (typeof LANGUAGES)[number];

/** For cells that never end, and for those that do, on a machine however busy. Milliseconds. */
const ENDLESS_WALL_MS = 300;
const WALL_MS = 60_000;
const MEMORY_BYTES = 128 << 20;
const FORKS_MAX = 3;
const HOSTILE_SHARE = 0.3;

interface Harm {
  readonly name: string;
  readonly sources: Readonly<Record<Language, string>>;
  readonly outcomes: readonly Outcome[];
  readonly wallMs: number;
  /** Whether its interpreter must be there afterwards; null where it may be. */
  readonly kept: boolean | null;
}

const HARMS: readonly Harm[] = [
  {
    name: "endless cell",
    sources: { python: "while True:\n    pass", node: "for (;;);" },
    outcomes: ["wall_limit"],
    wallMs: ENDLESS_WALL_MS,
    // On a busy machine it may not come back within the grace that it is given.
    kept: null,
  },
  {
    name: "balloon in a session",
    sources: {
      python: "held = []\nwhile True:\n    held.append(bytearray(1 << 20))",
      node: "const held = []; for (;;) held.push(Buffer.alloc(1 << 20, 1));",
    },
    outcomes: ["memory_limit"],
    wallMs: WALL_MS,
    kept: false,
  },
  {
    name: "session that ends itself",
    sources: { python: "import os\nos._exit(3)", node: "process.reallyExit(3)" },
    outcomes: ["failed"],
    wallMs: WALL_MS,
    kept: false,
  },
  {
    name: "processes left in a session",
    sources: {
      python: "import subprocess\nchildren = [subprocess.Popen(['sleep', '600']) for _ in range(3)]",
      node: "for (let i = 0; i < 3; i++) require('child_process').spawn('sleep', ['600']).unref();",
    },
    // Node waits for a child whose pipes are open.
    outcomes: ["completed", "wall_limit"],
    wallMs: 2 * ENDLESS_WALL_MS,
    kept: null,
  },
];

const SOURCES = {
  begin: {
    python: (n: number) => `x = ${n}\nprint(x)`,
    node: (n: number) => `var x = ${n}; console.log(x)`,
  },
  add: {
    python: (n: number) => `x += ${n}\nprint(x)`,
    node: (n: number) => `x += ${n}; console.log(x)`,
  },
} as const;

interface Rollout {
  readonly tally: Tally;
  readonly language: Language;
  readonly random: () => number;
}

function cell(
  { tally, language }: Rollout,
  session: Session,
  step: keyof typeof SOURCES,
  n: number,
  x: number,
) {
  return askOnce(tally, {
    name: `session of ${language}: ${step}`,
    door: "sessions",
    ask: () =>
      session.execute({ source: SOURCES[step][language](n), mode: "script", limits: { wall_ms: WALL_MS } }),
    outcomeOf: ({ outcome }: Result) => outcome,
    check: ({ outcome, stdout, detail, stderr, session: after }) =>
      outcome === "completed" && stdout === `${x}\n` && after?.state === "kept"
        ? null
        : `x is ${JSON.stringify(stdout)}, not ${x}; ${outcome}, ${after?.state}, ${detail ?? stderr.slice(-200)}`,
  });
}

/** Whether the session is there for another cell. */
async function harm({ tally, language, random }: Rollout, session: Session): Promise<boolean> {
  const { name, sources, outcomes, wallMs, kept } = HARMS[Math.floor(random() * HARMS.length)] as Harm;
  const result = await askOnce(tally, {
    name: `${name}, ${language}`,
    door: "sessions",
    hostile: true,
    ask: () => session.execute({ source: sources[language], mode: "script", limits: { wall_ms: wallMs } }),
    outcomeOf: ({ outcome }: Result) => outcome,
    check: ({ outcome, session: after, detail, stderr }) => {
      const isKept = after?.state === "kept";
      if (outcomes.includes(outcome) && (kept === null || kept === isKept)) return null;
      return `${outcome}, ${after?.state}: ${detail ?? stderr.slice(-200)}`;
    },
  });
  return result?.session?.state === "kept";
}

async function branch(rollout: Rollout, fork: Session, x: number, n: number): Promise<void> {
  await cell(rollout, fork, "add", n, x + n);
  const isThere = rollout.random() >= HOSTILE_SHARE || (await harm(rollout, fork));
  if (isThere) await cell(rollout, fork, "add", 1, x + n + 1);
  await mustSucceed(rollout.tally, "closing a fork", () => fork.close());
}

/** One rollout to its end. @param x what its variable begins with */
export async function runRollout(
  executor: Executor,
  tally: Tally,
  random: () => number,
  x: number,
): Promise<void> {
  const language = LANGUAGES[Math.floor(random() * LANGUAGES.length)] as Language;
  const rollout: Rollout = { tally, language, random };
  const root = await mustSucceed(tally, "opening a session", () =>
    executor.openSession({ runtime: language, limits: { memory_bytes: MEMORY_BYTES } }),
  );
  if (root === null) return;
  await cell(rollout, root, "begin", x, x);
  const count = 1 + Math.floor(random() * FORKS_MAX);
  const forks = (await mustSucceed(tally, "forking", () => root.fork({ count }))) ?? [];
  await Promise.all(forks.map((fork, index) => branch(rollout, fork, x, 1000 * (index + 1))));
  await cell(rollout, root, "add", 1, x + 1);
  await mustSucceed(tally, "closing a session", () => root.close());
}
