/** OpenEnv's coding environment: the websocket and the routes beside it, on the real service and on one without sandboxes. */
import { once } from "node:events";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { ask, open as openSocket, readAll } from "../../support/ask.ts";
import { startServer, type TestServer } from "../../support/server.ts";
import { type Service, startService } from "../../support/service.ts";

const KEY = "a-key-of-the-openenv-tests";
let service: Service;
let stub: TestServer;
beforeAll(async () => {
  [service, stub] = await Promise.all([
    startService(["--wire", "openenv", "--runtimes.javascript", "false", "--sessions.max", "2"]),
    startServer({
      ROLLCALL_WIRE_ADAPTERS: "openenv",
      ROLLCALL_HTTP_KEYS: JSON.stringify([{ name: "trainer", key: KEY }]),
    }),
  ]);
});
afterAll(() => Promise.all([service.stop(), stub.close()]));

const opened: WebSocket[] = [];
afterEach(() => {
  for (const socket of opened.splice(0)) socket.terminate();
});

const sessionsEnd = () =>
  expect
    .poll(async () => (await ask(`${service.url}/v1/sessions`)).json.sessions, { timeout: 20_000 })
    .toEqual([]);

function connect(url: string, headers: Record<string, string> = {}): WebSocket {
  const socket = new WebSocket(`${url.replace(/^http/, "ws")}/ws`, { headers });
  socket.on("error", () => {});
  opened.push(socket);
  return socket;
}

// oxlint-disable-next-line typescript/no-explicit-any -- tests look into answers of every shape
async function next(socket: WebSocket): Promise<any> {
  const [bytes] = await once(socket, "message");
  return JSON.parse(String(bytes));
}

/** Sends a message, or text that is none, and waits for what comes. */
async function say(socket: WebSocket, message: unknown) {
  if (socket.readyState === WebSocket.CONNECTING) await once(socket, "open");
  if (socket.readyState !== WebSocket.OPEN) return { type: "closed" };
  const answered = Promise.race([next(socket), once(socket, "close").then(() => ({ type: "closed" }))]);
  socket.send(typeof message === "string" ? message : JSON.stringify(message));
  return answered;
}

