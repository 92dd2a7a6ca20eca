/** A session that is one program against the program as a whole: wherever it is cut and forked, it runs and ends the same. */
import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Executor } from "../../../src/contract/executor.ts";
import type { Result } from "../../../src/contract/result.ts";
import type { SessionSpec } from "../../../src/contract/session.ts";
import { createExecutor } from "../../../src/index.ts";

let executor: Executor;
beforeAll(async () => {
  executor = await createExecutor({ runtimes: { javascript: false, bash: false, cpp: false } });
});
afterAll(() => executor.close());

const PROGRAM: SessionSpec = { runtime: "python", program: true, imports: ["base64"] };
const limits = { wall_ms: 2000 };

/** Statements, any of which may follow any other. */
const STATEMENTS = [
  "import sys, traceback, atexit, os, base64",
  "sys.stdout.write('half ')",
  "print('line')",
  "os.write(1, b'past ')",
  "print('aside', file=sys.stderr)",
  "atexit.register(print, 'bye')",
  "def f(n):\n    return 1 / n",
  "f(0)",
  "f(1)",
  "n = len(globals())",
  "print(n, __name__, __file__)",
  "traceback.print_stack()",
  "class D:\n    def __del__(self): print('gone')\nd = D()",
  "def depth(n):\n    try:\n        return depth(n + 1)\n    except RecursionError:\n        return n",
  "print(depth(0))",
  "print(sorted(os.listdir('/work')), os.getcwd())",
  "os.chdir('/tmp')",
  "file = open('/tmp/f', 'a+'); file.write('unflushed ')",
  "file.flush(); print(open('/tmp/f').read())",
  "import random; random.seed(3)",
  "print(random.random())",
  "print(sys.stdin.read(), signal) if 'signal' in globals() else print('-')",
  "raise SystemExit(4)",
  "raise SystemExit('no')",
  "raise KeyboardInterrupt",
  "os._exit(7)",
];

/** Where in memory something is differs from run to run. */
const withoutAddresses = (text: string) => text.replaceAll(/0x[0-9a-f]+/g, "0x");

const shown = ({ outcome, exit_code, signal, stdout, stderr }: Result) => ({
  outcome,
  exit_code,
  signal,
  stdout: withoutAddresses(stdout),
  stderr: withoutAddresses(stderr),
});

test("a program in parts, forked between any of them, gives what the whole gives", async () => {
  const statement = fc.record({
    text: fc.constantFrom(...STATEMENTS),
    cut: fc.boolean(),
    fork: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(statement, { minLength: 2, maxLength: 10 }), async (rest) => {
      const statements = [{ text: STATEMENTS[0] as string, cut: false, fork: false }, ...rest];
      const whole = await executor.execute({
        runtime: "python",
        source: statements.map(({ text }) => `${text}\n`).join(""),
        limits,
      });
      let session = await executor.openSession(PROGRAM);
      const open = [session];
      try {
        const results: Result[] = [];
        let source = "";
        for (const [index, { text, cut, fork }] of statements.entries()) {
          source += `${text}\n`;
          const isLast = index === statements.length - 1;
          if (!cut && !isLast) continue;
          results.push(
            await session.execute({ source, limits, ...(isLast ? { mode: "last" as const } : {}) }),
          );
          source = "";
          if (results.at(-1)?.session?.state === "lost") break;
          if (fork) open.push((session = (await session.fork({ reseed: false }))[0] as typeof session));
        }
        const text = (stream: "stdout" | "stderr") => results.map((result) => result[stream]).join("");
        const parts = { ...(results.at(-1) as Result), stdout: text("stdout"), stderr: text("stderr") };
        expect(shown(parts)).toEqual(shown(whole));
        expect((await session.describe()).state).toBe("closed");
      } finally {
        await Promise.all(open.map((one) => one.close()));
      }
    }),
    { numRuns: 40, endOnFailure: true },
  );
}, 60_000);

test("a limit ends a program as it ends any other, whatever it catches", async () => {
  const session = await executor.openSession(PROGRAM);
  const source =
    "print('before')\nwhile True:\n    try:\n        while True: pass\n    except BaseException as error:\n        print(error)";
  const result = await session.execute({ source, limits: { wall_ms: 300 } });
  expect(shown(result)).toMatchObject({ outcome: "wall_limit", stdout: "before\n", stderr: "" });
  await expect(session.execute({ source: "1" })).rejects.toMatchObject({ code: "session_closed" });
});

test("modes and runtimes that are not a program's are refused", async () => {
  const program = await executor.openSession(PROGRAM);
  await expect(program.execute({ source: "1", mode: "cell" })).rejects.toMatchObject({
    code: "invalid_call",
    path: "/mode",
  });
  const cells = await executor.openSession({ runtime: "python" });
  await expect(cells.execute({ source: "1", mode: "last" })).rejects.toMatchObject({ path: "/mode" });
  await expect(executor.openSession({ runtime: "node", program: true })).rejects.toMatchObject({
    code: "invalid_call",
    path: "/program",
  });
  await Promise.all([program.close(), cells.close()]);
});

test("modules that a session names are there from its start", async () => {
  const look = "import sys\nprint('sympy' in sys.modules)";
  for (const [imports, expected] of [
    [["sympy.core"], "False"],
    [["sympy"], "True"],
    [[], "False"],
  ] as const) {
    const session = await executor.openSession({ runtime: "python", imports: [...imports] });
    expect((await session.execute({ source: look })).stdout).toBe(`${expected}\n`);
    await session.close();
  }
});
