/**
 * A session and its forks against a model that has none: whatever the history, a session shows what a fresh
 * interpreter shows that runs the same cells from the start.
 */
import * as fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Executor } from "../../../src/contract/executor.ts";
import type { Session } from "../../../src/contract/session.ts";
import { createExecutor } from "../../../src/index.ts";

let executor: Executor;
beforeAll(async () => {
  executor = await createExecutor({ runtimes: { javascript: false, node: false, bash: false, cpp: false } });
});
afterAll(() => executor.close());

/** Cells that read and change variables, files, random state, the working directory, and some that raise. */
const CELLS = [
  "x = x + 1 if 'x' in globals() else 0\nx",
  "y = [x] * 3",
  "y.append(x); y",
  "import random\nrandom.seed(4)",
  "import random\nrandom.random()",
  "open('f', 'a').write(str(x)); open('/work/f').read()",
  "import os\nos.makedirs('d', exist_ok=True); os.chdir('d'); os.getcwd()",
  "import os\nsorted(os.listdir('/work'))",
  "log = open('/tmp/log', 'a')\nlog.write('opened ')",
  "log.write('more '); log.flush(); open('/tmp/log').read()",
  "def f(n): return n / (n - 1)",
  "[f(n) for n in range(x)]",
  "print(x, end=' '); raise KeyError(x)",
  "import sys\nsys.exit(x)",
  "import numpy\nnumpy.arange(x).sum()",
  "del x",
] as const;

/** What a caller sees of a call. */
type Shown = readonly unknown[];

async function show(session: Session, source: string): Promise<Shown> {
  const { outcome, exit_code, stdout, value, error, session: state } = await session.execute({ source });
  return [outcome, exit_code, stdout, value, error, state?.state];
}

async function replay(history: readonly string[]): Promise<Shown[]> {
  const session = await executor.openSession({ runtime: "python" });
  try {
    const shown: Shown[] = [];
    for (const source of history) shown.push(await show(session, source));
    return shown;
  } finally {
    await session.close();
  }
}

interface Branch {
  readonly session: Session;
  readonly history: string[];
  readonly shown: Shown[];
}

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ at: fc.nat(7), cell: fc.constantFrom(...CELLS) }) },
  { weight: 1, arbitrary: fc.record({ at: fc.nat(7), forks: fc.integer({ min: 1, max: 2 }) }) },
);

it("shows what a replay of its history shows, fork of fork, whatever came in between", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 6, maxLength: 14 }), async (steps) => {
      const first = { session: await executor.openSession({ runtime: "python" }), history: [], shown: [] };
      const branches: Branch[] = [first];
      try {
        for (const one of steps) {
          const branch = branches[one.at % branches.length] as Branch;
          if ("cell" in one) {
            branch.history.push(one.cell);
            branch.shown.push(await show(branch.session, one.cell));
          } else {
            const forks = await branch.session.fork({ count: one.forks, reseed: false });
            for (const session of forks)
              branches.push({ session, history: [...branch.history], shown: [...branch.shown] });
          }
        }
        for (const { history, shown } of branches) {
          const model = await replay(history);
          // Without a seed random numbers are nobody's to repeat.
          const seeded = (index: number) => history.slice(0, index).some((cell) => cell.includes("seed"));
          const comparable = (rows: readonly Shown[]) =>
            rows.map((row, index) => (history[index]?.includes("random()") && !seeded(index) ? "any" : row));
          expect(comparable(shown)).toEqual(comparable(model));
        }
      } finally {
        await Promise.all(branches.map(({ session }) => session.close()));
      }
    }),
    { numRuns: 12, endOnFailure: true },
  );
});
