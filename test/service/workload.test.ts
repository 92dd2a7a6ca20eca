/** Every program of the example workload gives what it must, through HTTP, 64 at a time. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient } from "../../src/client/index.ts";
import type { Executor } from "../../src/contract/executor.ts";
import { callOf, checkResult, loadPrograms } from "../../workload/mix.ts";
import { type Service, startService } from "../support/service.ts";

const IN_FLIGHT = 64;
/** For programs that never end, and for those that do, on a machine however busy. Milliseconds. */
const ENDLESS_WALL_MS = 2_000;
const WALL_MS = 60_000;

let service: Service;
let client: Executor;
beforeAll(async () => {
  service = await startService();
  client = createClient({ baseUrl: service.url, connections: IN_FLIGHT });
});
afterAll(async () => {
  await client.close();
  await service.stop();
});

describe("the example workload", () => {
  it("is answered rightly, every program", { timeout: 120_000 }, async () => {
    const programs = loadPrograms();
    const waiting = [...programs];
    const wrong: Record<string, string> = {};
    let answered = 0;
    const worker = async () => {
      for (let program = waiting.shift(); program !== undefined; program = waiting.shift()) {
        const wall_ms = program.expect.outcome === "wall_limit" ? ENDLESS_WALL_MS : WALL_MS;
        const result = await client.execute(callOf(program, { limits: { wall_ms } }));
        answered++;
        const why = checkResult(program, result);
        if (why !== null) wrong[program.kind] = why;
      }
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
    expect(wrong).toEqual({});
    expect(answered).toBe(programs.length);
  });
});
