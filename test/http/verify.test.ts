/** The routes for verifications around a stub that prints its source. */
import { request } from "undici";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ask, open, post } from "../support/ask.ts";
import { startServer, type TestServer } from "../support/server.ts";

let server: TestServer;
beforeEach(async () => {
  server = await startServer();
});
afterEach(() => server.close());

const NDJSON = { accept: "application/x-ndjson" };
const stdio = (source: string, expected_stdout = source) => ({
  kind: "stdio",
  program: { runtime: "python", source },
  cases: [{ expected_stdout }],
  id: source.replaceAll(/\W/g, "-"),
});
const batch = (...verifications: object[]) => ({ verifications });
const linesOf = (text: string) =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

test("a verdict has every field", async () => {
  const { status, json } = await ask(`${server.url}/v1/verify`, { body: stdio("a", "b") });
  expect(status).toBe(200);
  expect(json).toEqual({
    id: "a",
    kind: "stdio",
    verdict: "wrong_answer",
    reward: 0,
    outcome: "completed",
    detail: "case 0: line 1 is another",
    passed: 0,
    total: 1,
    cases: [
      { index: 0, verdict: "wrong_answer", outcome: "completed", detail: "line 1 is another", wall_ms: 1.5 },
    ],
    usage: { wall_ms: 1.5, cpu_ms: 1, memory_peak_bytes: 4096, processes: 1 },
  });
  expect(await server.metrics.text()).toContain(
    'rollcall_verdicts_total{kind="stdio",verdict="wrong_answer"} 1',
  );
});

test("a slow one does not hold the lines of the others", async () => {
  const answer = await request(`${server.url}/v1/verify/batch`, {
    method: "POST",
    headers: { ...NDJSON, "content-type": "application/json" },
    body: JSON.stringify(batch(stdio("hold"), stdio("b"), stdio("c"))),
  });
  let text = "";
  for await (const chunk of answer.body) {
    text += String(chunk);
    if (text.includes('"index":2')) server.stub.release();
  }
  expect(linesOf(text).map(({ index, verdict }) => verdict?.reward ?? index)).toEqual([1, 1, 1, undefined]);
  expect(linesOf(text).at(-1)).toEqual({ done: true, count: 3 });
});

test("overload refuses a batch before its first line, with the time to come back", async () => {
  const refused = await ask(`${server.url}/v1/verify/batch`, {
    body: batch(stdio("throw queue_full")),
    headers: NDJSON,
  });
  expect([refused.status, refused.headers["retry-after"]]).toEqual([429, "2"]);
  expect(refused.json.error.path).toBe("/verifications/0/program/source");
});

test("one that can be no call is excluded, and says why", async () => {
  const { json } = await ask(`${server.url}/v1/verify/batch`, {
    body: batch(stdio("throw limit_above_ceiling"), stdio("b")),
  });
  expect(json.verdicts.map((one: { reward: number | null }) => one.reward)).toEqual([null, 1]);
  expect(json.verdicts[0]).toMatchObject({
    verdict: "excluded",
    detail: "limit_above_ceiling: stub says limit_above_ceiling",
  });
});

test("a batch that is too long says how long one may be", async () => {
  await server.close();
  server = await startServer({ ROLLCALL_VERIFY_BATCH_MAX: "2" });
  const { status, json } = await ask(`${server.url}/v1/verify/batch`, {
    body: batch(stdio("a"), stdio("b"), stdio("c")),
  });
  expect([status, json.error.code]).toEqual([413, "batch_too_long"]);
  expect(json.error.message).toBe("the batch has 3 verifications, the most is 2");
});

test.each(["/v1/verify", "/v1/verify/batch"])("%s: a client that goes cancels what runs", async (path) => {
  const socket = await open(server.port);
  const body = path.endsWith("batch") ? batch(stdio("never"), stdio("never")) : stdio("never");
  socket.write(post(path, JSON.stringify(body)));
  await server.stub.arrived(1);
  socket.destroy();
  await server.stub.cancellations(1);
});

test("keys are asked for, and the tenant is that of the key", async () => {
  await server.close();
  server = await startServer({ ROLLCALL_HTTP_KEYS: '[{"name":"alice","key":"0123456789abcdef"}]' });
  expect((await ask(`${server.url}/v1/verify`, { body: stdio("a") })).status).toBe(401);
  const headers = { authorization: "Bearer 0123456789abcdef" };
  expect((await ask(`${server.url}/v1/verify`, { body: stdio("a"), headers })).status).toBe(200);
  expect((await ask(`${server.url}/v1/verify/batch`, { body: batch(stdio("a")), headers })).status).toBe(200);
  expect(server.stub.seen.map(({ tenant }) => tenant)).toEqual(["alice", "alice"]);
});
