import { afterEach, beforeEach, expect, test } from "vitest";
import { request } from "undici";
import { ask, open, post } from "../support/ask.ts";
import { startServer, type TestServer } from "../support/server.ts";

let server: TestServer;
beforeEach(async () => {
  server = await startServer();
});
afterEach(() => server.close());

const NDJSON = { accept: "application/x-ndjson", "content-type": "application/json" };
const calls = (...sources: string[]) => ({
  calls: sources.map((source, index) => ({ runtime: "python", source, id: `c${index}` })),
});
const linesOf = (text: string) =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

test("one document has the Results in the order of the calls, whichever came first", async () => {
  const answer = ask(`${server.url}/v1/batches`, { body: calls("hold", "b", "c") });
  await server.stub.arrived(3);
  server.stub.release();
  const { status, json } = await answer;
  expect(status).toBe(200);
  expect(json.results.map((result: { stdout: string }) => result.stdout)).toEqual(["hold", "b", "c"]);
});

test("a stream has a line for each Result and a last line that says it is complete", async () => {
  const answer = await ask(`${server.url}/v1/batches`, { body: calls("a", "b"), headers: NDJSON });
  expect(answer.headers["content-type"]).toBe("application/x-ndjson");
  const lines = linesOf(answer.text);
  expect(lines.slice(0, 2).map((line) => [line.index, line.result.stdout])).toEqual([
    [0, "a"],
    [1, "b"],
  ]);
  expect(lines[2]).toEqual({ done: true, count: 2 });
});

test("a slow call does not hold the lines of the others", async () => {
  const answer = await request(`${server.url}/v1/batches`, {
    method: "POST",
    headers: NDJSON,
    body: JSON.stringify(calls("hold", "b", "c")),
  });
  let text = "";
  for await (const chunk of answer.body) {
    text += String(chunk);
    if (text.includes('"c2"')) server.stub.release();
  }
  expect(linesOf(text).map((line) => line.index)).toEqual([1, 2, 0, undefined]);
});

test("a stream that breaks ends with an error that tells nothing of the inside", async () => {
  const answer = await ask(`${server.url}/v1/batches`, { body: calls("a", "break", "c"), headers: NDJSON });
  const lines = linesOf(answer.text);
  expect(lines.map((line) => Object.keys(line)[0])).toEqual(["index", "error"]);
  expect(lines[1].error.code).toBe("internal");
  expect(answer.text).not.toContain("secret");
  expect(server.lines.join("")).toContain("secret inner detail");
});

test("one document that breaks is an error", async () => {
  const answer = await ask(`${server.url}/v1/batches`, { body: calls("a", "break") });
  expect([answer.status, answer.json.error.code]).toEqual([500, "internal"]);
});

test("a refused batch runs none of its calls and is no stream", async () => {
  const answer = await ask(`${server.url}/v1/batches`, {
    body: calls("a", "throw limit_above_ceiling"),
    headers: NDJSON,
  });
  expect([answer.status, answer.json.error.path]).toEqual([400, "/calls/1/source"]);
  expect(server.stub.seen).toEqual([]);
});

test.each([
  ["a stream", "accept: application/x-ndjson\r\n"],
  ["a document", ""],
])("a client that goes while it waits for %s cancels what has not ended", async (_name, header) => {
  const socket = await open(server.port);
  socket.write(post("/v1/batches", JSON.stringify(calls("a", "never", "never")), header));
  await server.stub.arrived(3);
  socket.destroy();
  await server.stub.cancellations(2);
  expect(server.stub.cancelled).toEqual(["c1", "c2"]);
});

test("a client that goes in the middle of its stream cancels the rest", async () => {
  const answer = await request(`${server.url}/v1/batches`, {
    method: "POST",
    headers: NDJSON,
    body: JSON.stringify(calls("a", "never")),
  });
  for await (const _ of answer.body) break;
  await server.stub.cancellations(1);
  expect(server.stub.cancelled).toEqual(["c1"]);
});

test("a reader that stops holds the stream back and still gets all of it", async () => {
  const big = "x".repeat(1 << 20);
  const body = JSON.stringify(calls(...Array.from({ length: 40 }, () => big)));
  const socket = await open(server.port);
  socket.write(post("/v1/batches", body, "accept: application/x-ndjson\r\nconnection: close\r\n"));
  await server.stub.arrived(40);
  // The server's event loop has turned many times by then; what it may write meets a reader that reads nothing.
  expect((await ask(`${server.url}/healthz`)).status).toBe(200);
  let text = "";
  for await (const chunk of socket) text += String(chunk);
  expect(text.split('"outcome":"completed"')).toHaveLength(41);
  expect(text).toContain('{"done":true,"count":40}');
});

test("a reader that never reads is cut off and its calls are cancelled", async () => {
  await server.close();
  server = await startServer({ ROLLCALL_HTTP_STALL_TIMEOUT_MS: "200" });
  const big = "x".repeat(1 << 20);
  const socket = await open(server.port);
  socket.pause();
  socket.write(
    post(
      "/v1/batches",
      JSON.stringify(calls(...Array.from({ length: 40 }, () => big), "never")),
      "accept: application/x-ndjson\r\n",
    ),
  );
  await server.stub.cancellations(1);
  socket.destroy();
});

test("a document above its bound is refused with the way out", async () => {
  await server.close();
  server = await startServer({ ROLLCALL_HTTP_ANSWER_BYTES_MAX: "1024" });
  const answer = await ask(`${server.url}/v1/batches`, { body: calls("a", "b", "c", "d") });
  expect([answer.status, answer.json.error.code]).toEqual([406, "answer_too_large"]);
  expect(answer.json.error.message).toContain("application/x-ndjson");
});

test("thousands of calls are answered", async () => {
  const answer = await ask(`${server.url}/v1/batches`, {
    body: calls(...Array.from({ length: 5000 }, (_, index) => `s${index}`)),
    headers: NDJSON,
  });
  const lines = linesOf(answer.text);
  expect(lines).toHaveLength(5001);
  expect(new Set(lines.slice(0, 5000).map((line) => line.result.stdout)).size).toBe(5000);
});
