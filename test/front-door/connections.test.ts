/**
 * Clients that mean no good, by their connections: slow ones, ones that drop, ones that never read, ones that shut
 * half. The service goes on answering others, and holds nothing of them once they are gone.
 *
 * `ROLLCALL_CONNECTIONS=50000` opens that many in the test of dropped connections.
 */
import type { Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readMetrics } from "../../scripts/soak/metrics.ts";
import { open, post, readAll } from "../support/ask.ts";
import { until } from "../support/pool.ts";
import { type Door, openDoor } from "./door.ts";

const DROPPED = Number(process.env["ROLLCALL_CONNECTIONS"] ?? 2000);
const AT_ONCE = 100;
/** Between two rounds of the same, with all garbage collected: more than that is held for good. */
const HELD_MIB_MAX = 8;
/** The allocator keeps pages of freed answers for a while: over ten rounds 220 to 440 MiB are resident, and 220 again. */
const RESIDENT_MIB_MAX = 320;

type Memory = Awaited<ReturnType<Door["memoryMib"]>>;

function expectNoGrowth(before?: Memory, after?: Memory): void {
  expect(after?.held).toBeLessThan((before?.held ?? 0) + HELD_MIB_MAX);
  expect(after?.resident).toBeLessThan((before?.resident ?? 0) + RESIDENT_MIB_MAX);
}

const CALL = JSON.stringify({ runtime: "python", source: "print(1)" });
const HEAD =
  "POST /v1/calls HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n";

let door: Door;
beforeAll(async () => {
  door = await openDoor();
});
afterAll(async () => {
  expect(await door.service.stop()).toBe(0);
});

/** Sends what is given byte for byte, slowly, until the service has enough of it. */
async function drip(text: string): Promise<string> {
  const socket = await open(door.port);
  let sent = 0;
  const timer = setInterval(() => socket.write(text.charAt(sent++ % text.length)), 150);
  try {
    return await readAll(socket).catch(() => "");
  } finally {
    clearInterval(timer);
    socket.destroy();
  }
}

describe("slow clients", () => {
  it.for([
    ["headers", (socket: Socket) => socket.write("GET /healthz HTTP/1.1\r\nx-slow: ")],
    ["bodies", (socket: Socket) => socket.write(`${HEAD}{"runtime": "`)],
    [
      "chunks",
      (socket: Socket) =>
        socket.write(
          "POST /v1/calls HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
        ),
    ],
  ] as const)("of %s are cut off, and others are served meanwhile", async ([what, begin]) => {
    const slow = Array.from({ length: AT_ONCE }, async () => {
      const socket = await open(door.port);
      begin(socket);
      const timer = setInterval(() => socket.write(what === "chunks" ? "1\r\na\r\n" : "a"), 150);
      const text = await readAll(socket).catch(() => "");
      clearInterval(timer);
      socket.destroy();
      return text;
    });
    expect(await door.healthy()).toBe(true);
    for (const text of await Promise.all(slow)) expect(text).toMatch(/^(?:$|HTTP\/1\.1 408 )/);
    await door.untilBack();
  });

  it("that begin anew with every byte are cut off too", async () => {
    const told = await Promise.all(Array.from({ length: 20 }, () => drip("G")));
    for (const text of told) expect(text).toMatch(/^(?:$|HTTP\/1\.1 4(?:00|08) )/);
    await door.untilBack();
  });
});

