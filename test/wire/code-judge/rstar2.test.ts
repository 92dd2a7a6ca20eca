/**
 * What rStar2's trainer sends, on the real service: cells replayed from base64 behind a prelude, programs with
 * standard input, and rewards that import the operator's own module.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ask } from "../../support/ask.ts";
import { type Service, startService } from "../../support/service.ts";
import { base64, notebook } from "../../../bench/load/notebook.ts";

interface Judged {
  readonly success: boolean;
  readonly run_success: boolean;
  readonly stdout: string;
  readonly stderr: string;
  readonly reason: string;
}

/** A reward that compares in a child process with a time limit of its own, as the trainer's does. */
const SCORE = `
from multiprocessing import Process, Queue
from math_verify import parse, verify

def _compare(solution, truth, answers):
    answers.put(float(verify(parse(truth), parse(solution))))

def compute_score(solution, truth):
    answers = Queue()
    child = Process(target=_compare, args=(solution, truth, answers))
    child.start()
    try:
        return answers.get(timeout=10)
    finally:
        child.join(1)
`;

function reward(solution: string, truth: string): string {
  return [
    "",
    "from fused_compute_score import compute_score",
    "import base64",
    `solution_str = base64.b64decode("${base64(solution)}".encode()).decode()`,
    `ground_truth = base64.b64decode("${base64(truth)}".encode()).decode()`,
    "result = compute_score(solution_str, ground_truth)",
    "",
    'print(f"<result>{result}</result>")',
    "",
  ].join("\n");
}

let directory = "";
/** Whose programs have time enough on a machine however busy, and whose programs that never end are ended soon. */
let patient: Service;
let strict: Service;
beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), "modules-"));
  writeFileSync(path.join(directory, "fused_compute_score.py"), SCORE);
  const start = (wallMs: number) =>
    startService([
      "--wire=code-judge",
      `--wire.code-judge.modulesDirectory=${directory}`,
      `--wire.code-judge.wallMs=${wallMs}`,
      "--wire.code-judge.math=true",
      "--runtimes.javascript=false",
    ]);
  [patient, strict] = await Promise.all([start(60_000), start(4000)]);
});
afterAll(async () => {
  await Promise.all([patient.stop(), strict.stop()]);
  rmSync(directory, { recursive: true });
});

async function longBatch(
  submissions: readonly (readonly [solution: string, input: string | null])[],
  { url } = patient,
) {
  const body = {
    type: "batch",
    submissions: submissions.map(([solution, input]) => ({ type: "python", solution, input })),
  };
  const { status, json } = await ask(`${url}/run/long-batch`, { body });
  expect(status).toBe(200);
  return json.results as Judged[];
}

test("cells keep the state of those before them, whose output and exceptions are hidden", async () => {
  const history = ["import numpy as np\nx = np.arange(5)\nprint('hidden')", "y = 1 / 0", "z = int(x.sum())"];
  const [result] = await longBatch([[notebook(history, "print(x)\nz + 1"), null]]);
  expect(result).toMatchObject({ success: true, run_success: true, reason: "", stderr: "" });
  expect(result?.stdout).toBe("[0 1 2 3 4]\n11\n");
});

test("what was printed before an exception is there, with the exception's line", async () => {
  const [result] = await longBatch([[notebook([], "print('before')\nb = 1 / 0"), null]]);
  expect(result).toMatchObject({
    success: false,
    run_success: false,
    reason: "",
    stdout: "before\n",
    stderr: "ZeroDivisionError at line 2: division by zero\n",
  });
});

test("a program reads its standard input; without one there is none", async () => {
  const [given, none] = await longBatch([
    [notebook([], "print(int(input()) * 2)"), "21\n"],
    [notebook([], "print(int(input()) * 2)"), null],
  ]);
  expect(given).toMatchObject({ success: true, stdout: "42\n" });
  expect(none).toMatchObject({ success: false, stderr: "EOFError at line 1: EOF when reading a line\n" });
});

test("a time limit in a batch is the same each time and holds no other's answer wrong", async () => {
  const submissions = Array.from(
    { length: 8 },
    (_, index) => [notebook([], index % 4 === 0 ? "while True: pass" : `print(${index})`), null] as const,
  );
  const results = await longBatch(submissions, strict);
  expect(results).toHaveLength(submissions.length);
  for (const [index, result] of results.entries()) {
    if (index % 4 === 0)
      expect(result).toMatchObject({
        run_success: false,
        reason: "worker_timeout",
        stdout: "Suicide from timeout.\n",
      });
    else expect(result).toMatchObject({ success: true, stdout: `${index}\n`, reason: "" });
  }
});

test("32 cells that import sympy in base64 find it loaded: none pays for the import", async () => {
  const cell = (index: number) =>
    `import sys\nloaded = "sympy" in sys.modules\nimport sympy\nloaded, sympy.sqrt(${(index + 1) ** 2} * 2)`;
  const results = await longBatch(
    Array.from({ length: 32 }, (_, index) => [notebook([], cell(index)), null]),
  );
  expect(results.map(({ stdout }) => stdout)).toEqual(
    Array.from({ length: 32 }, (_, index) => `(True, ${index === 0 ? "" : `${index + 1}*`}sqrt(2))\n`),
  );
});

test("rewards come from the operator's module, 64 in a batch", async () => {
  const results = await longBatch(
    Array.from({ length: 64 }, (_, index) => [
      reward(index % 2 === 0 ? "so it is $\\boxed{\\frac{1}{2}}$" : "$\\boxed{3}$", "$0.5$"),
      null,
    ]),
  );
  expect(results.map(({ stdout }) => stdout)).toEqual(
    Array.from({ length: 64 }, (_, index) => `<result>${index % 2 === 0 ? "1.0" : "0.0"}</result>\n`),
  );
});

test("where it is switched on, submissions of type math are judged among the others", async () => {
  const math = (solution: string, expected_output: string | null) => ({
    type: "math",
    solution,
    expected_output,
  });
  const submissions = [
    math("so it is $\\boxed{\\frac{2}{4}}$", "0.5"),
    { type: "python", solution: "print(1)", expected_output: "1" },
    math("3", "0.5"),
    math("1", ""),
    math("1", null),
    math("9^{9^{9^{9^{9}}}}", "1"),
  ];
  const { json } = await ask(`${strict.url}/judge/long-batch`, { body: { type: "batch", submissions } });
  expect(json.results.map((one: Judged) => [one.success, one.run_success, one.reason])).toEqual([
    [true, true, ""],
    [true, true, ""],
    [false, true, ""],
    [false, false, ""],
    [false, false, "invalid_input"],
    [false, false, "worker_timeout"],
  ]);
});
