/** Several processes on one port, around an executor that the tests hold: what a client sees, and what happens when one dies. */
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { Service } from "../../bench/machine/service.ts";
import { createClient } from "../../src/client/index.ts";
import type { Call } from "../../src/contract/call.ts";
import { httpProcesses } from "../../src/service/open-server.ts";
import { ask, open } from "../support/ask.ts";
import { descendants } from "../support/leftovers.ts";
import { startFronts, type FrontsService } from "../support/fronts.ts";
import { until } from "../support/pool.ts";
import { startService } from "../support/service.ts";

const running: FrontsService[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((service) => service.close()));
});
async function start(env: Record<string, string> = {}): Promise<FrontsService> {
  const service = await startFronts(env);
  running.push(service);
  return service;
}

/** On a connection of its own, which any of the fronts may take. */
const anew = (url: string, body?: unknown, headers: Record<string, string> = {}, method?: string) =>
  ask(url, {
    ...(body === undefined ? {} : { body }),
    ...(method === undefined ? {} : { method }),
    headers: { connection: "close", ...headers },
  });

const call = (source: string): Call => ({ runtime: "python", source });
const KEYS = JSON.stringify([
  { name: "alice", key: "alice-key-0123456789" },
  { name: "bob", key: "bob-key-0123456789ab" },
]);

test("one front for each eight cores, and no other process below sixteen", () => {
  expect([1, 2, 4, 8, 15].map((cores) => httpProcesses(0, cores))).toEqual([1, 1, 1, 1, 1]);
  expect([16, 64, 512].map((cores) => httpProcesses(0, cores))).toEqual([2, 8, 16]);
  expect(httpProcesses(3, 2)).toBe(3);
});

test("every call has its one Result, over connections that different fronts took", async () => {
  const { url, stub, scrape, fronts } = await start();
  expect(fronts()).toHaveLength(2);
  const singles = Array.from({ length: 100 }, (_, index) => `single ${index}`);
  const batches = Array.from({ length: 10 }, (_, batch) =>
    Array.from({ length: 20 }, (_, index) => `batch ${batch} ${index} ${"x".repeat(index * 400)}`),
  );
  const answers = await Promise.all([
    ...singles.map(async (source) => [(await anew(`${url}/v1/calls`, call(source))).json.stdout]),
    ...batches.map(async (sources, index) => {
      const headers: Record<string, string> = index % 2 === 0 ? { accept: "application/x-ndjson" } : {};
      const { text } = await anew(`${url}/v1/batches`, { calls: sources.map(call) }, headers);
      if (index % 2 === 1) return JSON.parse(text).results.map(({ stdout }: { stdout: string }) => stdout);
      const lines = text
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
      expect(lines.pop()).toEqual({ done: true, count: sources.length });
      return lines.sort((a, b) => a.index - b.index).map(({ result }) => result.stdout);
    }),
  ]);
  const asked = [...singles.map((source) => [source]), ...batches];
  expect(answers).toEqual(asked);
  expect(stub.seen.map((seen) => seen.call.source).sort()).toEqual(asked.flat().sort());
  // Which front takes a connection is the kernel's choice: of so many, one takes none with odds of 2 to the 60th.
  const sockets = await Promise.all(Array.from({ length: 60 }, () => open(Number(new URL(url).port))));
  const metrics = await scrape();
  const each = ["0", "1"].map((front) => metrics.value("rollcall_front_connections", { front }));
  expect(Math.min(...each)).toBeGreaterThan(0);
  expect(metrics.value("rollcall_http_connections")).toBe((each[0] as number) + (each[1] as number));
  expect(metrics.value("rollcall_http_connections")).toBeGreaterThanOrEqual(sockets.length);
  for (const socket of sockets) socket.destroy();
});