/** Ways to leave. */
const LEAVE: readonly ((socket: Socket) => void)[] = [
  (socket) => socket.destroy(),
  (socket) => socket.resetAndDestroy(),
  (socket) => socket.write("GET /hea", () => socket.resetAndDestroy()),
  (socket) => socket.write(`${HEAD}{"runti`, () => socket.destroy()),
  (socket) => socket.write(post("/v1/calls", CALL), () => socket.resetAndDestroy()),
  (socket) =>
    socket.write("GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(20), () => socket.destroy()),
];

async function openAndDrop(count: number): Promise<void> {
  let left = count;
  const client = async () => {
    for (let number = left--; number > 0; number = left--) {
      const socket = await open(door.port);
      LEAVE[number % LEAVE.length]?.(socket);
      await new Promise((resolve) => (socket.destroyed ? resolve(null) : socket.once("close", resolve)));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, client));
}

it(`${DROPPED} connections opened and dropped leave nothing`, { timeout: 900_000 }, async () => {
  await openAndDrop(Math.ceil(DROPPED / 2));
  await door.untilBack();
  const before = await door.memoryMib();
  await openAndDrop(Math.floor(DROPPED / 2));
  await door.untilBack();
  expectNoGrowth(before, await door.memoryMib());
  expect(await door.healthy()).toBe(true);
});

/** Waits until the service has noticed what was sent to it. */
const untilShown = (metric: string, count: number) =>
  until(`${metric} is ${count} at least`, async () => (await readMetrics(door.url)).value(metric) >= count);

describe("clients that never read", () => {
  /** Asks for far more than socket buffers hold. */
  const large = JSON.stringify({
    calls: Array.from({ length: 8 }, () => ({ runtime: "python", source: "print('x' * 4_000_000)" })),
  });
  const askAndIgnore = async (accept: string) => {
    const sockets = await Promise.all(Array.from({ length: 6 }, () => open(door.port)));
    for (const socket of sockets) {
      socket.pause();
      socket.write(post("/v1/batches", large, `accept: ${accept}\r\n`));
    }
    await untilShown("rollcall_http_requests", sockets.length);
    return sockets;
  };

  it.for(["application/x-ndjson", "application/json"])(
    "while asking for large answers as %s are cut off",
    { timeout: 120_000 },
    async (accept) => {
      const rounds: Memory[] = [];
      for (let round = 0; round < 2; round++) {
        const sockets = await askAndIgnore(accept);
        await door.untilBack();
        for (const socket of sockets) socket.destroy();
        rounds.push(await door.memoryMib());
      }
      expectNoGrowth(rounds[0], rounds[1]);
      expect(await door.healthy()).toBe(true);
    },
  );

  it("while pipelining thousands of requests are cut off", { timeout: 60_000 }, async () => {
    const sockets = await Promise.all(Array.from({ length: 4 }, () => open(door.port)));
    for (const socket of sockets) {
      socket.pause();
      socket.write("GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(3000));
    }
    await untilShown("rollcall_http_connections", sockets.length);
    expect(await door.healthy()).toBe(true);
    await door.untilBack();
    for (const socket of sockets) socket.destroy();
  });
});

describe("sockets shut on one side", () => {
  it.for([
    ["before anything was sent", ""],
    ["in the middle of the header", "GET /healthz HT"],
    ["in the middle of the body", `${HEAD}{"runtime"`],
    [
      "while the call runs",
      post("/v1/calls", JSON.stringify({ runtime: "python", source: "import time\ntime.sleep(30)" })),
    ],
  ] as const)("%s are closed, and the call with them", async ([, bytes]) => {
    const sockets = await Promise.all(Array.from({ length: 20 }, () => open(door.port)));
    for (const socket of sockets) socket.end(bytes);
    const told = await Promise.all(sockets.map((socket) => readAll(socket).catch(() => "")));
    for (const text of told) expect(text).not.toMatch(/^HTTP\/1\.1 [25]/);
    await door.untilBack();
    expect(await door.healthy()).toBe(true);
  });
});

it("pipelined calls are answered in order", async () => {
  const socket = await open(door.port);
  const bodies = Array.from({ length: 60 }, (_, index) =>
    JSON.stringify({ runtime: "python", source: `print("answer ${index}")`, id: `pipeline-${index}` }),
  );
  socket.write(
    bodies
      .map((body, index) => post("/v1/calls", body, index === 59 ? "connection: close\r\n" : ""))
      .join(""),
  );
  const text = await readAll(socket);
  const answers = [...text.matchAll(/"stdout":"answer (\d+)\\n"/g)].map(([, number]) => Number(number));
  expect(answers).toEqual(bodies.map((_, index) => index));
  await door.untilBack();
});
