import { expect, test } from "vitest";
import { MICRO_BENCHES } from "../../bench/micro/benches.ts";
import { lastResult, timeMicro } from "../../bench/micro/loop.ts";
import { timeSchemas } from "../../bench/micro/schemas.ts";

const TINY = { batches: 2, batchMs: 0 };

test.each(MICRO_BENCHES.map((bench) => [bench.id, bench] as const))("%s runs", (_id, bench) => {
  const { batchesNs } = timeMicro(bench, TINY);
  expect(batchesNs).toHaveLength(2);
  expect(batchesNs.every((ns) => ns >= 0)).toBe(true);
});

test("the functions do their work", () => {
  const result = (id: string): unknown => {
    const bench = MICRO_BENCHES.find((one) => one.id === id);
    if (bench === undefined) throw new Error(`there is no micro bench ${id}`);
    timeMicro(bench, TINY);
    return lastResult();
  };
  expect(result("accept")).toMatchObject({ id: "an-id" });
  expect(result("conclude")).toMatchObject({ outcome: "completed", stdout: "xxx" });
  expect(result("framing")).toBe(16);
  expect(result("queue_tenants")).not.toBeNull();
});

test("the schemas are those of the API", async () => {
  const timed = await timeSchemas(TINY);
  expect(timed.map(({ bench }) => bench.id)).toEqual(["schema_call", "schema_result"]);
  const [call, result] = timed.map(({ bench }) => bench.make()());
  expect(call).toBe(true);
  expect(JSON.parse(String(result))).toMatchObject({ outcome: "cancelled" });
});
