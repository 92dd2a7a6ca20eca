import { Value } from "typebox/value";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadConfig } from "../../src/config/load.ts";
import { DescriptionSchema } from "../../src/contract/description.ts";
import { createVerifier } from "../../src/judge/verifier.ts";
import { buildServer } from "../../src/http/server.ts";
import { createLog } from "../../src/observe/log.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import { ask, open, post, readAll } from "../support/ask.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { STUB_DESCRIPTION, createStubExecutor } from "../support/stub-executor.ts";

let server: TestServer;
beforeEach(async () => {
  server = await startServer();
});
afterEach(() => server.close());

const CALL = { runtime: "python", source: "1" };
const KEYS = JSON.stringify([
  { name: "alice", key: "alice-key-0123456789" },
  { name: "bob", key: "bob-key-0123456789ab" },
]);

test("health tells of the process, readiness of the engines", async () => {
  server.ready = false;
  expect((await ask(`${server.url}/healthz`)).status).toBe(200);
  const starting = await ask(`${server.url}/readyz`);
  expect([starting.status, starting.json]).toEqual([503, { status: "starting" }]);
  server.ready = true;
  expect((await ask(`${server.url}/readyz`)).json).toEqual({ status: "ready" });
});

test("info is the executor's description", async () => {
  const { json } = await ask(`${server.url}/v1/info`);
  expect(json).toEqual(STUB_DESCRIPTION);
  expect(Value.Check(DescriptionSchema, json)).toBe(true);
});

test("metrics are Prometheus text", async () => {
  const answer = await ask(`${server.url}/metrics`);
  expect(answer.headers["content-type"]).toMatch(/^text\/plain; version=0\.0\.4/);
  for (const name of [
    "rollcall_calls_total",
    "rollcall_http_connections",
    "process_cpu_seconds_total",
    "nodejs_eventloop_lag_p99_seconds",
  ]) {
    expect(answer.text).toContain(`# TYPE ${name} `);
  }
});

test("draining refuses new calls, ends those in flight and says so", async () => {
  const inFlight = ask(`${server.url}/v1/calls`, { body: { ...CALL, source: "hold" } });
  await server.stub.arrived(1);
  const drained = server.server.drain(60_000);
  const refused = await ask(`${server.url}/v1/calls`, { body: CALL });
  expect([refused.status, refused.json.error.code, refused.headers["retry-after"]]).toEqual([
    503,
    "draining",
    "1",
  ]);
  expect((await ask(`${server.url}/v1/batches`, { body: { calls: [CALL] } })).json.error.code).toBe(
    "draining",
  );
  const readiness = await ask(`${server.url}/readyz`);
  expect([readiness.status, readiness.json]).toEqual([503, { status: "draining" }]);
  expect((await ask(`${server.url}/healthz`)).status).toBe(200);
  server.stub.release();
  expect(await drained).toBe(true);
  expect((await inFlight).json.outcome).toBe("completed");
});

test("calls in flight when the time to drain is over are cancelled and still answered", async () => {
  const inFlight = ask(`${server.url}/v1/calls`, { body: { ...CALL, source: "never" } });
  await server.stub.arrived(1);
  expect(await server.server.drain(1)).toBe(false);
  expect((await inFlight).json.outcome).toBe("cancelled");
});

test("a drained server has handed over every answer before it closes", async () => {
  const source = "x".repeat(8 << 20);
  const socket = await open(server.port);
  socket.write(post("/v1/calls", JSON.stringify({ ...CALL, source })));
  await server.stub.arrived(1);
  const reading = readAll(socket);
  expect(await server.server.drain(60_000)).toBe(true);
  await server.close();
  expect((await reading).split("\r\n\r\n")[1]).toContain(`"stdout":"${source}"`);
});

test("with keys a call needs one, and is for the key's name", async () => {
  await server.close();
  server = await startServer({ ROLLCALL_HTTP_KEYS: KEYS });
  const given = (authorization?: string) =>
    ask(`${server.url}/v1/calls`, {
      body: CALL,
      headers: authorization === undefined ? {} : { authorization },
    });
  for (const wrong of [
    undefined,
    "",
    "Bearer",
    "Bearer ",
    "Bearer alice",
    "Basic alice-key-0123456789",
    "Bearer alice-key-01234567890",
  ]) {
    const answer = await given(wrong);
    expect([answer.status, answer.json.error.code, answer.headers["www-authenticate"]]).toEqual([
      401,
      "unauthorized",
      "Bearer",
    ]);
  }
  expect(server.stub.seen).toEqual([]);
  expect((await given("Bearer alice-key-0123456789")).status).toBe(200);
  expect((await given("bearer bob-key-0123456789ab")).status).toBe(200);
  expect(server.stub.seen.map(({ tenant }) => tenant)).toEqual(["alice", "bob"]);
  expect(server.lines.join("")).not.toContain("key-0123456789");
});

test("with keys only health, readiness and the documentation are open", async () => {
  await server.close();
  server = await startServer({ ROLLCALL_HTTP_KEYS: KEYS });
  for (const path of ["/healthz", "/readyz", "/openapi.json", "/docs/"])
    expect((await ask(server.url + path)).status, path).toBe(200);
  for (const path of ["/metrics", "/v1/info"]) expect((await ask(server.url + path)).status, path).toBe(401);
});

test.each(["0.0.0.0", "::", "192.168.1.5", "example.org", "127.0.0.1.example.org"])(
  "without keys there is no server on %s",
  async (host) => {
    const config = loadConfig({ argv: ["--host", host, "--port", "0"], env: {}, cwd: "/nonexistent" });
    const executor = createStubExecutor();
    const build = buildServer({
      executor,
      verifier: createVerifier(executor),
      config,
      metrics: createMetrics(),
      log: createLog({ level: "silent", pretty: false }),
      ready: () => true,
      version: "0",
    });
    await expect(build).rejects.toThrow(/refusing to listen on .* without keys/);
  },
);

test("connections above their bound are closed", async () => {
  await server.close();
  server = await startServer({ ROLLCALL_HTTP_CONNECTIONS_MAX: "1" });
  const first = ask(`${server.url}/v1/calls`, { body: { ...CALL, source: "hold" } });
  await server.stub.arrived(1);
  await expect(fetch(`${server.url}/healthz`)).rejects.toThrow();
  server.stub.release();
  expect((await first).status).toBe(200);
});
