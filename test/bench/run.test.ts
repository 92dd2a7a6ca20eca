import fs from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { mixOf, take, TRIVIAL_JAVASCRIPT, TRIVIAL_PYTHON } from "../../bench/load/mixes.ts";
import { sendClosed } from "../../bench/load/send.ts";
import { runBench } from "../../bench/main.ts";
import { runForkLoop } from "../../bench/reference/fork-loop.ts";
import { runIsolateLoop } from "../../bench/reference/processes.ts";
import { parseResults } from "../../bench/results/schema.ts";
import { measureLoad } from "../../bench/suites/session.ts";
import { createNativeTarget } from "../../bench/targets/native.ts";
import { SILENT } from "../../bench/terminal/progress.ts";
import type { Program } from "../../workload/mix.ts";
import { startServer, type TestServer } from "../support/server.ts";

const options = { output: SILENT, signal: new AbortController().signal };
const REAL_MS_MAX = 180_000;

/** The stub executor answers with the source. */
const ECHOED: Program = { ...TRIVIAL_PYTHON, source: "42\n" };

describe("a load on a server around a stub", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(() => server.close());

  test.each(["single", "json", "ndjson"] as const)(
    "%s: every answer is checked and counted",
    async (transfer) => {
      const target = createNativeTarget({ url: server.url, transfer, connections: 4, pid: process.pid });
      const calls = take(
        mixOf([ECHOED], () => 0),
        20,
      );
      const wrong = take(
        mixOf([{ ...ECHOED, source: "41\n" }], () => 0),
        1,
      );
      const load = await measureLoad("a load", target, options, (to) =>
        sendClosed({ ...to, calls: [...calls, ...wrong], requests: 2, batch: transfer === "single" ? 1 : 4 }),
      );
      await target.close();
      expect(load.recorded).toMatchObject({
        planned: 21,
        answered: 21,
        wrong: 1,
        outcomes: { completed: 21 },
      });
      expect(load.recorded.wrongTexts[0]).toContain('stdout is "41\\n"');
      expect(load.cpuMs).not.toBeNull();
      expect(load.samples.at(-1)?.queuedCalls).toBe(0);
    },
  );

  test("a refusal is counted by its code", async () => {
    const target = createNativeTarget({ url: server.url, transfer: "single", connections: 1, pid: null });
    const calls = take(
      mixOf([{ ...ECHOED, source: "throw queue_full" }], () => 0),
      2,
    );
    const load = await measureLoad("a load", target, options, (to) =>
      sendClosed({ ...to, calls, requests: 1 }),
    );
    await target.close();
    expect(load.recorded.refused).toEqual({ queue_full: 2 });
  });
});

test("new connections are new, kept ones are kept", async () => {
  const sockets = new Set<unknown>();
  const server = createServer((request, response) => {
    sockets.add(request.socket);
    request.resume().on("end", () => response.end(JSON.stringify({ results: [] })));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const connections = async (freshConnections: boolean): Promise<number> => {
    sockets.clear();
    const target = createNativeTarget({ url, transfer: "json", connections: 1, pid: null, freshConnections });
    for (let request = 0; request < 3; request += 1) await target.send([], () => undefined);
    await target.close();
    return sockets.size;
  };
  expect([await connections(true), await connections(false)]).toEqual([3, 1]);
  server.close();
});

describe("on this machine", () => {
  test(
    "a handful of calls to the real service, from the command line to the files",
    { timeout: REAL_MS_MAX },
    async () => {
      const directory = fs.mkdtempSync(path.join(os.tmpdir(), "rollcall-bench-test-"));
      const said: string[] = [];
      try {
        const flags = ["--load", "--mix", "trivial", "--arrivals", "closed", "--calls", "6", "--batch", "2"];
        const code = await runBench([...flags, "--out", directory], (text) => void said.push(text));
        const names = fs.readdirSync(directory).toSorted();
        expect(names.map((name) => path.extname(name))).toEqual([".html", ".json"]);
        const text = fs.readFileSync(path.join(directory, names[1] ?? ""), "utf8");
        const [suite] = parseResults(text, "the file").suites;
        expect(suite?.failure).toBeNull();
        expect(suite?.loads[0]?.recorded).toMatchObject({
          answered: 6,
          wrong: 0,
          outcomes: { completed: 6 },
        });
        expect(suite?.loads[0]?.cpuMs).toBeGreaterThan(0);
        expect(said.join("\n")).toContain("answered rightly");
        expect(code).toBe(0);
      } finally {
        fs.rmSync(directory, { recursive: true });
      }
    },
  );

  test(
    "the bare fork loop runs every program and tells what its own computing takes",
    { timeout: REAL_MS_MAX },
    async () => {
      const loop = await runForkLoop([TRIVIAL_PYTHON, TRIVIAL_PYTHON], 1);
      expect(loop.calls).toBe(2);
      expect(loop.ownMs).toBeGreaterThan(0);
      expect(loop.cpuMs).toBeGreaterThan(loop.ownMs);
      expect([...loop.warmMs.keys()]).toEqual(["trivial_python"]);
    },
  );

  test("the bare isolate loop runs on each thread", { timeout: REAL_MS_MAX }, async () => {
    expect(TRIVIAL_JAVASCRIPT.runtime).toBe("javascript");
    expect((await runIsolateLoop(2, 4)).calls).toBe(4);
  });
});
