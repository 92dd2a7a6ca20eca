/**
 * Jumps of the wall clock. Linux has no namespace for it, and the machine's own is not a test's to set: so the
 * service runs with a wall clock that jumps at every look, and its native parts are read for the clocks they ask.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readMetrics } from "../../scripts/soak/metrics.ts";
import { createClient } from "../../src/client/index.ts";
import type { Executor } from "../../src/contract/executor.ts";
import { numberedCall, wrongAnswers } from "../support/numbered.ts";
import { type Service, startService } from "../support/service.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const CLOCK = new URL("../support/jumping-clock.mjs", import.meta.url).href;
const HOUR_MS = 3_600_000;

describe("a service whose wall clock jumps by up to a day at every look", () => {
  let service: Service;
  let client: Executor;
  beforeAll(async () => {
    service = await startService([], { NODE_OPTIONS: `--import ${CLOCK}` });
    client = createClient({ baseUrl: service.url, connections: 32 });
  });
  afterAll(async () => {
    await client.close();
    await service.stop();
  });

  it("answers every call, and tells times that are true", { timeout: 120_000 }, async () => {
    const results = await Promise.all(
      Array.from({ length: 60 }, (_, index) => client.execute(numberedCall(index))),
    );
    expect(wrongAnswers(results, () => false)).toEqual([]);
    for (const { timing, usage } of results) {
      for (const ms of [timing.queued_ms, timing.started_ms, timing.run_ms, usage.wall_ms]) {
        expect(ms).toBeGreaterThanOrEqual(0);
        expect(ms).toBeLessThan(HOUR_MS);
      }
    }
    const metrics = await readMetrics(service.url);
    expect(metrics.value("rollcall_run_seconds_sum")).toBeLessThan(HOUR_MS / 1000);
    expect(metrics.value("rollcall_sandbox_faults_total")).toBe(0);
  });

  it("ends by its limits and deadlines what they end, and nothing else", { timeout: 120_000 }, async () => {
    const loop = { runtime: "python", source: "while True:\n    pass", limits: { wall_ms: 400 } } as const;
    const sleep = { runtime: "python", source: "import time\ntime.sleep(60)", deadline_ms: 1500 } as const;
    const patient = { ...numberedCall(0), deadline_ms: HOUR_MS };
    const script = { runtime: "javascript", source: "for (;;);", limits: { wall_ms: 400 } } as const;
    const [looped, slept, finished, scripted] = await Promise.all(
      [loop, sleep, patient, script].map((call) => client.execute(call)),
    );
    expect(looped?.outcome).toBe("wall_limit");
    expect(slept?.outcome).toBe("cancelled");
    expect(finished).toMatchObject({ outcome: "completed", stdout: "0\n" });
    expect(scripted?.outcome).toBe("wall_limit");
  });
});

/** Sources that decide when something is over. What programs see of Date, in the prelude, is not among them. */
function sources(directory: string, extension: string): string[] {
  return readdirSync(join(root, directory), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(extension) && !name.includes("prelude"))
    .map((name) => join(directory, name));
}

describe("the wall clock", () => {
  it.for([
    ["src/core", ".ts", /\bDate(?:\.now)?\(\)/],
    ["src/confine", ".ts", /\bDate(?:\.now)?\(\)/],
    ["src/engines", ".ts", /\bDate(?:\.now)?\(\)/],
    ["src/http", ".ts", /\bDate(?:\.now)?\(\)/],
    ["src/client", ".ts", /\bDate(?:\.now)?\(\)/],
    [
      "sandbox-images/python/forkserver",
      ".c",
      /CLOCK_REALTIME|gettimeofday\s*\(|\btime\s*\(\s*(?:NULL|0)\s*\)/,
    ],
  ] as const)("is not asked in %s", ([directory, extension, asks]) => {
    const files = sources(directory, extension);
    expect(files.length).toBeGreaterThan(3);
    expect(files.filter((file) => asks.test(readFileSync(join(root, file), "utf8")))).toEqual([]);
  });
});
