/** What all adapters have in common: where they are, who may call them, and what they leave alone. */
import { createServer } from "node:net";
import { afterEach, expect, test } from "vitest";
import { ask, open, post } from "../support/ask.ts";
import { startServer, type TestServer } from "../support/server.ts";

const KEY = "a-key-of-sixteen-characters";
const KEYS = JSON.stringify([{ name: "trainer", key: KEY }]);
const RUN = { type: "python", solution: "print(1)" };

const servers: TestServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function start(env: Record<string, string> = {}): Promise<TestServer> {
  const server = await startServer({ ROLLCALL_WIRE_ADAPTERS: "sandbox-fusion,code-judge", ...env });
  servers.push(server);
  return server;
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => probe.once("listening", resolve));
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

test("adapters are off unless they are named", async () => {
  const server = await start({ ROLLCALL_WIRE_ADAPTERS: "" });
  expect((await ask(`${server.url}/run`, { body: RUN })).status).toBe(404);
});

test("adapters answer on the service's port, under the originals' paths", async () => {
  const server = await start();
  expect((await ask(`${server.url}/run`, { body: RUN })).json).toMatchObject({ stdout: "print(1)" });
  const run = await ask(`${server.url}/run_code`, { body: { language: "python", code: "print(2)" } });
  expect(run.json).toMatchObject({ status: "Success", run_result: { stdout: "print(2)" } });
  expect((await ask(`${server.url}/status`)).json).toEqual({ queue: 7, num_workers: 1 });
});

test.each(["judge", "/judge", "/judge/"])("an adapter can be below a prefix, written %s", async (prefix) => {
  const server = await start({ ROLLCALL_WIRE_CODE_JUDGE_PREFIX: prefix });
  expect((await ask(`${server.url}/judge/run`, { body: RUN })).status).toBe(200);
  expect((await ask(`${server.url}/run`, { body: RUN })).status).toBe(404);
});

test("an adapter can have a port of its own, where our own API is not", async () => {
  const port = await freePort();
  const server = await start({ ROLLCALL_WIRE_CODE_JUDGE_PORT: String(port) });
  const url = `http://127.0.0.1:${port}`;
  expect(server.server.mounted()).toEqual({ "sandbox-fusion": server.url, "code-judge": url });
  expect((await ask(`${url}/run`, { body: RUN })).status).toBe(200);
  expect((await ask(`${url}/v1/info`)).status).toBe(404);
  expect((await ask(`${server.url}/run`, { body: RUN })).status).toBe(404);
});

test("a port of its own drains with the service", async () => {
  const port = await freePort();
  const server = await start({ ROLLCALL_WIRE_CODE_JUDGE_PORT: String(port) });
  const held = ask(`http://127.0.0.1:${port}/run`, { body: { type: "python", solution: "hold" } });
  await server.stub.arrived(1);
  const drained = server.server.drain(5000);
  const refused = await ask(`http://127.0.0.1:${port}/run`, { body: RUN });
  expect(refused.status).toBe(503);
  expect(refused.json).toEqual({ detail: expect.stringContaining("shutting down") as string });
  server.stub.release();
  expect((await held).json).toMatchObject({ stdout: "hold" });
  expect(await drained).toBe(true);
});

test("two adapters that take the same path are refused with the way out", async () => {
  await expect(startServer({ ROLLCALL_WIRE_ADAPTERS: "open-r1,dify-sandbox" })).rejects.toThrow(
    /\/health.*wire\.<name>\.prefix or a wire\.<name>\.port/,
  );
});

test("an unknown adapter, and one named twice, are refused", async () => {
  for (const names of ["code-judge,judge0", "piston,piston"])
    await expect(startServer({ ROLLCALL_WIRE_ADAPTERS: names })).rejects.toThrow(
      /wire.adapters .* must be names, each once, out of sandbox-fusion, code-judge, /,
    );
});

test("the OpenAPI document is the same with adapters as without", async () => {
  const all = await start({ ROLLCALL_WIRE_ADAPTERS: "sandbox-fusion,code-judge,piston,open-r1" });
  const none = await start({ ROLLCALL_WIRE_ADAPTERS: "" });
  const document = async ({ url }: TestServer) => (await ask(`${url}/openapi.json`)).json;
  expect(await document(all)).toEqual(await document(none));
});

test("where keys are configured adapters ask for one, and take it as their clients can send it", async () => {
  const server = await start({ ROLLCALL_HTTP_KEYS: KEYS });
  const url = `${server.url}/run`;
  const refused = await ask(url, { body: RUN });
  expect(refused.status).toBe(401);
  expect(refused.json).toEqual({ detail: expect.stringContaining("key") as string });
  const shown = [
    { authorization: `Bearer ${KEY}` },
    { authorization: `Basic ${Buffer.from(`any:${KEY}`).toString("base64")}` },
    { "x-api-key": KEY },
  ];
  for (const headers of shown) expect((await ask(url, { body: RUN, headers })).status).toBe(200);
  expect(server.stub.seen.map(({ tenant }) => tenant)).toEqual(["trainer", "trainer", "trainer"]);
  const wrong = {
    authorization: `Basic ${Buffer.from("trainer:something-else-entirely").toString("base64")}`,
  };
  expect((await ask(url, { body: RUN, headers: wrong })).status).toBe(401);
});

test("our own API takes bearer keys only", async () => {
  const server = await start({ ROLLCALL_HTTP_KEYS: KEYS });
  const headers = { authorization: `Basic ${Buffer.from(`any:${KEY}`).toString("base64")}` };
  expect((await ask(`${server.url}/v1/info`, { headers })).status).toBe(401);
});

test("wire.open lifts the key from adapters, on loopback only", async () => {
  const server = await start({ ROLLCALL_HTTP_KEYS: KEYS, ROLLCALL_WIRE_OPEN: "true" });
  expect((await ask(`${server.url}/run`, { body: RUN })).status).toBe(200);
  expect((await ask(`${server.url}/v1/info`)).status).toBe(401);
  await expect(
    start({ ROLLCALL_HTTP_KEYS: KEYS, ROLLCALL_WIRE_OPEN: "true", ROLLCALL_HTTP_HOST: "0.0.0.0" }),
  ).rejects.toThrow(/wire.open is for a loopback http.host only/);
});

test("a client that goes cancels its calls", async () => {
  const server = await start();
  const socket = await open(server.port);
  const solutions = ["never", "never"].map((solution) => ({ type: "python", solution }));
  socket.write(post("/run/long-batch", JSON.stringify({ submissions: solutions })));
  await server.stub.arrived(2);
  socket.destroy();
  await server.stub.cancellations(2);
  expect(server.stub.cancelled).toHaveLength(2);
});

test("a bug of ours is told without anything of the inside, and logged", async () => {
  const server = await start();
  const answer = await ask(`${server.url}/run`, { body: { type: "python", solution: "crash" } });
  expect(answer.status).toBe(500);
  expect(answer.text).not.toContain("secret");
  expect(server.lines.join("")).toContain("secret inner detail");
});
