/** A service with one slot, and clients that would wait too long for it. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { readMetrics } from "../../../scripts/soak/metrics.ts";
import { ask } from "../../support/ask.ts";
import { until } from "../../support/pool.ts";
import { type Service, startService } from "../../support/service.ts";

let service: Service;
beforeAll(async () => {
  service = await startService([
    "--wire",
    "sandbox-fusion",
    "--wire.sandbox-fusion.waitMs",
    "200",
    "--python.slots",
    "1",
    "--runtimes.javascript",
    "false",
  ]);
});
afterAll(() => service.stop());

const run = (code: string, run_timeout: number) =>
  ask(`${service.url}/run_code`, { body: { language: "python", code, run_timeout } });

test("a request that would wait too long is 504, and the one it waits for is not touched", async () => {
  const first = run("import time; time.sleep(5)", 20);
  await until(
    "the first has the slot",
    async () => (await readMetrics(service.url)).value("rollcall_calls_running") === 1,
  );
  const late = await run("print(1)", 0.5);
  expect(late.status).toBe(504);
  expect(late.json).toEqual({ detail: expect.any(String) as string });
  expect((await first).json).toMatchObject({ status: "Success" });
  expect((await run("print(2)", 0.5)).json).toMatchObject({ run_result: { stdout: "2\n" } });
});
