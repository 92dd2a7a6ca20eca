import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ERROR_CODES, type ErrorCode } from "../../src/contract/errors.ts";
import { ask, open, readAll } from "../support/ask.ts";
import { startServer, type TestServer } from "../support/server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer({
    ROLLCALL_HTTP_BODY_BYTES_MAX: "20000",
    ROLLCALL_QUEUE_BATCH_CALLS_MAX: "3",
    ROLLCALL_HTTP_HEADER_BYTES_MAX: "4096",
    ROLLCALL_HTTP_HEADERS_TIMEOUT_MS: "300",
    ROLLCALL_HTTP_REQUEST_TIMEOUT_MS: "600",
  });
});
afterAll(() => server.close());

const ok = { runtime: "python", source: "1" };

interface Case {
  readonly name: string;
  readonly body: unknown;
  readonly code: ErrorCode;
  readonly path?: string;
  readonly says: RegExp;
}

const call = (name: string, more: object, code: ErrorCode, path: string, says: RegExp): Case => ({
  name,
  body: { ...ok, ...more },
  code,
  path,
  says,
});

const CALLS: readonly Case[] = [
  {
    name: "JSON that is none",
    body: '{"runtime": python}',
    code: "invalid_json",
    says: /not JSON: Unexpected token/,
  },
  { name: "an empty body", body: "", code: "invalid_json", says: /empty/ },
  {
    name: "bytes that are not UTF-8",
    body: Buffer.from([0x22, 0xff, 0x22]),
    code: "invalid_json",
    says: /not UTF-8/,
  },
  { name: "an array", body: [], code: "invalid_call", says: /the body must be an object, not an array/ },
  { name: "null", body: "null", code: "invalid_call", says: /must be an object, not null/ },
  {
    name: "no runtime",
    body: { source: "" },
    code: "invalid_call",
    path: "/runtime",
    says: /\/runtime is missing/,
  },
  {
    name: "no source",
    body: { runtime: "python" },
    code: "invalid_call",
    path: "/source",
    says: /\/source is missing/,
  },
  call(
    "an unknown runtime",
    { runtime: "ruby" },
    "unknown_runtime",
    "/runtime",
    /"ruby".*python, javascript, node/,
  ),
  call(
    "a runtime that is a number",
    { runtime: 5 },
    "invalid_call",
    "/runtime",
    /must be a string, not an integer/,
  ),
  call("an unknown field", { tiemout: 5 }, "invalid_call", "/tiemout", /known are runtime, source, stdin/),
  call(
    "__proto__ as a field",
    JSON.parse('{"__proto__": 1}'),
    "invalid_call",
    "/__proto__",
    /not a known field/,
  ),
  call(
    "an unknown limit",
    { limits: { wall: 5 } },
    "invalid_call",
    "/limits/wall",
    /known are wall_ms, cpu_ms/,
  ),
  call(
    "a number as text",
    { limits: { wall_ms: "5" } },
    "invalid_call",
    "/limits/wall_ms",
    /must be an integer, not a string/,
  ),
  call(
    "a fraction",
    { limits: { wall_ms: 1.5 } },
    "invalid_call",
    "/limits/wall_ms",
    /must be an integer, not the number 1.5/,
  ),
  call(
    "a limit below its minimum",
    { limits: { memory_bytes: 1 } },
    "invalid_call",
    "/limits/memory_bytes",
    /at least 16777216, not 1/,
  ),
  call("a deadline of nothing", { deadline_ms: 0 }, "invalid_call", "/deadline_ms", /at least 1, not 0/),
  call("a deadline too far", { deadline_ms: 1e9 }, "invalid_call", "/deadline_ms", /at most 86400000/),
  call("an id with a space", { id: "a b" }, "invalid_call", "/id", /must match .* not "a b"/),
  call("an unknown mode", { mode: "repl" }, "invalid_call", "/mode", /one of script, cell, not "repl"/),
  call(
    "an unknown priority",
    { priority: "urgent" },
    "invalid_call",
    "/priority",
    /one of high, normal, low/,
  ),
  call(
    "too many arguments",
    { args: Array.from({ length: 129 }, () => "") },
    "invalid_call",
    "/args",
    /at most 128 items, not 129/,
  ),
  call("an argument that is no text", { args: ["a", 1] }, "invalid_call", "/args/1", /must be a string/),
  call(
    "a file of neither kind",
    { files: { a: 5 } },
    "invalid_call",
    "/files/a",
    /must be a string or an object, not an integer/,
  ),
  call(
    "a file of unknown encoding",
    { files: { a: { content: "", encoding: "hex" } } },
    "invalid_call",
    "/files/a/encoding",
    /one of utf8, base64, not "hex"/,
  ),
  call(
    "a file without encoding",
    { files: { "d/a~": { content: "" } } },
    "invalid_call",
    "/files/d~1a~0/encoding",
    /is missing/,
  ),
  call(
    "a file whose name has a line break",
    { files: { "a\nb": 5 } },
    "invalid_call",
    "/files/a\nb",
    /must be a string or an object/,
  ),
  call(
    "a variable named __proto__",
    { env: JSON.parse('{"__proto__": "x"}') },
    "invalid_call",
    "/env/__proto__",
    /cannot be used as a name/,
  ),
  call("a variable that is no text", { env: { A: 1 } }, "invalid_call", "/env/A", /must be a string/),
  call(
    "a body that is too long",
    { source: "x".repeat(20_000) },
    "body_too_large",
    "",
    /longer than 20000 bytes/,
  ),
];