test("what any front answers is of the whole service", async () => {
  const { url, scrape, lines } = await start({ ROLLCALL_WIRE_ADAPTERS: "code-judge" });
  for (let round = 0; round < 8; round++) {
    expect((await anew(`${url}/readyz`)).json).toEqual({ status: "ready" });
    expect((await anew(`${url}/v1/info`)).json).toMatchObject({ engines: [{ engine: "stub" }] });
    expect((await anew(`${url}/status`)).json).toMatchObject({ queue: 7 });
    expect((await anew(`${url}/v1/calls`, call("throw queue_full"))).json.error).toMatchObject({
      code: "queue_full",
      path: "/source",
      retry_after_ms: 1200,
    });
    expect((await anew(`${url}/v1/calls`, { runtime: "none", source: "1" })).status).toBe(400);
    expect((await anew(`${url}/v1/calls`, call("crash"))).json.error.code).toBe("internal");
    const verification = { kind: "exact", answer: "1", expected: "1" };
    expect((await anew(`${url}/v1/verify`, verification)).json.verdict).toBe("accepted");
  }
  await until("errors of all fronts are counted once each", async () => {
    const metrics = await scrape();
    const errors = ["queue_full", "unknown_runtime", "internal"].map((code) =>
      metrics.value("rollcall_http_errors_total", { code }),
    );
    return errors.every((count) => count === 8) && metrics.value("rollcall_verdicts_total") === 8;
  });
  // The core process logs the bug, the front that it could not answer.
  expect(lines.filter((line) => line.includes("secret inner detail")).length).toBe(8);
});

test("a front that is killed takes its own calls with it and is replaced; all else goes on", async () => {
  const { url, stub, scrape, fronts, lines } = await start();
  const [victim, other] = fronts() as [number, number];
  const calls = Array.from({ length: 40 }, () =>
    anew(`${url}/v1/calls`, call("hold")).then(
      ({ json }) => json.outcome as string,
      () => "broken",
    ),
  );
  await stub.arrived(calls.length);
  process.kill(victim, "SIGKILL");
  await until("its place is taken", async () => {
    // A connection that was kept alive may have been the victim's.
    const metrics = await scrape().catch(() => null);
    return metrics?.value("rollcall_front_restarts_total") === 1;
  });
  expect(fronts()).toHaveLength(2);
  expect(fronts()).toContain(other);
  expect(lines.join("\n")).toContain("SIGKILL");
  stub.release();
  const outcomes = await Promise.all(calls);
  const broken = outcomes.filter((outcome) => outcome === "broken").length;
  expect(outcomes.filter((outcome) => outcome === "completed")).toHaveLength(calls.length - broken);
  // The executor was told to give up those, and no other.
  expect(stub.cancelled).toHaveLength(broken);
  expect(broken).toBeGreaterThan(0);
  const later = await Promise.all(Array.from({ length: 40 }, () => anew(`${url}/v1/calls`, call("after"))));
  expect(later.every(({ json }) => json.stdout === "after")).toBe(true);
});

test("a client that goes away gives its calls up, and a Result of a batch comes when it is ready", async () => {
  const { url, stub } = await start();
  const client = createClient({ baseUrl: url });
  const gone = new AbortController();
  const single = client.execute(call("never"), { signal: gone.signal });
  const batch = client.executeBatch([call("never"), call("quick"), call("never")], { signal: gone.signal });
  const items = (await batch)[Symbol.asyncIterator]();
  // The Result that is ready comes while the others run.
  expect((await items.next()).value).toMatchObject({ index: 1, result: { stdout: "quick" } });
  await stub.arrived(4);
  gone.abort();
  await stub.cancellations(3);
  expect((await single).outcome).toBe("cancelled");
  await client.close();
});

test("drain: new calls are refused by every front, those in flight are answered, no process is left", async () => {
  const { url, stub, server, fronts } = await start();
  const pids = fronts();
  const held = Array.from({ length: 10 }, () => anew(`${url}/v1/calls`, call("hold")));
  const open = createClient({ baseUrl: url, connections: 8 });
  await stub.arrived(held.length);
  const drained = server.drain(60_000);
  await until("every front drains", async () => {
    const looks = await Promise.all(Array.from({ length: 20 }, () => anew(`${url}/readyz`)));
    return looks.every(({ status }) => status === 503);
  });
  await expect(open.execute(call("late"))).rejects.toMatchObject({ code: "draining" });
  stub.release();
  expect(await drained).toBe(true);
  expect((await Promise.all(held)).map(({ json }) => json.outcome)).toEqual(held.map(() => "completed"));
  await server.close();
  expect(fronts().filter((pid) => pids.includes(pid))).toEqual([]);
  await open.close();
});

