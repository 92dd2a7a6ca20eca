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

describe("data sets, of which there are none", () => {
  test("an empty list of them", async () => {
    expect((await ask(`${server.url}/list_datasets`)).json).toEqual([]);
  });

  test.each([
    "/list_ids",
    "/get_prompts",
    "/get_prompt_by_id",
    "/submit",
    "/get_metrics",
    "/get_metrics_function",
  ])("%s answers as for a data set that it does not know", async (route) => {
    const answer = await ask(`${server.url}${route}`, { body: { dataset: "humaneval", id: 1, config: {} } });
    expect(answer.status).toBe(400);
    expect(answer.json).toEqual({ detail: "no eval class found for dataset humaneval" });
    expect((await ask(`${server.url}${route}`, { body: {} })).status).toBe(422);
  });
});