const BATCHES: readonly Case[] = [
  { name: "no calls", body: {}, code: "invalid_call", path: "/calls", says: /\/calls is missing/ },
  {
    name: "an empty batch",
    body: { calls: [] },
    code: "invalid_call",
    path: "/calls",
    says: /at least 1 item/,
  },
  {
    name: "a batch that is too long",
    body: { calls: [ok, ok, ok, ok] },
    code: "batch_too_long",
    path: "/calls",
    says: /has 4 calls, the most is 3/,
  },
  {
    name: "the same id twice",
    body: { calls: [{ ...ok, id: "a" }, ok, { ...ok, id: "a" }] },
    code: "duplicate_id",
    path: "/calls/2/id",
    says: /\/calls\/0 and \/calls\/2 .* a$/,
  },
  {
    name: "a bad limit in a call",
    body: { calls: [ok, ok, { ...ok, limits: { wall_ms: true } }] },
    code: "invalid_call",
    path: "/calls/2/limits/wall_ms",
    says: /must be an integer, not a boolean/,
  },
  {
    name: "an unknown runtime in a call",
    body: { calls: [ok, { ...ok, runtime: "perl" }] },
    code: "unknown_runtime",
    path: "/calls/1/runtime",
    says: /"perl"/,
  },
  {
    name: "a refusal by the executor",
    body: { calls: [ok, { ...ok, source: "throw limit_above_ceiling" }] },
    code: "limit_above_ceiling",
    path: "/calls/1/source",
    says: /stub/,
  },
];

async function expectRefused(route: string, { body, code, path, says }: Case): Promise<void> {
  const answer = await ask(server.url + route, { body });
  const { error } = answer.json;
  expect(error.code).toBe(code);
  expect(answer.status).toBe(ERROR_CODES[code].status);
  expect(error.message).toMatch(says);
  expect(error.path ?? "").toBe(path ?? "");
  expect((await ask(`${server.url}/v1/calls`, { body: ok })).status).toBe(200);
}

describe("a call is refused for", () => {
  test.each(CALLS)("$name", (bad) => expectRefused("/v1/calls", bad));
});

describe("a batch is refused for", () => {
  test.each(BATCHES)("$name", (bad) => expectRefused("/v1/batches", bad));
});

