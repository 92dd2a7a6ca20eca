import { afterAll, beforeAll, expect, test } from "vitest";
import { ask } from "../support/ask.ts";
import { startServer, type TestServer } from "../support/server.ts";

const KEYS = [
  { name: "alice", key: "alice-alice-alice" },
  { name: "bob", key: "bob-bob-bob-bob-bob" },
];
const as = (name: string) => ({
  headers: { authorization: `Bearer ${KEYS.find((one) => one.name === name)?.key}` },
});

let server: TestServer;
beforeAll(async () => {
  server = await startServer({ ROLLCALL_HTTP_KEYS: JSON.stringify(KEYS) });
});
afterAll(() => server.close());

const sessions = () => `${server.url}/v1/sessions`;

test("a session is opened, called, forked, looked at and closed by its routes", async () => {
  const opened = await ask(sessions(), {
    ...as("alice"),
    body: { runtime: "python", id: "s:1" },
  });
  expect([opened.status, opened.json]).toMatchObject([200, { id: "s:1", state: "idle", parent: null }]);
  const called = await ask(`${sessions()}/s:1/calls`, { ...as("alice"), body: { source: "hello" } });
  expect(called.json).toMatchObject({ stdout: "hello", session: { id: "s:1", state: "kept" } });
  const forked = await ask(`${sessions()}/s:1/fork`, { ...as("alice"), body: { count: 2 } });
  expect(forked.json).toMatchObject({ sessions: [{ parent: "s:1" }, { parent: "s:1" }] });
  expect((await ask(sessions(), as("alice"))).json.sessions.length).toBe(3);
  expect((await ask(`${sessions()}/s:1`, { ...as("alice"), method: "DELETE" })).status).toBe(200);
  const gone = await ask(`${sessions()}/s:1`, as("alice"));
  expect([gone.status, gone.json]).toMatchObject([404, { error: { code: "session_not_found" } }]);
});

test("a tenant's sessions are nobody else's", async () => {
  await ask(sessions(), { ...as("alice"), body: { runtime: "python", id: "mine" } });
  const answers = await Promise.all([
    ask(`${sessions()}/mine`, as("bob")),
    ask(`${sessions()}/mine/calls`, { ...as("bob"), body: { source: "x" } }),
    ask(`${sessions()}/mine/fork`, { ...as("bob"), body: {} }),
    ask(`${sessions()}/mine`, { ...as("bob"), method: "DELETE" }),
  ]);
  expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, 404]);
  expect((await ask(sessions(), as("bob"))).json).toEqual({ sessions: [] });
  expect((await ask(sessions())).status).toBe(401);
  expect((await ask(`${sessions()}/mine`, as("alice"))).status).toBe(200);
});

test.each([
  ["", { runtime: "cobol" }, 400, "unknown_runtime", "/runtime"],
  ["", { runtime: "python", idle_ms: "1" }, 400, "invalid_call", "/idle_ms"],
  ["", { runtime: "python", source: "x" }, 400, "invalid_call", "/source"],
  ["/mine/calls", { source: "x", runtime: "python" }, 400, "invalid_call", "/runtime"],
  ["/mine/calls", { source: "x", limits: { memory_bytes: 1 } }, 400, "invalid_call", "/limits/memory_bytes"],
  ["/mine/fork", { count: 0 }, 400, "invalid_call", "/count"],
  ["/mine/calls", { source: "throw session_lost" }, 410, "session_lost", "/source"],
])("%s %j is %d %s", async (route, body, status, code, path) => {
  await ask(sessions(), { ...as("alice"), body: { runtime: "python", id: "mine" } });
  const answer = await ask(sessions() + route, { ...as("alice"), body });
  expect([answer.status, answer.json]).toMatchObject([status, { error: { code, path } }]);
});

test("another method on a session is told which it takes", async () => {
  const answer = await ask(`${sessions()}/mine/fork`, { ...as("alice"), method: "DELETE" });
  expect(answer.status).toBe(405);
  expect(answer.json).toMatchObject({ error: { code: "method_not_allowed" } });
});

test("a client that goes gives its call up", async () => {
  await ask(sessions(), { ...as("alice"), body: { runtime: "python", id: "mine" } });
  const before = server.stub.seen.length;
  const controller = new AbortController();
  const running = fetch(`${sessions()}/mine/calls`, {
    method: "POST",
    headers: { ...as("alice").headers, "content-type": "application/json" },
    body: JSON.stringify({ source: "never" }),
    signal: controller.signal,
  }).catch(() => null);
  await server.stub.arrived(before + 1);
  controller.abort();
  await running;
  await server.stub.cancellations(1);
  expect(server.stub.cancelled.length).toBe(1);
});
