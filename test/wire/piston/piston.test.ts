/** Piston's wire, on the real service and on one without sandboxes. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { satisfies } from "../../../src/wire/version-range.ts";
import { ask } from "../../support/ask.ts";
import { startServer, type TestServer } from "../../support/server.ts";
import { type Service, startService } from "../../support/service.ts";

let service: Service;
let stub: TestServer;
beforeAll(async () => {
  [service, stub] = await Promise.all([
    startService(["--wire", "piston", "--runtimes.javascript", "false"]),
    startServer({ ROLLCALL_WIRE_ADAPTERS: "piston" }),
  ]);
});
afterAll(() => Promise.all([service.stop(), stub.close()]));

const execute = (body: unknown, url = service.url) => ask(`${url}/api/v2/execute`, { body });
const python = (content: string, more: object = {}) => ({
  language: "python",
  version: "*",
  files: [{ content }],
  ...more,
});

test("runtimes are those there are, with their versions", async () => {
  const { json } = await ask(`${service.url}/api/v2/runtimes`);
  expect(json).toEqual([
    {
      language: "python",
      version: expect.stringMatching(/^3\.\d+\.\d+$/) as string,
      aliases: expect.arrayContaining(["py", "python3"]) as string[],
    },
    {
      language: "javascript",
      version: process.versions.node,
      aliases: expect.arrayContaining(["js"]) as string[],
      runtime: "node",
    },
    { language: "bash", version: expect.stringMatching(/^\d+\.\d+\.\d+$/) as string, aliases: ["sh"] },
    {
      language: "c++",
      version: expect.stringMatching(/^\d+\.\d+\.\d+$/) as string,
      aliases: ["cpp", "g++"],
      runtime: "gcc",
    },
  ]);
});

test("an answer has the original's fields", async () => {
  const { status, json } = await execute(
    python("import sys\nprint(input(), sys.argv[1:])", { stdin: "in", args: ["a"] }),
  );
  expect(status).toBe(200);
  expect(json).toEqual({
    run: {
      stdout: "in ['a']\n",
      stderr: "",
      output: "in ['a']\n",
      code: 0,
      signal: null,
      message: null,
      status: null,
      cpu_time: expect.any(Number) as number,
      wall_time: expect.any(Number) as number,
      memory: expect.any(Number) as number,
    },
    language: "python",
    version: expect.stringMatching(/^3\./) as string,
  });
});

test.each([
  [
    "js",
    "24.x",
    "process.exit(3)",
    { code: 3, signal: null, status: "RE", message: "Exited with error status 3" },
  ],
  [
    "sh",
    "5",
    "kill -SEGV $$",
    { code: null, signal: "SIGSEGV", status: "SG", message: "Caught fatal signal 11" },
  ],
  ["py", ">=3 <4", "while True: pass", { code: null, signal: "SIGKILL", status: "TO" }],
])("%s %s: `%s`", async (language, version, content, expected) => {
  const body = { language, version, files: [{ content }], run_timeout: 1500 };
  expect((await execute(body)).json.run).toMatchObject(expected);
});

test("c++ has a compile stage, which is repeated as the run when it fails", async () => {
  const cpp = (content: string) => execute({ language: "c++", version: "*", files: [{ content }] });
  const good = await cpp('#include <cstdio>\nint main() { puts("hi"); }');
  expect(good.json).toMatchObject({
    language: "c++",
    compile: { code: 0, signal: null, status: null, output: "" },
    run: { code: 0, stdout: "hi\n" },
  });
  const bad = await cpp("int main() { return x; }");
  expect(bad.json.compile).toMatchObject({ code: 1, status: "RE" });
  expect(bad.json.compile.stderr).toContain("was not declared");
  expect(bad.json.run).toEqual(bad.json.compile);
});

test("files are beside the program, by their names, in every encoding", async () => {
  const files = [
    {
      name: "solution.py",
      content: "import helper\nprint(helper.x, open('a/b.bin', 'rb').read(), open('file3.code').read())",
    },
    { name: "helper.py", content: "import solution\nx = 1" },
    { name: "a/b.bin", content: "ff00", encoding: "hex" },
    { content: "aGk=", encoding: "base64" },
  ];
  const { json } = await execute({ language: "python", version: "3", files });
  expect(json.run.stderr).toContain("helper");
  const apart = files.map((file) => (file.name === "helper.py" ? { ...file, content: "x = 1" } : file));
  const answer = await execute({ language: "python", version: "3", files: apart });
  expect(answer.json.run).toMatchObject({ stdout: "1 b'\\xff\\x00' hi\n", code: 0 });
});

test.each<[object, string]>([
  [{}, "language is required as a string"],
  [{ language: "python" }, "version is required as a string"],
  [{ language: "python", version: "3" }, "files is required as an array"],
  [{ language: "python", version: "3", files: [{}] }, "files[0].content is required as a string"],
  [python("", { version: "2.x" }), "python-2.x runtime is unknown"],
  [python("", { language: "brainfuck" }), "brainfuck-* runtime is unknown"],
  [
    { language: "python", version: "3", files: [{ content: "", encoding: "hex" }] },
    "files must include at least one utf8 encoded file",
  ],
  [python("", { run_timeout: "1" }), "If specified, run_timeout must be a number"],
  [python("", { run_timeout: 1e9 }), "run_timeout cannot exceed the configured limit of 600000"],
  [python("", { compile_timeout: -1 }), "compile_timeout must be non-negative"],
])("%j is refused: %s", async (body, message) => {
  const answer = await execute(body);
  expect(answer.status).toBe(400);
  expect(answer.json).toEqual({ message });
});

describe("errors", () => {
  test("a body of another type is 415, one that is not JSON is 400", async () => {
    const headers = { "content-type": "text/plain" };
    const typed = await ask(`${service.url}/api/v2/execute`, { body: "x", headers });
    expect([typed.status, typed.json]).toEqual([
      415,
      { message: "requests must be of type application/json" },
    ]);
    const broken = await ask(`${service.url}/api/v2/execute`, {
      body: "{",
      headers: { "content-type": "application/json" },
    });
    expect(broken.status).toBe(400);
    expect(broken.json.stack).toMatch(/^SyntaxError: /);
  });

  test("overload is 503, a failed sandbox 500 without a body", async () => {
    const full = await execute(python("throw queue_full"), stub.url);
    expect([full.status, full.json]).toEqual([503, { message: "stub says queue_full" }]);
    const failed = await execute(python("outcome sandbox_failed"), stub.url);
    expect([failed.status, failed.text]).toEqual([500, ""]);
  });

  test("limits are the original's unless they are asked for", async () => {
    await execute(python("a"), stub.url);
    expect(stub.stub.seen.at(-1)?.call.limits).toEqual({
      wall_ms: 3000,
      cpu_ms: 3000,
      memory_bytes: 512 << 20,
    });
    await execute(python("a", { run_timeout: 9000, run_cpu_time: 8000, run_memory_limit: 1e8 }), stub.url);
    expect(stub.stub.seen.at(-1)?.call.limits).toEqual({ wall_ms: 9000, cpu_ms: 8000, memory_bytes: 1e8 });
  });
});

test.each([
  ["*", true],
  ["", true],
  ["3", true],
  ["3.x", true],
  ["3.11", true],
  ["3.11.2", true],
  ["v3.11.2", true],
  ["^3.10", true],
  ["~3.11.0", true],
  [">=3.9 <4", true],
  [">= 3.9", true],
  ["2 || 3", true],
  ["3.12", false],
  ["^4", false],
  ["~3.10", false],
  ["<3.11.2", false],
  [">3.11.2", false],
  ["<=3.11.1", false],
  ["nonsense", false],
])("version 3.11.2 is in the range `%s`: %s", (range, expected) => {
  expect(satisfies("3.11.2", range)).toBe(expected);
});