test("what does not end in time is cancelled", async () => {
  const { url, stub, server } = await start();
  const held = Array.from({ length: 10 }, () => anew(`${url}/v1/calls`, call("never")));
  await stub.arrived(held.length);
  expect(await server.drain(50)).toBe(false);
  expect((await Promise.all(held)).map(({ json }) => json.outcome)).toEqual(held.map(() => "cancelled"));
});

test("a session is there on every connection, and its tenant's alone", async () => {
  const { url } = await start({ ROLLCALL_HTTP_KEYS: KEYS });
  const alice = { authorization: "Bearer alice-key-0123456789" };
  const bob = { authorization: "Bearer bob-key-0123456789ab" };
  const opened = await anew(`${url}/v1/sessions`, { runtime: "python", id: "mine" }, alice);
  expect(opened.json).toMatchObject({ id: "mine", state: "idle" });
  for (let round = 0; round < 10; round++) {
    const { json } = await anew(`${url}/v1/sessions/mine/calls`, { source: `cell ${round}` }, alice);
    expect(json).toMatchObject({ stdout: `cell ${round}`, session: { id: "mine", state: "kept" } });
    expect((await anew(`${url}/v1/sessions/mine`, undefined, bob)).status).toBe(404);
    expect((await anew(`${url}/v1/sessions`, undefined, bob)).json.sessions).toEqual([]);
    expect((await anew(`${url}/v1/sessions`)).status).toBe(401);
  }
  const forks = await anew(`${url}/v1/sessions/mine/fork`, { count: 3 }, alice);
  expect(forks.json.sessions).toHaveLength(3);
  expect((await anew(`${url}/v1/sessions`, undefined, alice)).json.sessions).toHaveLength(4);
  for (const { id } of [{ id: "mine" }, ...forks.json.sessions])
    expect((await anew(`${url}/v1/sessions/${id}`, undefined, alice, "DELETE")).status).toBeLessThan(500);
  expect((await anew(`${url}/v1/sessions`, undefined, alice)).json.sessions).toEqual([]);
});

test("doors that keep something between requests find it behind every front", async () => {
  const { url } = await start({
    ROLLCALL_WIRE_ADAPTERS: "nemo-skills,openenv,mcp",
    ROLLCALL_WIRE_OPENENV_PREFIX: "/openenv",
  });
  const cell = { generated_code: "1", timeout: 5, language: "ipython" };
  for (let round = 0; round < 8; round++) {
    const { json } = await anew(`${url}/execute`, cell, { "x-session-id": "trainer" });
    expect(json).toMatchObject({ process_status: "completed", new_session_created: round === 0 });
  }
  expect(Object.keys((await anew(`${url}/sessions`)).json.sessions)).toEqual(["trainer"]);

  const tool = async (name: string, args: object) => {
    const { json } = await anew(
      `${url}/mcp`,
      { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: args } },
      { accept: "application/json, text/event-stream" },
    );
    return json.result.content[0].text as string;
  };
  const id = await tool("open_session", {});
  for (let round = 0; round < 8; round++)
    expect(await tool("run_in_session", { session_id: id, code: `cell ${round}` })).toBe(`cell ${round}`);

  const socket = new WebSocket(`${url.replace(/^http/, "ws")}/openenv/ws`);
  await once(socket, "open");
  socket.send(JSON.stringify({ type: "step", data: { code: "print(1)" } }));
  const [message] = await once(socket, "message");
  expect(JSON.parse(String(message)).data.observation).toMatchObject({ stdout: "print(1)", exit_code: 0 });
  socket.close();
  await until("its environment ends with it", async () => {
    const { sessions } = (await anew(`${url}/v1/sessions`)).json;
    return sessions.length === 2;
  });
});