describe("a request is refused for", () => {
  test("its content type", async () => {
    for (const type of ["text/plain", "application/xml", ""]) {
      const answer = await ask(`${server.url}/v1/calls`, {
        body: JSON.stringify(ok),
        headers: { "content-type": type },
      });
      expect([answer.status, answer.json.error.code]).toEqual([415, "unsupported_media_type"]);
      expect(answer.json.error.message).toContain("must be application/json");
    }
  });

  test("a compressed body", async () => {
    const answer = await ask(`${server.url}/v1/calls`, {
      body: "x",
      headers: { "content-encoding": "gzip" },
    });
    expect(answer.json.error).toMatchObject({
      code: "unsupported_media_type",
      message: expect.stringContaining("gzip"),
    });
  });

  test("a body above the bound that comes in chunks", async () => {
    const socket = await open(server.port);
    socket.write(
      "POST /v1/calls HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
    );
    for (let sent = 0; sent < 3; sent += 1) socket.write(`2000\r\n${" ".repeat(0x2000)}\r\n`);
    expect(await readAll(socket)).toMatch(/^HTTP\/1.1 413 [^]*body_too_large/);
  });

  test("an unknown route, before its body is looked at", async () => {
    const answer = await ask(`${server.url}/v1/nothing`, { body: "{bad" });
    expect([answer.status, answer.json.error.code]).toEqual([404, "not_found"]);
  });

  test("a wrong method, with those there are", async () => {
    const get = await ask(`${server.url}/v1/calls`);
    expect([get.status, get.headers["allow"], get.json.error.code]).toEqual([
      405,
      "POST",
      "method_not_allowed",
    ]);
    const put = await ask(`${server.url}/healthz?x=1`, { method: "PUT", body: ok });
    expect([put.status, put.headers["allow"]]).toEqual([405, "GET, HEAD"]);
  });

  test("a URL that is none", async () => {
    expect((await ask(`${server.url}/%zz`)).json.error.code).toBe("invalid_http");
  });

  test("not being HTTP", async () => {
    const socket = await open(server.port);
    socket.write("hello there\r\n\r\n");
    expect(await readAll(socket)).toMatch(/^HTTP\/1.1 400 [^]*invalid_http/);
  });

  test("a header that is too long", async () => {
    const socket = await open(server.port);
    socket.write(`GET /healthz HTTP/1.1\r\nhost: x\r\nx-long: ${"a".repeat(10_000)}\r\n\r\n`);
    expect(await readAll(socket)).toMatch(/^HTTP\/1.1 431 [^]*header_too_large/);
  });

  test.each([
    ["header", "GET /healthz HTTP/1.1\r\nhost: x\r\n"],
    [
      "body",
      "POST /v1/calls HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{",
    ],
  ])("a %s that does not arrive", async (_name, bytes) => {
    const socket = await open(server.port);
    socket.write(bytes);
    expect(await readAll(socket)).toMatch(/^HTTP\/1.1 408 [^]*request_timeout/);
  });
});

test("a body that breaks off harms nobody", async () => {
  const socket = await open(server.port);
  socket.write(
    "POST /v1/calls HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{",
  );
  socket.destroy();
  expect((await ask(`${server.url}/v1/calls`, { body: ok })).status).toBe(200);
  while (!(await server.metrics.text()).includes("rollcall_http_body_bytes 0"))
    await new Promise(setImmediate);
});

test("an error of the executor keeps its status, code, path and retry-after", async () => {
  const answer = await ask(`${server.url}/v1/calls`, { body: { ...ok, source: "throw queue_full" } });
  expect(answer.status).toBe(429);
  expect(answer.headers["retry-after"]).toBe("2");
  expect(answer.json).toEqual({
    error: {
      code: "queue_full",
      message: "stub says queue_full",
      fault: "service",
      retryable: true,
      path: "/source",
      retry_after_ms: 1200,
    },
  });
});

test("an unexpected error is internal, logged and not told", async () => {
  const answer = await ask(`${server.url}/v1/calls`, { body: { ...ok, source: "crash" } });
  expect([answer.status, answer.json.error.code]).toEqual([500, "internal"]);
  expect(answer.text).not.toContain("secret");
  expect(server.lines.join("")).toContain("secret inner detail");
});

test("errors are counted by code", async () => {
  expect(await server.metrics.text()).toMatch(/rollcall_http_errors_total\{code="unknown_runtime"\} [1-9]/);
});

test("above the bound of all bodies together a request is told to come back", async () => {
  const small = await startServer({ ROLLCALL_HTTP_BODIES_BYTES_MAX: "1024" });
  try {
    const first = await open(small.port);
    first.write(
      `POST /v1/calls HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2000\r\n\r\n${" ".repeat(1000)}`,
    );
    while (!(await small.metrics.text()).includes("rollcall_http_body_bytes 1000"))
      await new Promise(setImmediate);
    const answer = await ask(`${small.url}/v1/calls`, { body: ok });
    expect([answer.status, answer.json.error.code, answer.headers["retry-after"]]).toEqual([
      429,
      "queue_full",
      "1",
    ]);
    first.destroy();
    while (!(await small.metrics.text()).includes("rollcall_http_body_bytes 0"))
      await new Promise(setImmediate);
    expect((await ask(`${small.url}/v1/calls`, { body: ok })).status).toBe(200);
  } finally {
    await small.close();
  }
});
