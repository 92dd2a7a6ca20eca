/**
 * What every Executor must do, whichever it is: one suite, run over each implementation. The programs are tiny, one
 * for each outcome of each runtime.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Call, RuntimeId } from "../../src/contract/call.ts";
import type { Executor } from "../../src/contract/executor.ts";
import type { Outcome } from "../../src/contract/outcome.ts";
import { SandboxError } from "../../src/contract/errors.ts";
import { describeSessions, javascriptSessions, PYTHON_SESSIONS } from "./session-suite.ts";

export interface Subject {
  readonly executor: Executor;
  close(): Promise<void>;
}

interface OutcomeCase {
  readonly runtime: RuntimeId;
  readonly outcome: Outcome;
  readonly source: string;
  readonly limits?: Call["limits"];
  /** What is kept of the output. */
  readonly stdout?: string | RegExp;
  readonly exitCode?: number | null;
}

const MiB = 1 << 20;

const CASES: readonly OutcomeCase[] = [
  { runtime: "python", outcome: "completed", source: "print(6 * 7)", stdout: "42\n", exitCode: 0 },
  {
    runtime: "python",
    outcome: "failed",
    source: "print('a')\nraise SystemExit(3)",
    stdout: "a\n",
    exitCode: 3,
  },
  {
    runtime: "python",
    outcome: "signaled",
    source: "import os\nprint('a', flush=True)\nos.kill(os.getpid(), 11)",
    stdout: "a\n",
    exitCode: null,
  },
  {
    runtime: "python",
    outcome: "wall_limit",
    source: "import time\nprint('a', flush=True)\ntime.sleep(60)",
    limits: { wall_ms: 300 },
    stdout: "a\n",
    exitCode: null,
  },
  {
    runtime: "python",
    outcome: "cpu_limit",
    source: "print('a', flush=True)\nwhile True: pass",
    limits: { wall_ms: 20_000, cpu_ms: 200 },
    stdout: "a\n",
  },
  {
    runtime: "python",
    outcome: "memory_limit",
    source: "print('a', flush=True)\nkeep = []\nwhile True: keep.append(bytearray(1 << 20))",
    limits: { memory_bytes: 64 * MiB },
    stdout: "a\n",
  },
  {
    runtime: "python",
    outcome: "output_limit",
    source: "print('x' * 3000)",
    limits: { output_bytes: 1000 },
    stdout: /^x{500}\n\[\.\.\. 2001 bytes left out \.\.\.\]\nx{499}\n$/,
    exitCode: 0,
  },
  {
    runtime: "python",
    outcome: "process_limit",
    source:
      "import os, time\nprint('a', flush=True)\nfor i in range(50):\n  if os.fork() == 0: time.sleep(30)",
    limits: { processes: 8 },
    stdout: "a\n",
    exitCode: 1,
  },
  {
    runtime: "python",
    outcome: "disk_limit",
    source: "print('a', flush=True)\nopen('big', 'wb').write(bytes(4 << 20))",
    limits: { disk_bytes: MiB },
    stdout: "a\n",
    exitCode: 1,
  },
  { runtime: "bash", outcome: "completed", source: "echo $((6 * 7))", stdout: "42\n", exitCode: 0 },
  { runtime: "bash", outcome: "failed", source: "echo a; exit 3", stdout: "a\n", exitCode: 3 },
  { runtime: "bash", outcome: "signaled", source: "echo a; kill -SEGV $$", stdout: "a\n", exitCode: null },
  {
    runtime: "bash",
    outcome: "wall_limit",
    source: "echo a; sleep 60",
    limits: { wall_ms: 500 },
    stdout: "a\n",
  },
  {
    runtime: "bash",
    outcome: "cpu_limit",
    source: "echo a; while :; do :; done",
    limits: { wall_ms: 20_000, cpu_ms: 300 },
    stdout: "a\n",
  },
  {
    runtime: "bash",
    outcome: "output_limit",
    source: "printf 'x%.0s' {1..3000}",
    limits: { output_bytes: 1000 },
    stdout: /2000 bytes left out/,
    exitCode: 0,
  },
  {
    runtime: "cpp",
    outcome: "completed",
    source: '#include <cstdio>\nint main() { puts("42"); }',
    stdout: "42\n",
    exitCode: 0,
  },
  {
    runtime: "cpp",
    outcome: "failed",
    source: '#include <cstdio>\nint main() { puts("a"); return 3; }',
    stdout: "a\n",
    exitCode: 3,
  },
  { runtime: "cpp", outcome: "compile_failed", source: "int main() { return x; }", exitCode: 1 },
  {
    runtime: "cpp",
    outcome: "signaled",
    source: "int main() { volatile int* nowhere = nullptr; return *nowhere; }",
    exitCode: null,
  },
  {
    runtime: "cpp",
    outcome: "wall_limit",
    source: "#include <unistd.h>\nint main() { pause(); }",
    limits: { wall_ms: 300 },
  },
  {
    runtime: "cpp",
    outcome: "cpu_limit",
    source: "int main() { for (volatile int i = 0;; i = i + 1) {} }",
    limits: { wall_ms: 20_000, cpu_ms: 200 },
  },
  {
    runtime: "cpp",
    outcome: "memory_limit",
    source:
      "#include <cstdlib>\n#include <cstring>\nint main() { for (;;) memset(malloc(1 << 20), 1, 1 << 20); }",
    limits: { memory_bytes: 64 * MiB },
  },
  { runtime: "node", outcome: "completed", source: "console.log(6 * 7)", stdout: "42\n", exitCode: 0 },
  {
    runtime: "node",
    outcome: "failed",
    source: "console.log('a'); process.exit(3)",
    stdout: "a\n",
    exitCode: 3,
  },
  {
    runtime: "node",
    outcome: "signaled",
    source: "console.log('a'); process.kill(process.pid, 'SIGSEGV')",
    stdout: "a\n",
    exitCode: null,
  },
  {
    runtime: "node",
    outcome: "wall_limit",
    source: "console.log('a'); setTimeout(() => {}, 60_000)",
    limits: { wall_ms: 1500 },
    stdout: "a\n",
  },
  {
    runtime: "node",
    outcome: "cpu_limit",
    source: "console.log('a'); for (;;);",
    limits: { wall_ms: 30_000, cpu_ms: 1000 },
    stdout: "a\n",
  },
  {
    runtime: "node",
    outcome: "memory_limit",
    source: "console.log('a'); const keep = []; for (;;) keep.push(Buffer.alloc(1 << 20, 1))",
    limits: { memory_bytes: 128 * MiB },
    stdout: "a\n",
  },
  {
    runtime: "node",
    outcome: "output_limit",
    source: "console.log('x'.repeat(3000))",
    limits: { output_bytes: 1000 },
    stdout: /2001 bytes left out/,
  },
  {
    runtime: "node",
    outcome: "disk_limit",
    source: "console.log('a'); require('fs').writeFileSync('big', Buffer.alloc(4 << 20))",
    limits: { disk_bytes: MiB },
    stdout: "a\n",
    exitCode: 1,
  },
  { runtime: "javascript", outcome: "completed", source: "console.log(6 * 7)", stdout: "42\n", exitCode: 0 },
  {
    runtime: "javascript",
    outcome: "failed",
    source: "console.log('a'); throw new TypeError('no')",
    stdout: "a\n",
    exitCode: 1,
  },
  {
    runtime: "javascript",
    outcome: "wall_limit",
    source: "console.log('a'); for (;;);",
    limits: { wall_ms: 300 },
    stdout: "a\n",
  },
  {
    runtime: "javascript",
    outcome: "cpu_limit",
    source: "console.log('a'); for (;;);",
    limits: { wall_ms: 20_000, cpu_ms: 300 },
    stdout: "a\n",
  },
  {
    runtime: "javascript",
    outcome: "memory_limit",
    source: "console.log('a'); const keep = []; for (;;) keep.push('x'.repeat(1000) + keep.length)",
    limits: { memory_bytes: 64 * MiB },
    stdout: "a\n",
  },
  {
    runtime: "javascript",
    outcome: "output_limit",
    source: "console.log('x'.repeat(3000))",
    limits: { output_bytes: 1000 },
    stdout: /2001 bytes left out/,
  },
];

