/** code-judge's wire, field by field, without a sandbox. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask } from "../../support/ask.ts";
import { startServer, type TestServer } from "../../support/server.ts";

let server: TestServer;
let directory = "";
beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), "modules-"));
  writeFileSync(path.join(directory, "score_parts.py"), "import sympy\n");
  writeFileSync(path.join(directory, "fused_score.py"), "import score_parts\n");
  writeFileSync(path.join(directory, "unrelated.py"), "import scipy\n");
  server = await startServer({
    ROLLCALL_WIRE_ADAPTERS: "code-judge",
    ROLLCALL_WIRE_CODE_JUDGE_WALL_MS: "4000",
    ROLLCALL_WIRE_CODE_JUDGE_MODULES_DIRECTORY: directory,
  });
});
afterAll(async () => {
  await server.close();
  rmSync(directory, { recursive: true });
});

const to = (route: string, body: unknown) => ask(`${server.url}${route}`, { body });
const python = (solution: string, more: object = {}) => ({ type: "python", solution, ...more });
const lastCall = () => server.stub.seen.at(-1)?.call;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;

test("a result has the original's fields and no others", async () => {
  const { json } = await to("/run", python("x", { sub_id: "mine", options: { a: "b" }, extra: 1 }));
  expect(json).toEqual({
    sub_id: "mine",
    success: true,
    run_success: true,
    cost: 0.0015,
    stdout: "x",
    stderr: "",
    reason: "",
  });
  const judged = await to("/judge", python("x", { expected_output: " y " }));
  expect(judged.json).toEqual({
    sub_id: expect.stringMatching(UUID) as string,
    success: false,
    run_success: true,
    cost: 0.0015,
    reason: "",
  });
});

test.each(["/run/batch", "/run/long-batch"])("%s keeps the order and draws ids", async (route) => {
  const submissions = [python("a"), { type: "math", solution: "" }, python("b", { sub_id: "" })];
  const { json } = await to(route, { type: "batch", sub_id: null, submissions });
  expect(json.sub_id).toMatch(UUID);
  expect(json.results.map((one: { stdout: string | null }) => one.stdout)).toEqual(["a", null, "b"]);
  expect(json.results.map((one: { reason: string }) => one.reason)).toEqual(["", "internal_error", ""]);
  expect(json.results[2].sub_id).toMatch(UUID);
});

test.each(["/judge/batch", "/judge/long-batch"])("%s says the same without the output", async (route) => {
  const { json } = await to(route, { submissions: [python("a", { expected_output: "a" })] });
  expect(Object.keys(json.results[0]).toSorted()).toEqual([
    "cost",
    "reason",
    "run_success",
    "sub_id",
    "success",
  ]);
});

test("a call has the original's limits and its standard input", async () => {
  await to("/run", python("a", { input: "1\n" }));
  expect(lastCall()).toEqual({ runtime: "python", source: "a", stdin: "1\n", limits: { wall_ms: 4000 } });
  for (const input of ["", null]) {
    await to("/run", python("a", { input }));
    expect(lastCall()).not.toHaveProperty("stdin");
  }
});

test("output is compared whole, stripped as Python strips, and answered up to 1000 characters", async () => {
  const solution = `\x1c\u2003${"\u{1F600}".repeat(1500)}\x85\n`;
  const { json } = await to("/run", python(solution, { expected_output: "\u{1F600}".repeat(1500) }));
  expect(json.success).toBe(true);
  expect(json.stdout).toBe(`\x1c\u2003${"\u{1F600}".repeat(998)}`);
  const bom = await to("/run", python("\uFEFFa", { expected_output: "a" }));
  expect(bom.json.success).toBe(false);
});

test("what is imported in base64 is named in a last line, for the choice of interpreter", async () => {
  const cell = Buffer.from("import numpy as np\nfrom sympy import *\nprint(1)").toString("base64");
  const solution = `exec(base64.b64decode("${cell}".encode()).decode())`;
  await to("/run", python(solution));
  expect(lastCall()?.source).toBe(`${solution}\n# import numpy as np; from sympy import *\n`);
});

test("the operator's modules go with the programs that name them, and with no other", async () => {
  await to("/run", python("from fused_score import compute"));
  expect(Object.keys(lastCall()?.files ?? {}).toSorted()).toEqual(["fused_score.py", "score_parts.py"]);
  await to("/run", python("print(1)"));
  expect(lastCall()).not.toHaveProperty("files");
});

describe("what cannot be accepted", () => {
  const item = { type: "python", solution: "a" };
  const missing = (...loc: (string | number)[]) => ({ type: "missing", loc, msg: "Field required" });
  test.each<[string, string, unknown, object]>([
    ["no solution", "/run", { type: "python" }, missing("body", "solution")],
    ["no type", "/judge", { solution: "a" }, missing("body", "type")],
    [
      "an unknown type",
      "/run",
      { type: "java", solution: "a" },
      {
        type: "literal_error",
        loc: ["body", "type"],
        msg: "Input should be 'python', 'cpp' or 'math'",
        input: "java",
        ctx: { expected: "'python', 'cpp' or 'math'" },
      },
    ],
    [
      "an empty list",
      "/run/long-batch",
      { submissions: [] },
      {
        type: "too_short",
        loc: ["body", "submissions"],
        msg: "List should have at least 1 item after validation, not 0",
        ctx: { field_type: "List", min_length: 1, actual_length: 0 },
      },
    ],
    ["no list", "/run/batch", {}, missing("body", "submissions")],
    [
      "an item of another kind",
      "/run/batch",
      { submissions: [item, 7] },
      { type: "model_attributes_type", loc: ["body", "submissions", 1], input: 7 },
    ],
    [
      "a field of another kind",
      "/run/batch",
      { submissions: [item, { ...item, input: 5 }] },
      { type: "string_type", loc: ["body", "submissions", 1, "input"], input: 5 },
    ],
    [
      "options of another kind",
      "/run",
      { ...item, options: { a: 1 } },
      { type: "string_type", loc: ["body", "options", "a"] },
    ],
    ["an array for an object", "/run", [item], { type: "model_attributes_type", loc: ["body"] }],
  ])("%s is 422 in FastAPI's shape", async (_name, route, body, entry) => {
    const answer = await to(route, body);
    expect(answer.status).toBe(422);
    expect(answer.json.detail).toHaveLength(1);
    expect(answer.json.detail[0]).toMatchObject(entry);
  });

  test.each([
    ["what is not JSON", '{"type":', { type: "json_invalid", msg: "JSON decode error" }],
    ["an empty body", "", { type: "missing", loc: ["body"], msg: "Field required" }],
  ])("%s is 422 as well", async (_name, body, entry) => {
    const headers = { "content-type": "application/json" };
    const answer = await ask(`${server.url}/run`, { body, headers });
    expect(answer.status).toBe(422);
    expect(answer.json.detail[0]).toMatchObject(entry);
  });

  test.each(["queue_full", "draining", "engine_unavailable"])(
    "%s is 503 for the whole request",
    async (code) => {
      for (const [route, body] of [
        ["/run", python(`throw ${code}`)],
        ["/run/long-batch", { submissions: [python("a"), python(`throw ${code}`)] }],
      ] as const) {
        const answer = await to(route, body);
        expect(answer.status).toBe(503);
        expect(answer.json).toEqual({ detail: `stub says ${code}` });
      }
    },
  );

  test("one submission that can be no call keeps no other from its run", async () => {
    const submissions = [python("a"), python("throw call_too_large"), python("b")];
    const { status, json } = await to("/run/long-batch", { submissions });
    expect(status).toBe(200);
    expect(json.results.map((one: { reason: string }) => one.reason)).toEqual(["", "invalid_input", ""]);
    expect(json.results.map((one: { stdout: string }) => one.stdout)).toEqual(["a", null, "b"]);
  });
});

test("a time limit is a TimeoutError where that is asked for, however long stderr is", async () => {
  const other = await startServer({
    ROLLCALL_WIRE_ADAPTERS: "code-judge",
    ROLLCALL_WIRE_CODE_JUDGE_WALL_MS: "4000",
    ROLLCALL_WIRE_CODE_JUDGE_TIMEOUT_ERROR: "true",
  });
  try {
    const { json } = await ask(`${other.url}/run`, { body: python("outcome wall_limit") });
    expect(json).toMatchObject({
      reason: "worker_timeout",
      cost: 4,
      stderr: "TimeoutError: the program did not end within 4 s\n",
    });
  } finally {
    await other.close();
  }
});
