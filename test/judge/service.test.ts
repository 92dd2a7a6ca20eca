/** Verification by the real service, over HTTP, with real programs and the real math-verify. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { mixedChecks } from "../../bench/load/verifications.ts";
import { type Client, createClient } from "../../src/client/index.ts";
import type { Verification } from "../../src/contract/verification.ts";
import { ADVERSARIES, SEARCH } from "./adversaries.ts";
import { ask } from "../support/ask.ts";
import { type Service, startService } from "../support/service.ts";

const CHECK_MS_MAX = 60_000;

let service: Service;
let client: Client;
beforeAll(async () => {
  service = await startService();
  client = createClient({ baseUrl: service.url });
});
afterAll(async () => {
  await client.close();
  await service.stop();
});

const math = (answer: string, expected: string | string[], more: object = {}) =>
  client.verify({ kind: "math", answer, expected, ...more });

describe("mathematical equality", () => {
  test.each([
    [String.raw`\boxed{\frac{1}{2}}`, "0.5", "accepted"],
    [String.raw`The answer is $\frac{2}{4}$.`, String.raw`\frac{1}{2}`, "accepted"],
    [String.raw`x^2 + 2x + 1`, String.raw`\boxed{(x+1)^2}`, "accepted"],
    [String.raw`$(x+1)^2$`, "x^2+1", "wrong_answer"],
    [String.raw`2\sqrt{3}`, String.raw`\sqrt{12}`, "accepted"],
    [String.raw`2\sqrt{3}`, "2", "wrong_answer"],
    [String.raw`so it must be \boxed{\{3, 1, 2\}}`, "{1,2,3}", "accepted"],
    [String.raw`\{1, 2\}`, "{1,2,3}", "wrong_answer"],
    ["[1, 2)", "[1,2)", "accepted"],
    ["(1, 2)", "[1,2)", "wrong_answer"],
    [
      String.raw`\begin{pmatrix}1&2\\3&4\end{pmatrix}`,
      String.raw`$\begin{bmatrix}1&2\\3&4\end{bmatrix}$`,
      "accepted",
    ],
    [
      String.raw`\boxed{\begin{pmatrix}1&2\\3&5\end{pmatrix}}`,
      String.raw`\begin{pmatrix}1&2\\3&4\end{pmatrix}`,
      "wrong_answer",
    ],
    ["x = 5", "5", "accepted"],
    ["There are 1,234 of them.", "1234", "accepted"],
    ["sqrt(2)/2", String.raw`\frac{1}{\sqrt 2}`, "accepted"],
    [String.raw`(-\infty, 2] \cup [3, 4)`, String.raw`$[3, 4) \cup (-\infty, 2]$`, "accepted"],
    ["50%", "0.5", "accepted"],
    ["I do not know this one.", "1", "wrong_answer"],
    ["", "1", "wrong_answer"],
    ["1", "", "undecided"],
  ])("%s against %s is %s", async (answer, expected, verdict) => {
    expect(await math(answer, expected)).toMatchObject({ verdict, kind: "math", cases: [] });
  });

  test("any of several expected answers will do", async () => {
    expect((await math("2", ["1", "2"])).verdict).toBe("accepted");
  });

  test("how an answer is read can be asked for", async () => {
    expect((await math("we have found 3 apples", "3", { answer_form: "text" })).verdict).toBe("accepted");
    expect((await math("we have found 3 apples", "3", { answer_form: "expression" })).verdict).toBe(
      "wrong_answer",
    );
  });

  test("options are math-verify's", async () => {
    expect((await math("0.3334", String.raw`\frac{1}{3}`)).verdict).toBe("wrong_answer");
    expect((await math("0.3334", String.raw`\frac{1}{3}`, { float_rounding: 3 })).verdict).toBe("accepted");
  });

  test.each([
    ["a tower of powers", "9^{9^{9^{9^{9}}}}"],
    ["brackets without end", `\\boxed{${"(".repeat(20_000)}1${")".repeat(20_000)}}`],
    ["a sum of a million terms", String.raw`\boxed{\sum_{n=1}^{10^{9}} \frac{n^n}{n!}}`],
    ["a factorial", String.raw`\boxed{((((9!)!)!)!)!}`],
    ["a long row of letters", `\\boxed{${"x^{y".repeat(3000)}${"}".repeat(3000)}}`],
  ])(
    "hostile LaTeX ends at the limit and earns nothing: %s",
    async (_name, answer) => {
      const verdict = await math(answer, "1", { limits: { wall_ms: 800 } });
      expect(verdict.reward).toBe(0);
      expect(["undecided", "wrong_answer"]).toContain(verdict.verdict);
      if (verdict.verdict === "undecided") expect(verdict.outcome).not.toBe("completed");
    },
    CHECK_MS_MAX,
  );

  test.each([
    `__import__('sys').stdout.write('equal') or __import__('os')._exit(0)`,
    String.raw`\boxed{__import__('os')._exit(0)}`,
    String.raw`$1) or __import__('os').system('echo equal'`,
    "1 + (lambda: __import__('os')._exit(0))()",
    "1/2.__class__.__mro__[1].__subclasses__()",
    '"]; import os; os.write(1, b"equal"); os._exit(0)',
  ])("an answer is text and never code: %s", async (answer) => {
    for (const answer_form of ["auto", "text", "expression"] as const)
      expect(await math(answer, "7", { answer_form })).toMatchObject({ reward: 0 });
  });
});

describe("programs with test cases", () => {
  const double: readonly [runtime: string, source: string][] = [
    ["python", "print(int(input()) * 2)"],
    ["bash", "read n; echo $((n * 2))"],
    ["cpp", "#include <iostream>\nint main() { long n; std::cin >> n; std::cout << n * 2 << std::endl; }"],
    ["node", "console.log(Number(require('fs').readFileSync(0, 'utf8')) * 2)"],
    ["javascript", "console.log(Number(require('fs').readFileSync(0, 'utf8')) * 2)"],
  ];
  const cases = [1, 5, 21].map((n) => ({ stdin: `${n}\n`, expected_stdout: `${n * 2}` }));

  test.each(double)("%s reads standard input", async (runtime, source) => {
    const verdict = await client.verify({
      kind: "stdio",
      program: { runtime, source },
      cases,
    } as Verification);
    expect(verdict).toMatchObject({ verdict: "accepted", reward: 1, passed: 3, total: 3 });
    expect(verdict.usage.processes).toBeGreaterThanOrEqual(3);
  });

  const add: readonly [runtime: string, source: string, owner?: string][] = [
    ["python", "def add(a, b):\n    return a + b\nif __name__ == '__main__':\n    print(input())"],
    ["python", "class Solution:\n    def add(self, a, b):\n        return a + b", "Solution"],
    ["javascript", "var add = function (a, b) { return a + b };"],
    ["node", "const add = async (a, b) => a + b"],
    ["node", "class Solution { add(a, b) { return a + b } }", "Solution"],
  ];
  test.each(add)("%s: a function is called: %s", async (runtime, source, owner) => {
    const verdict = await client.verify({
      kind: "function",
      program: { runtime, source },
      function: "add",
      ...(owner === undefined ? {} : { class: owner }),
      cases: [
        { args: [1, 2], expected: 3 },
        { args: ["a", "b"], expected: "ab" },
        { args_json: "[0.5, 2.5]", expected: 3, compare: { absolute: 1e-9 } },
      ],
    } as Verification);
    expect(verdict).toMatchObject({ verdict: "accepted", passed: 3 });
  });

  test("a program that does not compile has failed, with its first case", async () => {
    const program = { runtime: "cpp" as const, source: "int main() { return 1 + ; }" };
    expect(await client.verify({ kind: "stdio", program, cases })).toMatchObject({
      verdict: "program_failed",
      outcome: "compile_failed",
      detail: "case 0: the program does not compile",
      passed: 0,
    });
  });

  test("values come back as they are: long integers, tuples, keys, arguments by name", async () => {
    const verdict = await client.verify({
      kind: "function",
      program: {
        runtime: "python",
        source:
          "import numpy\ndef f(n, *, kind='int'):\n    return {'int': n + 1, 'tuple': (n, [n]), 'array': numpy.arange(3), 'type': type(n).__name__}[kind]",
      },
      function: "f",
      cases: [
        { args_json: "[18446744073709551615]", expected_json: "18446744073709551616" },
        { args: [1], kwargs: { kind: "tuple" }, expected: [1, [1]] },
        { args: [1], kwargs: { kind: "array" }, expected: [0, 1, 2] },
        { args_json: "[1.0]", kwargs: { kind: "type" }, expected: "float" },
      ],
    });
    expect(verdict).toMatchObject({ verdict: "accepted", passed: 4 });
  });

  test("limits are of each case and of all together", async () => {
    const sleeper = { runtime: "python" as const, source: "import time\ntime.sleep(0.3)" };
    const naps = [1, 2, 3].map(() => ({ expected_stdout: "" }));
    const of = (more: object) => client.verify({ kind: "stdio", program: sleeper, cases: naps, ...more });
    expect(await of({ limits: { wall_ms: 100 } })).toMatchObject({ verdict: "limit", outcome: "wall_limit" });
    expect(await of({ total_wall_ms: 400 })).toMatchObject({
      verdict: "limit",
      outcome: "completed",
      passed: 1,
    });
    expect(await of({ total_wall_ms: 60_000 })).toMatchObject({ verdict: "accepted" });
  });

  test("an exception is the program's failure, with its case", async () => {
    const verdict = await client.verify({
      kind: "function",
      program: { runtime: "python", source: "def f(n):\n    return 1 / n" },
      function: "f",
      cases: [
        { args: [1], expected: 1 },
        { args: [0], expected: 0 },
      ],
      with_results: true,
    });
    expect(verdict).toMatchObject({ verdict: "program_failed", outcome: "failed", passed: 1 });
    expect(verdict.cases[1]?.result?.error).toMatchObject({ type: "ZeroDivisionError" });
  });
});

describe("a program without the answer has no reward", () => {
  test.each(ADVERSARIES)("$runtime: it $name", async ({ runtime, source, verdict }) => {
    const judged = await client.verify({
      kind: "function",
      program: { runtime, source },
      function: "f",
      cases: [{ args: [3], expected: 9 }],
      ...(verdict === "limit" ? { limits: { wall_ms: 1000 } } : {}),
    });
    expect(judged).toMatchObject({ verdict, reward: 0 });
  });

  test("one that writes its own value is judged by that value, as if it had returned it", async () => {
    const forge = (value: number) => ({
      runtime: "python" as const,
      source: `import __main__, os\ndef f(n):\n    open(__main__.asked["place"], "w").write('{"value": ${value}}')\n    os._exit(0)`,
    });
    const judged = (value: number) =>
      client.verify({
        kind: "function",
        program: forge(value),
        function: "f",
        cases: [{ args: [3], expected: 9 }],
      });
    expect((await judged(8)).verdict).toBe("wrong_answer");
    expect((await judged(9)).verdict).toBe("accepted");
  });

  test("what is expected is nowhere that it can look", async () => {
    const [half, other] = ["hidden", randomUUID()];
    const judged = await client.verify({
      kind: "function",
      program: { runtime: "python", source: SEARCH.replace("HID", half).replace("DEN", other) },
      function: "f",
      cases: [1, 2].map((n) => ({ args: [n], expected: `${half}${other}` })),
      stop_at_first_failure: false,
      with_results: true,
    });
    expect(judged.verdict).toBe("wrong_answer");
    expect(judged.cases.map(({ result }) => result?.stdout)).toEqual(["found 0\n", "found 0\n"]);
  });

  test("nothing is kept from one case to the next", async () => {
    const source = `import os
def f(n):
    places = ["/tmp/seen", "/dev/shm/seen", "/work/seen"]
    found = [os.path.exists(place) for place in places]
    for place in places: open(place, "w").close()
    return found`;
    const judged = await client.verify({
      kind: "function",
      program: { runtime: "python", source },
      function: "f",
      cases: Array.from({ length: 12 }, () => ({ args: [1], expected: [false, false, false] })),
    });
    expect(judged).toMatchObject({ verdict: "accepted", passed: 12 });
  });

  test.each([
    ["ends well and says nothing", "exit(0)", "wrong_answer"],
    ["says what a judge might look for", "print('accepted'); print('expected_stdout')", "wrong_answer"],
    ["says the right thing and fails", "print(9); raise SystemExit(1)", "program_failed"],
    ["says the right thing and never ends", "print(9, flush=True)\nwhile True: pass", "limit"],
    ["says the right thing, and all else too", "print(9)\nfor n in range(99): print(n)", "wrong_answer"],
    ["floods its output", "while True: print('9' * 65536)", "limit"],
  ] as const)("on standard output: it %s", async (_name, source, verdict) => {
    const judged = await client.verify({
      kind: "stdio",
      program: { runtime: "python", source },
      cases: [{ stdin: "3", expected_stdout: "9\n" }],
      limits: { wall_ms: verdict === "limit" ? 1000 : 10_000, output_bytes: 1 << 20 },
    });
    expect(judged).toMatchObject({ verdict, reward: 0 });
  });
});

test(
  "a burst as the bench sends it has every verdict once, each the right one, as they are ready",
  async () => {
    const checks = mixedChecks(96);
    const told: string[] = [];
    const verifications = checks.map(({ verification }) => verification);
    for await (const { index, verdict } of await client.verifyBatch(verifications)) {
      expect(told[index]).toBeUndefined();
      told[index] = verdict.verdict;
    }
    expect(told).toEqual(checks.map(({ verdict }) => verdict));
  },
  CHECK_MS_MAX,
);

describe("over HTTP", () => {
  const batch = {
    verifications: [
      {
        kind: "stdio",
        program: { runtime: "python", source: "import time\ntime.sleep(1)" },
        cases: [{ expected_stdout: "" }],
        id: "slow",
      },
      { kind: "math", answer: "1/2", expected: "0.5", id: "math" },
      { kind: "numeric", answer: "2", expected: 1, id: "here" },
    ],
  };

  test("a batch is one document in its order", async () => {
    const { status, json } = await ask(`${service.url}/v1/verify/batch`, { body: batch });
    expect(status).toBe(200);
    const told = json.verdicts.map((one: { id: string; reward: number }) => [one.id, one.reward]);
    expect(told).toEqual([
      ["slow", 1],
      ["math", 1],
      ["here", 0],
    ]);
  });

  test("or a stream, each verdict as it is ready, with a last line", async () => {
    const { text } = await ask(`${service.url}/v1/verify/batch`, {
      body: batch,
      headers: { accept: "application/x-ndjson" },
    });
    const lines = text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.map(({ index, verdict }) => verdict?.id ?? index)).toEqual([
      "here",
      "math",
      "slow",
      undefined,
    ]);
    expect(lines.at(-1)).toEqual({ done: true, count: 3 });
  });

  test.each([
    [{ kind: "magic" }, "/kind", "must be one of exact, numeric, math, stdio, function"],
    [{ answer: "a" }, "/kind", "is missing"],
    [{ kind: "exact", answer: "a" }, "/expected", "is missing"],
    [{ kind: "exact", answer: "a", expected: "a", absolute: 1 }, "/absolute", "is not a known field"],
    [
      {
        kind: "stdio",
        program: { runtime: "python", source: "1" },
        cases: [{ expected_stdout: "", compare: { mode: "near" } }],
      },
      "/cases/0/compare/mode",
      "must be one of exact, lines, tokens, numbers",
    ],
  ])("%j is refused at %s", async (body, path, words) => {
    const { status, json } = await ask(`${service.url}/v1/verify`, { body });
    expect([status, json.error.code, json.error.path]).toEqual([400, "invalid_call", path]);
    expect(json.error.message).toContain(words);
  });

  test("a program in a language that there is not, and a limit above the ceiling", async () => {
    const stdio = (runtime: string, limits: object) => ({
      kind: "stdio",
      program: { runtime, source: "1" },
      cases: [{ expected_stdout: "" }],
      limits,
    });
    const codeOf = async (body: object) => (await ask(`${service.url}/v1/verify`, { body })).json.error;
    expect(await codeOf(stdio("cobol", {}))).toMatchObject({
      code: "unknown_runtime",
      path: "/program/runtime",
    });
    expect(await codeOf(stdio("python", { wall_ms: 2 ** 40 }))).toMatchObject({
      code: "limit_above_ceiling",
      path: "/limits/wall_ms",
    });
  });
});