function caught(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => null,
    (error: unknown) => error,
  );
}

/** @param keepsOrder whether calls that are sent one after another come one after another, without a wait in between */
export function describeExecutor(name: string, start: () => Promise<Subject>, keepsOrder = true): void {
  describe(`executor: ${name}`, () => {
    let subject: Subject;
    let executor: Executor;
    beforeAll(async () => {
      subject = await start();
      ({ executor } = subject);
    });
    afterAll(() => subject.close());

    describe("one tiny program for each outcome", () => {
      it.for(CASES)("$runtime: $outcome", async ({ runtime, outcome, source, limits, stdout, exitCode }) => {
        const result = await executor.execute({
          runtime,
          source,
          ...(limits === undefined ? {} : { limits }),
        });
        expect({ outcome: result.outcome, stderr: result.stderr, detail: result.detail }).toMatchObject({
          outcome,
        });
        if (stdout !== undefined)
          expect(result.stdout).toEqual(stdout instanceof RegExp ? expect.stringMatching(stdout) : stdout);
        if (exitCode !== undefined) expect(result.exit_code).toBe(exitCode);
      });

      it.for(["python", "javascript", "node"] as const)("%s: cancelled", async (runtime) => {
        const source = runtime === "python" ? "import time\ntime.sleep(60)" : "setTimeout(() => {}, 60_000)";
        const controller = new AbortController();
        const running = executor.execute({ runtime, source }, { signal: controller.signal });
        setTimeout(() => controller.abort(), 200);
        expect((await running).outcome).toBe("cancelled");
      });

      it.for(["python", "javascript", "node"] as const)(
        "%s: a deadline that passes cancels",
        async (runtime) => {
          const source =
            runtime === "python" ? "import time\ntime.sleep(60)" : "setTimeout(() => {}, 60_000)";
          const result = await executor.execute({ runtime, source, deadline_ms: 400 });
          expect(result.outcome).toBe("cancelled");
          expect(result.detail).toContain("deadline_ms");
        },
      );
    });

    describe("batches", () => {
      it("yields each result with its index, and one slow call holds no other", async () => {
        const calls: Call[] = [
          { runtime: "python", source: "import time\ntime.sleep(1.5)\nprint('slow')" },
          ...Array.from({ length: 30 }, (_, index): Call => ({
            runtime: "python",
            source: `print(${index})`,
          })),
        ];
        const order: number[] = [];
        for await (const { index, result } of await executor.executeBatch(calls)) {
          order.push(index);
          expect(result.stdout).toBe(index === 0 ? "slow\n" : `${index - 1}\n`);
        }
        expect(order.toSorted((a, b) => a - b)).toEqual(calls.map((_, index) => index));
        expect(order.at(-1)).toBe(0);
      });

      it("accepts all calls or none", async () => {
        const error = await caught(
          executor.executeBatch([
            { runtime: "python", source: "print(1)" },
            { runtime: "python", source: "print(2)", limits: { wall_ms: 1e12 } },
          ]),
        );
        expect(error).toBeInstanceOf(SandboxError);
        expect(error).toMatchObject({ code: "limit_above_ceiling", path: "/calls/1/limits/wall_ms" });
      });

      it("refuses two calls of one id", async () => {
        const call: Call = { runtime: "python", source: "print(1)", id: "twice" };
        expect(await caught(executor.executeBatch([call, call]))).toMatchObject({
          code: "duplicate_id",
          path: "/calls/1/id",
        });
      });
    });

    describe("ids", () => {
      it("joins a call that is in flight", async () => {
        // Each run would print another number.
        const call: Call = {
          runtime: "python",
          source: "import os, time\ntime.sleep(0.5)\nprint(os.urandom(8).hex())",
          id: "joined-1",
        };
        const [first, second] = await Promise.all([executor.execute(call), executor.execute(call)]);
        expect(first.stdout).toMatch(/^[0-9a-f]{16}\n$/);
        expect(second.stdout).toBe(first.stdout);
        expect(second.id).toBe("joined-1");
      });

      it("refuses another call under an id in flight", async () => {
        // Whichever comes second is refused, the other one runs.
        const both = await Promise.allSettled(
          ["0.5", "0.6"].map((seconds) =>
            executor.execute({
              runtime: "python",
              source: `import time\ntime.sleep(${seconds})`,
              id: "taken",
            }),
          ),
        );
        const ran = both.flatMap((one) => (one.status === "fulfilled" ? [one.value.outcome] : []));
        const refused = both.flatMap((one) => (one.status === "rejected" ? [one.reason as unknown] : []));
        expect(ran).toEqual(["completed"]);
        expect(refused).toMatchObject([{ code: "id_conflict", status: 409 }]);
      });
    });

    describe("what is not accepted", () => {
      const refused: [string, Partial<Call>, object][] = [
        ["an unknown runtime", { runtime: "cobol" as never }, { code: "unknown_runtime", path: "/runtime" }],
        [
          "a limit above its ceiling",
          { limits: { memory_bytes: 2 ** 50 } },
          { code: "limit_above_ceiling", path: "/limits/memory_bytes" },
        ],
        ["a file above the working directory", { files: { "../a": "" } }, { code: "invalid_path" }],
        ["an absolute file", { files: { "/etc/passwd": "" } }, { code: "invalid_path" }],
        ["the program's own name", { files: { "main.py": "" } }, { code: "invalid_path" }],
        [
          "an absolute path to collect",
          { collect: ["/etc/passwd"] },
          { code: "invalid_path", path: "/collect/0" },
        ],
        [
          "a source that is too long",
          { source: "#".repeat(5 * MiB) },
          { code: "call_too_large", path: "/source" },
        ],
        [
          "content that is not base64",
          { files: { a: { content: "?", encoding: "base64" } } },
          { code: "invalid_call" },
        ],
        ["an unknown field", { foo: 1 } as never, { code: "invalid_call" }],
        ["a field of the wrong type", { source: 7 as never }, { code: "invalid_call", path: "/source" }],
        [
          "a limit that is no number",
          { limits: { wall_ms: "1" as never } },
          { code: "invalid_call", path: "/limits/wall_ms" },
        ],
        ["a name that no variable can have", { env: { "A B": "1" } }, { code: "invalid_call", path: "/env" }],
      ];
      it.for(refused)("%s", async ([, part, expected]) => {
        const error = await caught(executor.execute({ runtime: "python", source: "print(1)", ...part }));
        expect(error).toBeInstanceOf(SandboxError);
        expect(error).toMatchObject({ ...expected, fault: "caller", retryable: false });
      });
    });

    const languages = [PYTHON_SESSIONS, javascriptSessions("javascript"), javascriptSessions("node")];
    for (const language of languages) describeSessions(() => executor, language, keepsOrder);

    it("says what it is", async () => {
      const description = await executor.describe();
      expect(description.runtimes.map(({ id }) => id)).toEqual([
        "python",
        "javascript",
        "node",
        "bash",
        "cpp",
      ]);
      expect(description.engines.map(({ tier }) => tier)).toEqual(["container", "container"]);
      expect(description.runtimes[0]?.version).toMatch(/^3\.\d+\.\d+/);
    });
  });
}
