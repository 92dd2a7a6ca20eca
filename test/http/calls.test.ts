import { Value } from "typebox/value";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ResultSchema } from "../../src/contract/result.ts";
import { ask, open, post, readAll } from "../support/ask.ts";
import { startServer, type TestServer } from "../support/server.ts";

let server: TestServer;
beforeEach(async () => {
  server = await startServer({ ROLLCALL_LOG_LEVEL: "debug" });
});
afterEach(() => server.close());

const call = (source: string, more: object = {}) => ({ runtime: "python", source, ...more });

test("a call is answered with its Result and reaches the executor as it was sent", async () => {
  const sent = call("print(1)", { id: "a", limits: { wall_ms: 5 }, files: { "x.txt": "y" } });
  const answer = await ask(`${server.url}/v1/calls`, { body: sent });
  expect(answer.status).toBe(200);
  expect(answer.headers["content-type"]).toMatch(/^application\/json/);
  expect(Value.Check(ResultSchema, answer.json)).toBe(true);
  expect(answer.json).toMatchObject({ id: "a", outcome: "completed", stdout: "print(1)" });
  expect(server.stub.seen).toEqual([{ call: sent, tenant: undefined }]);
});

test("a call has one line in the log, at debug, without its program", async () => {
  await ask(`${server.url}/v1/calls`, { body: call("print('private')", { id: "a" }) });
  const lines = server.lines.map((line) => JSON.parse(line)).filter((line) => line.msg === "call");
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatchObject({
    level: 20,
    id: "a",
    runtime: "python",
    outcome: "completed",
    status: 200,
  });
  expect(server.lines.join("")).not.toContain("private");
});

test("text beyond ASCII comes back as it was sent", async () => {
  const source = '\u{1F600} \u0000 \u2028 "\\ ü';
  expect((await ask(`${server.url}/v1/calls`, { body: call(source) })).json.stdout).toBe(source);
});

test("a client that closes its connection cancels the call", async () => {
  const socket = await open(server.port);
  socket.write(post("/v1/calls", JSON.stringify(call("never", { id: "gone" }))));
  await server.stub.arrived(1);
  socket.destroy();
  await server.stub.cancellations(1);
  expect(server.stub.cancelled).toEqual(["gone"]);
});

test("a client that shuts its sending side counts as gone", async () => {
  const socket = await open(server.port);
  socket.write(post("/v1/calls", JSON.stringify(call("never", { id: "half" }))));
  await server.stub.arrived(1);
  socket.end();
  await server.stub.cancellations(1);
  socket.destroy();
});

test("an answered call is not cancelled by the end of its connection", async () => {
  const socket = await open(server.port);
  socket.write(post("/v1/calls", JSON.stringify(call("done")), "connection: close\r\n"));
  expect(await readAll(socket)).toContain('"completed"');
  expect(server.stub.cancelled).toEqual([]);
});

test("pipelined calls are answered in order, and all cancelled when the client goes", async () => {
  const socket = await open(server.port);
  const sent = ["hold", "second", "never"].map((source, index) =>
    post("/v1/calls", JSON.stringify(call(source, { id: `p${index}` }))),
  );
  socket.write(sent.join(""));
  await server.stub.arrived(3);
  server.stub.release();
  let text = "";
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    text += String(chunk);
    if (text.includes('"p1"')) break;
  }
  expect(text.indexOf('"p0"')).toBeLessThan(text.indexOf('"p1"'));
  socket.destroy();
  await server.stub.cancellations(1);
  expect(server.stub.cancelled).toEqual(["p2"]);
});

test("a slow call does not hold those on other connections", async () => {
  const slow = ask(`${server.url}/v1/calls`, { body: call("hold") });
  await server.stub.arrived(1);
  expect((await ask(`${server.url}/v1/calls`, { body: call("fast") })).json.stdout).toBe("fast");
  server.stub.release();
  expect((await slow).json.stdout).toBe("hold");
});