/** A connection with its environment: of sessions that are about to end, which nobody lists any more, one may have its place. */
async function connectInside(): Promise<WebSocket> {
  for (;;) {
    const socket = connect(service.url);
    if ((await say(socket, { type: "state" })).type === "state") return socket;
    socket.terminate();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const step = async (socket: WebSocket, code: string) =>
  (await say(socket, { type: "step", data: { code } })).data;
const keyed = { authorization: `Bearer ${KEY}` };

/** The HTTP status of a handshake that is refused. */
async function refusal(socket: WebSocket): Promise<number> {
  const [, response] = await once(socket, "unexpected-response");
  response.destroy();
  return response.statusCode;
}

test("an episode: state is kept from step to step, counted, and gone with the next reset", async () => {
  const socket = connect(service.url);
  expect(await say(socket, { type: "state" })).toEqual({
    type: "state",
    data: { episode_id: null, step_count: 0, last_exit_code: 0 },
  });
  expect(await say(socket, { type: "reset", data: { seed: 1 } })).toEqual({
    type: "observation",
    data: { observation: { stdout: "", stderr: "", exit_code: 0 }, reward: 0, done: false },
  });
  expect(await step(socket, "x = 20\nprint('set')")).toEqual({
    observation: { stdout: "set\n", stderr: "", exit_code: 0 },
    reward: 0.1,
    done: false,
  });
  expect((await step(socket, "print('two')\nx + sqrt(4)")).observation.stdout).toBe("two\n\n22.0");
  const failed = await step(socket, "print('unseen')\nx / 0");
  expect(failed).toMatchObject({ observation: { stdout: "", exit_code: 1 }, reward: 0.1 });
  expect(failed.observation.stderr).toContain("ZeroDivisionError: division by zero");
  const { data } = await say(socket, { type: "state" });
  expect(data).toEqual({
    episode_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    step_count: 3,
    last_exit_code: 1,
  });

  await say(socket, { type: "reset" });
  expect((await step(socket, "x")).observation.stderr).toContain("NameError: name 'x' is not defined");
  const after = (await say(socket, { type: "state" })).data;
  expect(after.step_count).toBe(1);
  expect(after.episode_id).not.toBe(data.episode_id);
});

test("the reward is the original's: how a program looks", async () => {
  const socket = connect(service.url);
  const long = `# ${"long ".repeat(30)}`;
  expect((await step(socket, long)).reward).toBe(0);
  expect((await step(socket, "import  os")).reward).toBe(-0.9);
  expect((await step(socket, "def (")).reward).toBe(-0.1);
  expect((await step(socket, "raise SyntaxError('of its own')")).reward).toBe(0.1);
  expect((await step(socket, `${long}\nopen('f', 'w').write('(')`)).reward).toBe(-1);
});

test("an environment is its connection's, and its session ends with it", async () => {
  await sessionsEnd();
  const first = await connectInside();
  const second = await connectInside();
  await step(first, "x = 'first'");
  expect((await step(second, "x")).observation.stderr).toContain("NameError");
  const third = connect(service.url);
  const closed = once(third, "close");
  expect((await next(third)).data.code).toBe("CAPACITY_REACHED");
  await closed;

  const ended = once(first, "close");
  first.send(JSON.stringify({ type: "close" }));
  await ended;
  second.terminate();
  await sessionsEnd();
});

test("over HTTP each request has an environment of its own", async () => {
  const post = (path: string, body: object) => ask(`${service.url}${path}`, { body });
  expect((await post("/step", { action: { code: "y = 1\ny" }, timeout_s: 5 })).json.observation.stdout).toBe(
    "1",
  );
  expect((await post("/step", { action: { code: "y" } })).json.observation.exit_code).toBe(1);
  expect((await post("/reset", { episode_id: "mine" })).json).toEqual({
    observation: { stdout: "", stderr: "", exit_code: 0 },
    reward: 0,
    done: false,
  });
  expect((await ask(`${service.url}/state`)).json).toEqual({ episode_id: null, step_count: 0 });
  expect((await ask(`${service.url}/health`)).json).toEqual({ status: "healthy" });
  expect((await ask(`${service.url}/metadata`)).json.name).toBe("PythonCodeActEnv");
  const wrong = await post("/step", { action: { source: "1" } });
  expect(wrong.status).toBe(422);
  expect(wrong.json.detail).toMatchObject([
    { type: "missing", loc: ["code"] },
    { type: "extra_forbidden", loc: ["source"] },
  ]);
});

test.each([
  ["{", { code: "INVALID_JSON" }],
  [{ type: "jump" }, { code: "UNKNOWN_TYPE", message: "Unknown message type: jump" }],
  [{ type: "step" }, { code: "VALIDATION_ERROR", message: "Invalid message", errors: [{ loc: ["data"] }] }],
  [
    { type: "step", data: { code: 1 } },
    { code: "VALIDATION_ERROR", errors: [{ type: "string_type" }] },
  ],
  [
    { type: "state", data: {} },
    { code: "VALIDATION_ERROR", errors: [{ type: "extra_forbidden" }] },
  ],
  [{ type: "step", data: { code: "throw session_lost" } }, { code: "EXECUTION_ERROR" }],
  [{ type: "step", data: { code: "outcome cancelled" } }, { code: "EXECUTION_ERROR" }],
  [{ type: "step", data: { code: "outcome sandbox_failed" } }, { code: "EXECUTION_ERROR" }],
  [
    { type: "step", data: { code: "crash" } },
    { code: "EXECUTION_ERROR", message: "the service failed" },
  ],
])("%j is an error, and the connection goes on", async (message, data) => {
  const socket = connect(stub.url, keyed);
  expect(await say(socket, message)).toMatchObject({ type: "error", data });
  expect((await step(socket, "on")).observation.stdout).toBe("on");
});

test.each([["[1]"], [Buffer.from("{}")]])("%s is no message, and ends the connection", async (message) => {
  const socket = connect(stub.url, keyed);
  await once(socket, "open");
  const [answer, closed] = [next(socket), once(socket, "close")];
  socket.send(message);
  expect((await answer).data.code).toBe("SESSION_ERROR");
  await closed;
});

test("a key is asked for as everywhere, and no page in a browser is let in", async () => {
  expect(await refusal(connect(stub.url))).toBe(401);
  expect(await refusal(connect(stub.url, { ...keyed, origin: "http://127.0.0.1" }))).toBe(403);
  const named = connect(stub.url.replace("://", `://any:${KEY}@`));
  await step(named, "for the tenant");
  expect(stub.stub.seen.at(-1)).toMatchObject({ call: { source: "for the tenant" }, tenant: "trainer" });
});

test("a client that goes has its step cancelled", async () => {
  const socket = connect(stub.url, keyed);
  await once(socket, "open");
  const before = stub.stub.cancelled.length;
  const arrived = stub.stub.seen.length;
  socket.send(JSON.stringify({ type: "step", data: { code: "never" } }));
  await expect
    .poll(() => stub.stub.seen.slice(arrived).some(({ call }) => call.source === "never"))
    .toBe(true);
  socket.terminate();
  await stub.stub.cancellations(before + 1);
  expect(stub.stub.cancelled).toHaveLength(before + 1);
});

test("another protocol that a client offers is passed over", async () => {
  const socket = await openSocket(stub.port);
  socket.write("GET /health HTTP/1.1\r\nhost: test\r\nconnection: upgrade, close\r\nupgrade: h2c\r\n\r\n");
  expect(await readAll(socket)).toMatch(/^HTTP\/1.1 200 OK\r\n/);
});

test("the service's end lets a step finish and closes connections that wait", async () => {
  const own = await startServer({ ROLLCALL_WIRE_ADAPTERS: "openenv" });
  const [idle, busy] = [connect(own.url), connect(own.url)];
  await step(idle, "print()");
  const held = say(busy, { type: "step", data: { code: "hold" } });
  await expect.poll(() => own.stub.seen.some(({ call }) => call.source === "hold")).toBe(true);
  const ends = [once(idle, "close"), once(busy, "close")] as const;
  const drained = own.server.drain(60_000);
  expect((await ends[0])[0]).toBe(1012);
  own.stub.release();
  expect((await held).data.observation.stdout).toBe("hold");
  expect((await ends[1])[0]).toBe(1012);
  expect(await drained).toBe(true);
  await own.close();
});
