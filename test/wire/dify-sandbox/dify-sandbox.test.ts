/** dify-sandbox's wire, on the real service and on one without sandboxes. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { ask } from "../../support/ask.ts";
import { startServer, type TestServer } from "../../support/server.ts";
import { type Service, startService } from "../../support/service.ts";

const KEY = "dify-sandbox-dify-sandbox";
let service: Service;
let stub: TestServer;
beforeAll(async () => {
  [service, stub] = await Promise.all([
    startService(
      ["--wire", "dify-sandbox", "--wire.dify-sandbox.wallMs", "1000", "--runtimes.javascript", "false"],
      { ROLLCALL_HTTP_KEYS: JSON.stringify([{ name: "dify", key: KEY }]) },
    ),
    startServer({ ROLLCALL_WIRE_ADAPTERS: "dify-sandbox", ROLLCALL_WIRE_DIFY_SANDBOX_PRELOAD: "true" }),
  ]);
});
afterAll(() => Promise.all([service.stop(), stub.close()]));

const run = (body: unknown, url = service.url, headers = { "x-api-key": KEY }) =>
  ask(`${url}/v1/sandbox/run`, { body, headers });

test.each([
  [
    "python3",
    "import sys\nprint(1)\nprint(2, file=sys.stderr)",
    { stdout: "1\n", stderr: "2\n", error: "", exit_code: 0 },
  ],
  ["nodejs", "console.log(1)", { stdout: "1\n", stderr: "", error: "", exit_code: 0 }],
  [
    "python3",
    "import sys\nprint('partial')\nsys.exit('bad')",
    { stdout: "partial\n", stderr: "bad\n", error: "process exited with code 1\nbad\n", exit_code: 1 },
  ],
  [
    "python3",
    "while True: pass",
    { stdout: "", stderr: "", error: "process exited with code -1\nerror: timeout\n", exit_code: -1 },
  ],
])("%s: `%s`", async (language, code, data) => {
  const answer = await run({ language, code, preload: "", enable_network: false });
  expect(answer.status).toBe(200);
  expect(answer.json).toEqual({ code: 0, message: "success", data });
});

test("a wrong key is 401 without a body; health asks for none", async () => {
  const answer = await run({ language: "python3", code: "1" }, service.url, { "x-api-key": "dify-sandbox" });
  expect([answer.status, answer.text]).toEqual([401, ""]);
  expect((await ask(`${service.url}/health`)).json).toBe("ok");
});

test.each<[object, number, string]>([
  [{ language: "ruby", code: "1" }, 400, "unsupported language"],
  [
    { language: "python3" },
    400,
    "Key: 'Code' Error:Field validation for 'Code' failed on the 'required' tag",
  ],
  [
    { language: "python3", code: 1 },
    400,
    "json: cannot unmarshal number into Go struct field .code of type string",
  ],
  [
    { language: "python3", code: "1", enable_network: true },
    200,
    "network is disabled, please enable it in the configuration",
  ],
])("%j is refused", async (body, status, message) => {
  const answer = await run(body);
  expect([answer.status, answer.json]).toEqual([status, { code: -400, message, data: null }]);
});

test("overload is 503 in the original's words", async () => {
  const answer = await run({ language: "python3", code: "throw queue_full" }, stub.url);
  expect(answer.status).toBe(503);
  expect(answer.json).toEqual({ code: -503, message: "Too many requests", data: null });
});

test("a preload goes before the code where that is switched on", async () => {
  await run({ language: "python3", code: "b", preload: "a" }, stub.url);
  expect(stub.stub.seen.at(-1)?.call.source).toBe("a\nb");
});