test("a port that somebody else has is refused, also when they would share it", async () => {
  const { port } = await start();
  const taken = createServer();
  taken.listen(0, "127.0.0.1");
  await once(taken, "listening");
  const other = (taken.address() as AddressInfo).port;
  await expect(startFronts({ ROLLCALL_HTTP_PORT: String(port) })).rejects.toThrow("EADDRINUSE");
  await expect(
    startFronts({
      ROLLCALL_WIRE_ADAPTERS: "piston",
      ROLLCALL_WIRE_PISTON_PORT: String(other),
    }),
  ).rejects.toThrow("EADDRINUSE");
  taken.close();
});

test("an adapter has a port of its own on every front; two that take the same path are refused in words", async () => {
  const free = createServer();
  free.listen(0, "127.0.0.1");
  await once(free, "listening");
  const { port } = free.address() as AddressInfo;
  await new Promise((resolve) => free.close(resolve));
  const { server } = await start({
    ROLLCALL_WIRE_ADAPTERS: "code-judge",
    ROLLCALL_WIRE_CODE_JUDGE_PORT: String(port),
  });
  expect(server.mounted()).toEqual({ "code-judge": `http://127.0.0.1:${port}` });
  for (let round = 0; round < 8; round++)
    expect((await anew(`http://127.0.0.1:${port}/ping`)).json).toBe("pong");
  await expect(startFronts({ ROLLCALL_WIRE_ADAPTERS: "nemo-skills,verl-tool" })).rejects.toThrow(
    "Two APIs take the same path",
  );
});

const REAL = ["--http.processes", "2", "--runtimes.javascript", "false", "--python.slots", "2"];
const PROGRAM = { runtime: "python", source: "print(6 * 7)" };

/** Ids of the fronts of a service that runs as a process of its own. */
const frontsOf = (pid: number): number[] =>
  descendants(pid).filter((one) => {
    try {
      return readFileSync(`/proc/${one}/cmdline`, "utf8").includes("service/front.");
    } catch {
      return false;
    }
  });

test(
  "SIGTERM to all processes of a service lets it finish its calls and exit 0",
  { timeout: 180_000 },
  async () => {
    const service = await startService(REAL);
    const fronts = frontsOf(service.process.pid as number);
    expect(fronts).toHaveLength(2);
    const slow = { runtime: "python", source: "import time\ntime.sleep(1.5)\nprint('finished')" };
    const running = [anew(`${service.url}/v1/calls`, slow), anew(`${service.url}/v1/calls`, slow)];
    await until("the calls run", async () => {
      const { text } = await anew(`${service.url}/metrics`);
      return /^rollcall_calls_running 2/m.test(text);
    });
    for (const pid of fronts) process.kill(pid, "SIGTERM");
    const stopped = service.stop();
    expect((await Promise.all(running)).map(({ json }) => json.stdout)).toEqual(["finished\n", "finished\n"]);
    expect(await stopped).toBe(0);
    expect(fronts.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
  },
);

test("when the core process is killed no front is left, and the next service has the port", async () => {
  const args = ["--http.processes", "2"];
  const service = await Service.start({ entry: "bench/stub/main", args });
  const fronts = frontsOf(service.pid);
  expect(fronts).toHaveLength(2);
  expect((await anew(`${service.url}/v1/calls`, PROGRAM)).json.stdout).toBe("42\n");
  process.kill(service.pid, "SIGKILL");
  await until("the fronts are gone", () => !fronts.some((pid) => existsSync(`/proc/${pid}`)));
  const port = new URL(service.url).port;
  const next = await Service.start({ entry: "bench/stub/main", args: [...args, "--http.port", port] });
  expect(next.url).toBe(service.url);
  expect((await anew(`${next.url}/v1/calls`, PROGRAM)).json.stdout).toBe("42\n");
  expect(await next.stop()).toBe(0);
});
