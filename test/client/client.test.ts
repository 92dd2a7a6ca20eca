import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  createClient,
  type Client,
  type ClientOptions,
  type BatchItem,
  type Executor,
} from "../../src/client/index.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { STUB_DESCRIPTION, stubResult } from "../support/stub-executor.ts";

let server: TestServer;
let client: Executor;
beforeEach(async () => {
  server = await startServer();
  client = createClient({ baseUrl: server.url });
});
afterEach(async () => {
  await client.close();
  await server.close();
});

const call = (source: string, id?: string) => ({
  runtime: "python" as const,
  source,
  ...(id === undefined ? {} : { id }),
});

async function all(items: AsyncIterable<BatchItem>): Promise<BatchItem[]> {
  const found: BatchItem[] = [];
  for await (const item of items) found.push(item);
  return found;
}

test("a call goes out with an id of its own and comes back as its Result", async () => {
  const result = await client.execute(call("print(1)"));
  expect(result).toMatchObject({ outcome: "completed", stdout: "print(1)" });
  expect(result.id).toMatch(/^[0-9a-f-]{36}$/);
  expect((await client.execute(call("x", "mine"))).id).toBe("mine");
});

test("a description comes back", async () => {
  expect(await client.describe()).toEqual(STUB_DESCRIPTION);
});

test("an error is the server's, with code and path", async () => {
  await expect(client.execute(call("throw limit_above_ceiling"))).rejects.toMatchObject({
    name: "SandboxError",
    code: "limit_above_ceiling",
    path: "/source",
  });
  await expect(client.executeBatch([call("a"), call("throw invalid_path")])).rejects.toMatchObject({
    code: "invalid_path",
    path: "/calls/1/source",
  });
});

test("a batch yields each Result when it is ready", async () => {
  const items = await client.executeBatch([call("hold"), call("b"), call("c")]);
  const order: number[] = [];
  for await (const { index, result } of items) {
    order.push(index);
    expect(result.stdout).toBe(["hold", "b", "c"][index]);
    if (order.length === 2) server.stub.release();
  }
  expect(order).toEqual([1, 2, 0]);
});

test("a batch of thousands comes back whole", async () => {
  const items = await all(
    await client.executeBatch(Array.from({ length: 5000 }, (_, index) => call(`é${index}`))),
  );
  expect(new Set(items.map(({ index, result }) => `${index} ${result.stdout}`)).size).toBe(5000);
});

test("a batch that breaks on the way throws what the server said, after the Results before it", async () => {
  const found: number[] = [];
  const reading = (async () => {
    for await (const { index } of await client.executeBatch([call("a"), call("break")])) found.push(index);
  })();
  await expect(reading).rejects.toMatchObject({ code: "internal" });
  expect(found).toEqual([0]);
});

test("a call that is given up is cancelled there and here", async () => {
  const abort = new AbortController();
  const result = client.execute(call("never", "x"), { signal: abort.signal });
  await server.stub.arrived(1);
  abort.abort();
  expect(await result).toMatchObject({ id: "x", outcome: "cancelled" });
  await server.stub.cancellations(1);
  expect(await client.execute(call("never"), { signal: abort.signal })).toMatchObject({
    outcome: "cancelled",
  });
  expect(server.stub.seen).toHaveLength(1);
});

test("a batch that is given up yields every call once", async () => {
  const abort = new AbortController();
  const items = await client.executeBatch([call("a"), call("never", "x"), call("never")], {
    signal: abort.signal,
  });
  const outcomes: string[] = [];
  for await (const { index, result } of items) {
    outcomes[index] = result.outcome;
    abort.abort();
  }
  expect(outcomes).toEqual(["completed", "cancelled", "cancelled"]);
  await server.stub.cancellations(2);
});

test("a caller that stops reading cancels the rest", async () => {
  for await (const _ of await client.executeBatch([call("a"), call("never")])) break;
  await server.stub.cancellations(1);
});

test("a key is sent", async () => {
  const keyed = await startServer({ ROLLCALL_HTTP_KEYS: '[{"name":"alice","key":"0123456789abcdef"}]' });
  const [right, wrong] = ["0123456789abcdef", "0123456789abcdeX"].map((key) =>
    createClient({ baseUrl: keyed.url, key }),
  ) as [Client, Client];
  expect((await right.execute(call("x"))).outcome).toBe("completed");
  expect(keyed.stub.seen[0]?.tenant).toBe("alice");
  await expect(wrong.execute(call("x"))).rejects.toMatchObject({ code: "unauthorized" });
  await Promise.all([right.close(), wrong.close()]);
  await keyed.close();
});

test("a closed client takes no calls and has finished those it had", async () => {
  const held = client.execute(call("hold"));
  await server.stub.arrived(1);
  const closing = client.close();
  await expect(client.execute(call("x"))).rejects.toMatchObject({ code: "unreachable" });
  server.stub.release();
  expect((await held).outcome).toBe("completed");
  await closing;
});

