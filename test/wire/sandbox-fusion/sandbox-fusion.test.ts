/** SandboxFusion's wire, field by field, without a sandbox. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask } from "../../support/ask.ts";
import { startServer, type TestServer } from "../../support/server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer({ ROLLCALL_WIRE_ADAPTERS: "sandbox-fusion" });
});
afterAll(() => server.close());

const runCode = (body: unknown) => ask(`${server.url}/run_code`, { body });
const python = (more: object = {}) => ({ language: "python", code: "a", ...more });
const lastCall = () => server.stub.seen.at(-1)?.call;

test("an answer has the original's fields and no others", async () => {
  expect((await runCode(python())).json).toEqual({
    status: "Success",
    message: "",
    compile_result: null,
    run_result: { status: "Finished", execution_time: 0.0015, return_code: 0, stdout: "a", stderr: "" },
    executor_pod_name: null,
    files: {},
  });
});

test("ping is the original's", async () => {
  const answer = await ask(`${server.url}/v1/ping`);
  expect(answer.headers["content-type"]).toMatch(/^application\/json/);
  expect(answer.json).toBe("pong");
});

test("all that verl, ROLL and tinker-cookbook send becomes one call", async () => {
  await runCode(
    python({
      compile_timeout: 30,
      run_timeout: 2.5,
      memory_limit_MB: 1024,
      stdin: "1\n",
      files: { "./d/a.txt": "YQ==\n", "/work/b.txt": "Yg", IGNORE_THIS_FILE: "Yw==", "c.txt": null },
      fetch_files: ["out.txt", "/work/d/a.txt", "../x", "/etc/passwd"],
      expected_stdout: "tolerated",
    }),
  );
  expect(lastCall()).toEqual({
    runtime: "python",
    source: "a",
    stdin: "1\n",
    files: {
      "./d/a.txt": { content: "YQ==", encoding: "base64" },
      "b.txt": { content: "Yg==", encoding: "base64" },
    },
    collect: ["out.txt", "d/a.txt"],
    limits: { wall_ms: 2500, memory_bytes: 1 << 30 },
    deadline_ms: 19_500,
  });
});

test("defaults are the original's, and limits beyond the service's are cut to them", async () => {
  await runCode(python());
  expect(lastCall()).toMatchObject({ limits: { wall_ms: 10_000, memory_bytes: 512 << 20 } });
  expect(lastCall()).not.toHaveProperty("stdin");
  await runCode(python({ run_timeout: 100_000, memory_limit_MB: 1 << 20 }));
  expect(lastCall()).toMatchObject({ limits: { wall_ms: 600_000, memory_bytes: 2 ** 32 } });
  await runCode(python({ run_timeout: 0, memory_limit_MB: 1 }));
  expect(lastCall()).toMatchObject({ limits: { wall_ms: 1, memory_bytes: 16 << 20 } });
});

test.each([
  ["python", "python"],
  ["nodejs", "node"],
  ["bash", "bash"],
  ["cpp", "cpp"],
  ["pytest", "python"],
])("%s runs as %s", async (language, runtime) => {
  await runCode({ language, code: "a" });
  expect(lastCall()?.runtime).toBe(runtime);
});

test.each(["java", "sql", "lean"])(
  "%s is answered as the original answers a language without a runner",
  async (language) => {
    const answer = await runCode({ language, code: "x = 1" });
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({
      status: "SandboxError",
      message: `exception on running code x = 1: there is no runner for '${language}' here`,
      compile_result: null,
      run_result: null,
      executor_pod_name: null,
      files: {},
    });
  },
);

describe("what cannot be accepted", () => {
  test("is 422 with every field at fault", async () => {
    const answer = await runCode({ language: "cobol", run_timeout: "ten", memory_limit_MB: 1.5, files: [] });
    expect(answer.status).toBe(422);
    const found = answer.json.detail.map(({ type, loc }: { type: string; loc: string[] }) => [type, ...loc]);
    expect(found).toEqual([
      ["float_parsing", "body", "run_timeout"],
      ["int_from_float", "body", "memory_limit_MB"],
      ["missing", "body", "code"],
      ["literal_error", "body", "language"],
      ["dict_type", "body", "files"],
    ]);
  });

  test("numbers may be texts and whole numbers may be fractions that are none", async () => {
    expect((await runCode(python({ run_timeout: "3", memory_limit_MB: 64.0 }))).status).toBe(200);
    expect(lastCall()).toMatchObject({ limits: { wall_ms: 3000, memory_bytes: 64 << 20 } });
  });

  test.each(["queue_full", "deadline_unmeetable", "draining", "engine_unavailable"])(
    "%s is 504, for which verl and SkyRL come again",
    async (code) => {
      const answer = await runCode(python({ code: `throw ${code}` }));
      expect(answer.status).toBe(504);
      expect(answer.json).toEqual({ detail: `stub says ${code}` });
    },
  );

  test("what a program may not have is a SandboxError that says so", async () => {
    const answer = await runCode(python({ code: "throw invalid_path" }));
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({
      status: "SandboxError",
      message: "exception on running code throw invalid_path: stub says invalid_path",
      run_result: null,
    });
  });
});

describe("/run_jupyter", () => {
  const jupyter = (body: object) => ask(`${server.url}/run_jupyter`, { body });

  test("is one Python call whose cells can be looked at for what they import", async () => {
    await jupyter({ cells: ["import numpy", "1"], total_timeout: 5, files: { a: "YQ==" } });
    expect(lastCall()).toMatchObject({
      runtime: "python",
      limits: { wall_ms: 15_000 },
      files: { a: { content: "YQ==" }, ".cells.py": expect.stringContaining("\nimport numpy\n") as string },
    });
  });

  test("a program that leaves no list of cells has failed", async () => {
    const answer = await jupyter({ cells: ["1"] });
    expect(answer.json).toMatchObject({ status: "Failed", cells: [], files: {}, message: "" });
    expect(answer.json.driver).toMatchObject({ status: "Finished", return_code: 0 });
  });

  test("is 422 without cells or with another kernel", async () => {
    const answer = await jupyter({ kernel: "ir" });
    expect(answer.status).toBe(422);
    expect(answer.json.detail.map(({ type }: { type: string }) => type)).toEqual([
      "missing",
      "literal_error",
    ]);
  });
});

describe("the online judge", () => {
  const post = (route: string, body: object) => ask(`${server.url}${route}`, { body });
  const data = (...expected: string[]) => ({
    test: JSON.stringify(expected.map((stdout) => ({ input: { stdin: "in" }, output: { stdout } }))),
  });
  // The stub prints its source.
  const submit = (completion: string, provided_data: unknown, more: object = {}, extra: object = {}) =>
    post("/submit", {
      dataset: "mine",
      id: 7,
      completion,
      config: { dataset_type: "CommonOJDataset", language: "python", provided_data, extra, ...more },
    });

  test("there are no data sets of its own", async () => {
    expect((await ask(`${server.url}/list_datasets`)).json).toEqual([]);
  });

  test.each([
    ["/list_ids", {}],
    ["/get_prompts", {}],
    ["/get_prompt_by_id", { id: 1 }],
    ["/submit", { id: 1, completion: "" }],
    ["/get_metrics", { results: [] }],
    ["/get_metrics_function", {}],
  ])("%s answers as for a data set or a class that it does not know", async (route, more) => {
    const unknown = await post(route, { dataset: "humaneval", config: {}, ...more });
    expect([unknown.status, unknown.json]).toEqual([
      400,
      { detail: "no eval class found for dataset humaneval" },
    ]);
    const other = await post(route, { dataset: "x", config: { dataset_type: "MBPPDataset" }, ...more });
    expect([other.status, other.json]).toEqual([400, { detail: "eval class MBPPDataset not found" }]);
    expect((await post(route, {})).status).toBe(422);
  });

  test("an answer has every field of the original's", async () => {
    const { status, json } = await submit("```python\nanswer\n```", data("ANSWER"));
    expect(status).toBe(200);
    expect(json).toEqual({
      id: 7,
      accepted: true,
      extracted_code: "answer",
      full_code: null,
      test_code: null,
      tests: [
        {
          passed: true,
          exec_info: {
            status: "Success",
            message: "",
            compile_result: null,
            run_result: {
              status: "Finished",
              execution_time: 0.0015,
              return_code: 0,
              stdout: "answer",
              stderr: "",
            },
            executor_pod_name: null,
            files: {},
          },
          test_info: { input: { stdin: "in" }, output: { stdout: "ANSWER" } },
        },
      ],
      extracted_type: null,
      extra: null,
    });
    expect(lastCall()).toMatchObject({ runtime: "python", stdin: "in", limits: { wall_ms: 20_000 } });
    expect(JSON.stringify(lastCall())).not.toContain("ANSWER");
  });

  test.each([
    ["1.000001", "1", true],
    ["1.001", "1", false],
    [" a \nB", "a\nb\n\n", true],
    ["a\n\nb", "a\nb", false],
    ["nan", "NaN", true],
    ["1 2", "1 2.0", false],
    ["1_0", "10", true],
    ["1e", "1", false],
    [".", "0", false],
  ])("%j for %j: %s", async (printed, expected, accepted) => {
    const { json } = await submit(`\`\`\`py\n${printed}\n\`\`\``, data(expected));
    expect(json.accepted).toBe(accepted);
  });

  test("the first failure ends it, unless all cases are asked for", async () => {
    const some = await submit("```\na\n```", data("a", "b", "a"));
    expect(some.json.tests.map(({ passed }: { passed: boolean }) => passed)).toEqual([true, false]);
    const all = await submit("```\na\n```", data("a", "b", "a"), {}, { run_all_cases: true });
    expect(all.json.tests.map(({ passed }: { passed: boolean }) => passed)).toEqual([true, false, true]);
    expect([some.json.accepted, all.json.accepted]).toEqual([false, false]);
  });

  test("long texts of cases that passed are shortened, unless whole ones are asked for", async () => {
    const long = "x".repeat(3000);
    const cases = { test: [{ input: { stdin: long }, output: { stdout: "a" } }] };
    const short = (await submit("```\na\n```", cases)).json.tests[0].test_info.input.stdin;
    expect([short.length, short.slice(497, 502)]).toEqual([999, "x...x"]);
    const whole = await submit("```\na\n```", cases, {}, { return_full_case: true });
    expect(whole.json.tests[0].test_info.input.stdin).toBe(long);
  });

  test.each([
    [{ language: null }, "config.language field must exist for CommonOJDataset, got None"],
    [{ provided_data: null }, "there is no data of dataset mine here: give it as config.provided_data"],
    [{ provided_data: [{}] }, "request.config.provided_data should be a dict with str -> str | int"],
    [{ provided_data: { id: 1 } }, "config.provided_data has no 'test'"],
    [{ provided_data: { test: "{" } }, "'test' of config.provided_data is not JSON"],
    [{ custom_extract_logic: "1" }, "config.custom_extract_logic is not run here"],
  ])("%j is 400", async (more, detail) => {
    const { status, json } = await submit("```\na\n```", data("a"), more);
    expect([status, json]).toEqual([400, { detail }]);
  });

  test("what says nothing about the program is an error, as in the original", async () => {
    const noRunner = await submit("```\na\n```", data("a"), { language: "lean" });
    expect(noRunner.status).toBe(500);
    expect(noRunner.json.detail).toMatch(/^Failed to check stdio test case: there is no runner for 'lean'/);
    expect((await submit("```\noutcome sandbox_failed\n```", data("a"))).status).toBe(500);
    expect((await submit("```\nthrow queue_full\n```", data("a"))).status).toBe(504);
    expect((await submit("```\noutcome cancelled\n```", data("a"))).status).toBe(504);
  });

  test("prompts and ids are those of the data that came", async () => {
    const rows = [{ id: "p1", labels: '{"a":1}', content: "Add." }];
    const config = { dataset_type: "CommonOJDataset", language: "cpp", provided_data: rows };
    const { json } = await post("/get_prompts", { dataset: "mine", config });
    expect(json).toEqual([{ id: "p1", prompt: expect.stringMatching(/^Add\.\n\n.*cpp/), labels: { a: 1 } }]);
    expect((await post("/list_ids", { dataset: "mine", config })).json).toEqual(["p1"]);
    const one = { dataset: "mine", id: "p1", config: { ...config, provided_data: rows[0] } };
    expect((await post("/get_prompt_by_id", one)).json).toEqual(json[0]);
    expect((await post("/get_metrics", { dataset: "mine", config, results: [] })).json).toEqual({});
    expect((await post("/get_metrics_function", { dataset: "mine", config })).json).toEqual({
      function: null,
    });
  });
});
