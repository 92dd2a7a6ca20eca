/** open-r1's batch router, on the real service and on one without sandboxes. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { ask } from "../../support/ask.ts";
import { startServer, type TestServer } from "../../support/server.ts";
import { type Service, startService } from "../../support/service.ts";

let service: Service;
let stub: TestServer;
beforeAll(async () => {
  [service, stub] = await Promise.all([
    startService(["--wire", "open-r1", "--runtimes.javascript", "false"]),
    startServer({ ROLLCALL_WIRE_ADAPTERS: "open-r1" }),
  ]);
});
afterAll(() => Promise.all([service.stop(), stub.close()]));

const execute = (scripts: string[], more: object = {}, url = service.url) =>
  ask(`${url}/execute_batch`, {
    body: { scripts, languages: scripts.map(() => "python"), timeout: 30, request_timeout: 28, ...more },
  });

/** Scripts as the reward makes them: all of it indented, children that run the program, the share as the last value. */
function evaluation(program: string, cases: readonly (readonly [string, string])[]): string {
  return [
    "",
    "import json, subprocess",
    "",
    "def share(program, cases):",
    "    passed = 0",
    "    for given, wanted in cases:",
    "        run = subprocess.run(['python3', '-c', program], input=given, text=True, capture_output=True, timeout=5)",
    "        passed += run.returncode == 0 and run.stdout.strip() == wanted",
    "    return passed / len(cases)",
    "",
    `share(${JSON.stringify(program)}, json.loads(${JSON.stringify(JSON.stringify(cases))}))`,
    "",
  ]
    .map((line) => `    ${line}`)
    .join("\n");
}

test("the value of the last expression is the main result's text: the reward", async () => {
  const cases = [
    ["1", "2"],
    ["5", "6"],
    ["7", "9"],
    ["8", "9"],
  ] as const;
  const { status, json } = await execute([
    evaluation("print(int(input()) + 1)", cases),
    evaluation("print(1 / 0)", cases),
  ]);
  expect(status).toBe(200);
  expect(
    json.map(({ execution }: { execution: { results: { text: string }[] } }) => execution.results[0]?.text),
  ).toEqual(["0.75", "0.0"]);
  expect(json[0]).toMatchObject({
    execution: {
      results: [{ is_main_result: true, html: null, chart: null, extra: null }],
      logs: { stdout: [], stderr: [] },
      error: null,
      execution_count: 1,
    },
    exception_str: null,
  });
});

test("an exception is an error of the execution, a time limit is no execution", async () => {
  const { json } = await execute(["print('a')\n1/0", "while True: pass"], { timeout: 1 });
  expect(json[0]).toMatchObject({
    execution: {
      results: [],
      logs: { stdout: ["a\n"], stderr: [] },
      error: { name: "ZeroDivisionError", value: "division by zero" },
    },
  });
  expect(json[0].execution.error.traceback).toContain("ZeroDivisionError: division by zero");
  expect(json[1]).toEqual({ execution: null, exception_str: "the script ended with wall_limit" });
});

test("health is the original's", async () => {
  expect((await ask(`${service.url}/health`)).json).toEqual({ status: "ok" });
});

test("whatever cannot be run has its entry, so that the client's list stays whole", async () => {
  const scripts = ["a", "throw queue_full", "c"];
  const { status, json } = await execute(scripts, { languages: ["python", "python", "r"] }, stub.url);
  expect(status).toBe(200);
  expect(json).toMatchObject([
    { exception_str: null },
    { execution: null, exception_str: "stub says queue_full" },
    { execution: null, exception_str: 'there is no runtime for "r" here' },
  ]);
});

test("a body of another shape is 422", async () => {
  const answer = await execute(["a"], { timeout: "soon" }, stub.url);
  expect(answer.status).toBe(422);
  expect(answer.json.detail[0]).toMatchObject({ type: "int_parsing", loc: ["body", "timeout"] });
});