describe("against a server that misbehaves", () => {
  let bad: HttpServer;
  const bodies: { id?: string; calls?: unknown[] }[] = [];

  /** A server that answers the nth request by the nth of `answers`; the last one answers all that follow. */
  async function misbehave(
    answers: ((body: (typeof bodies)[0]) => {
      status?: number;
      text?: string;
      headers?: Record<string, string>;
      cut?: true;
    })[],
    options: Partial<ClientOptions> = {},
  ): Promise<void> {
    bodies.length = 0;
    bad = createServer((request, response) => {
      let text = "";
      request.on("data", (chunk: Buffer) => (text += String(chunk)));
      request.on("end", () => {
        const body = JSON.parse(text === "" ? "{}" : text);
        bodies.push(body);
        const answer = (answers[Math.min(bodies.length, answers.length) - 1] as (typeof answers)[0])(body);
        if (answer.cut === true && answer.text === undefined) return request.socket.destroy();
        response.writeHead(answer.status ?? 200, answer.headers);
        if (answer.cut === true) return response.write(answer.text ?? "", () => request.socket.destroy());
        return response.end(answer.text);
      });
    });
    await new Promise<void>((resolve) => bad.listen(0, "127.0.0.1", resolve));
    await client.close();
    client = createClient({ baseUrl: `http://127.0.0.1:${(bad.address() as AddressInfo).port}`, ...options });
  }
  afterEach(async () => {
    await client.close();
    await new Promise((resolve) => bad.close(resolve));
  });

  const good = (body: { id?: string }) => ({
    text: JSON.stringify({ ...stubResult({ runtime: "python", source: "" }), id: body.id }),
  });
  const full = () => ({
    status: 429,
    text: JSON.stringify({ error: { code: "queue_full", message: "full", retry_after_ms: 1 } }),
  });

  test("a full queue is tried again under the same id", async () => {
    await misbehave([full, full, good]);
    const result = await client.execute(call("x"));
    expect(bodies.map(({ id }) => id)).toEqual([result.id, result.id, result.id]);
  });

  test("a full queue is given up after the last attempt", async () => {
    await misbehave([full], { retry: { attemptsMax: 2 } });
    await expect(client.execute(call("x"))).rejects.toMatchObject({ code: "queue_full", retryAfterMs: 1 });
    expect(bodies).toHaveLength(2);
  });

  test("what cannot succeed is not tried again", async () => {
    await misbehave([
      () => ({ status: 400, text: JSON.stringify({ error: { code: "invalid_call", message: "no" } }) }),
    ]);
    await expect(client.execute(call("x"))).rejects.toMatchObject({ code: "invalid_call" });
    expect(bodies).toHaveLength(1);
  });

  test("a connection that breaks before an answer is tried again under the same id", async () => {
    await misbehave([() => ({ cut: true }), good]);
    const result = await client.execute(call("x"));
    expect(bodies.map(({ id }) => id)).toEqual([result.id, result.id]);
  });

  test("an answer that breaks off is unreachable and not tried again", async () => {
    await misbehave([() => ({ text: '{"id": "x"', cut: true, headers: { "content-length": "100" } })]);
    await expect(client.execute(call("x"))).rejects.toMatchObject({ code: "unreachable" });
    expect(bodies).toHaveLength(1);
  });

  test.each([
    [
      "is cut after a Result",
      `${JSON.stringify({ index: 0, result: stubResult({ runtime: "python", source: "" }) })}\n`,
      /1 of 2 results missing/,
    ],
    ["says it is done too early", '{"done":true,"count":0}\n', /2 of 2 results missing/],
    [
      "has a Result twice",
      `${JSON.stringify({ index: 0, result: stubResult({ runtime: "python", source: "" }) })}\n`.repeat(2),
      /no open call: 0/,
    ],
    ["has a line that is no JSON", "{bad\n", /broke off/],
  ])("a stream that %s is an error", async (_name, text, message) => {
    await misbehave([() => ({ text })]);
    await expect(client.executeBatch([call("a"), call("b")]).then(all)).rejects.toMatchObject({
      code: "unreachable",
      message: expect.stringMatching(message),
    });
  });

  test.each([
    ["another shape", "{}"],
    [
      "an unknown outcome",
      JSON.stringify({ ...stubResult({ runtime: "python", source: "" }), outcome: "fine" }),
    ],
    ["no JSON", "<html>"],
  ])("an answer of %s is unreachable", async (_name, text) => {
    await misbehave([() => ({ text })]);
    await expect(client.execute(call("x"))).rejects.toMatchObject({ code: "unreachable" });
  });

  test("a proxy's own error is unreachable and says what came", async () => {
    await misbehave([() => ({ status: 504, text: "<h1>gateway</h1>" })]);
    await expect(client.execute(call("x"))).rejects.toMatchObject({
      code: "unreachable",
      message: expect.stringContaining("504: <h1>gateway"),
    });
  });

  test("an answer that is too long is not kept", async () => {
    await misbehave([() => ({ text: "x".repeat(5000) })], { resultBytesMax: 1000 });
    await expect(client.execute(call("x"))).rejects.toMatchObject({
      code: "unreachable",
      message: expect.stringContaining("longer than 1000"),
    });
  });

  test("nobody listening is unreachable after all attempts", async () => {
    await misbehave([good]);
    const { port } = bad.address() as AddressInfo;
    await new Promise((resolve) => bad.close(resolve));
    await client.close();
    client = createClient({ baseUrl: `http://127.0.0.1:${port}`, retry: { attemptsMax: 2, waitMsMax: 1 } });
    await expect(client.execute(call("x"))).rejects.toMatchObject({
      code: "unreachable",
      message: expect.stringContaining("ECONNREFUSED"),
    });
  });
});
