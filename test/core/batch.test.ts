import { describe, expect, test } from "vitest";
import type { Call } from "../../src/contract/call.ts";
import type { BatchItem } from "../../src/contract/executor.ts";
import { call, counting, executorOf, ROOMY, total } from "./builders.ts";
import { ManualEngine } from "./manual-engine.ts";
import { settled } from "./virtual-time.ts";

async function setUp(slots: number) {
  const engine = new ManualEngine(slots);
  const { observer, counts } = counting();
  const executor = executorOf(engine, { observer, queue: { ...ROOMY, batchCallsMax: 3000 } });
  await executor.start();
  return { engine, executor, counts };
}

const batch = (...sources: string[]): Call[] => sources.map((source) => call({ source }));

const iterator = (items: AsyncIterable<BatchItem>) => items[Symbol.asyncIterator]();

async function all(items: AsyncIterable<BatchItem>): Promise<BatchItem[]> {
  const found: BatchItem[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe("the Results of a batch", () => {
  test("come in the order in which they are ready, each with its place", async () => {
    const { engine, executor } = await setUp(3);
    const items = iterator(await executor.executeBatch(batch("a", "b", "c")));
    const order: string[] = [];
    for (const at of [2, 0, 1]) {
      engine.run(at).end();
      const { value } = await items.next();
      order.push(`${value.index} ${value.result.stdout}`);
    }
    expect(order).toEqual(["2 c", "0 a", "1 b"]);
    expect(await items.next()).toEqual({ done: true, value: undefined });
  });

  test("are not held back by a slow call", async () => {
    const { engine, executor } = await setUp(2);
    const items = iterator(await executor.executeBatch(batch("slow", ...Array<string>(50).fill("quick"))));
    for (let count = 1; count <= 50; count++) {
      engine.run(count).end();
      expect((await items.next()).value).toMatchObject({ index: count, result: { stdout: "quick" } });
      await settled();
    }
    engine.run(0).end();
    expect((await items.next()).value).toMatchObject({ index: 0 });
  });

  test("wait for their reader, none lost and none twice", async () => {
    const { engine, executor } = await setUp(2000);
    const items = await executor.executeBatch(
      batch(...Array.from({ length: 2000 }, (_, index) => `${index}`)),
    );
    for (const run of engine.runs.toReversed()) run.end();
    await settled();
    const found = await all(items);
    expect(found.map(({ index }) => index).sort((one, other) => one - other)).toEqual(
      found.map((_, index) => index),
    );
    for (const { index, result } of found) expect(result.stdout).toBe(String(index));
  });

  test("go to several reads at once, in their order, and the reads too many end", async () => {
    const { engine, executor } = await setUp(2);
    const items = iterator(await executor.executeBatch(batch("a", "b")));
    const reads = [items.next(), items.next(), items.next()];
    engine.run(1).end();
    await settled();
    engine.run(0).end();
    const found = await Promise.all(reads);
    expect(found.map((read) => read.done === true || read.value.index)).toEqual([1, 0, true]);
  });

  test("a fault of one sandbox is one call's alone", async () => {
    const { engine, executor } = await setUp(2);
    const items = await executor.executeBatch(batch("a", "b"));
    engine.run(0).fail();
    engine.run(1).end();
    await settled();
    engine.run(2).end();
    expect((await all(items)).map(({ result }) => result.outcome)).toEqual(["completed", "completed"]);
  });
});

describe("a reader who stops", () => {
  test("gives up what it has not read: what runs is ended, what waits never starts", async () => {
    const { engine, executor, counts } = await setUp(2);
    for await (const item of await endFirst(engine, executor.executeBatch(batch("a", "b", "c", "d")))) {
      expect(item.index).toBe(0);
      break;
    }
    await settled();
    expect(engine.runs.length).toBeLessThanOrEqual(3);
    expect(engine.runs.slice(1).every((run) => run.signal.aborted)).toBe(true);
    expect(total(counts.concluded)).toBe(4);
    expect(counts.concluded.get("cancelled")).toBe(3);
    expect(executor.observed()).toMatchObject({ queuedCalls: 0, runningCalls: 0 });
  });

  test("before its first read gives all of it up", async () => {
    const { engine, executor, counts } = await setUp(1);
    const items = iterator(await executor.executeBatch(batch("a", "b")));
    await items.return?.();
    expect(await items.next()).toEqual({ done: true, value: undefined });
    await settled();
    expect(engine.run(0).signal.aborted).toBe(true);
    expect([...counts.concluded]).toEqual([["cancelled", 2]]);
  });

  test("while a read waits ends that read", async () => {
    const { executor } = await setUp(1);
    const items = iterator(await executor.executeBatch(batch("a")));
    const read = items.next();
    await items.return?.();
    expect(await read).toEqual({ done: true, value: undefined });
  });

  test("after its last read has given nothing up", async () => {
    const { engine, executor, counts } = await setUp(1);
    const items = iterator(await executor.executeBatch(batch("a")));
    engine.run(0).end();
    await items.next();
    await items.return?.();
    expect([...counts.concluded]).toEqual([["completed", 1]]);
  });

  async function endFirst<T>(engine: ManualEngine, given: Promise<T>): Promise<T> {
    const items = await given;
    engine.run(0).end();
    return items;
  }
});

describe("a signal", () => {
  test("cancels all calls of the batch, and each still has its Result", async () => {
    const { executor } = await setUp(1);
    const leaving = new AbortController();
    const items = await executor.executeBatch(batch("a", "b", "c"), { signal: leaving.signal });
    leaving.abort();
    const found = await all(items);
    expect(found.map(({ result }) => result.outcome)).toEqual(["cancelled", "cancelled", "cancelled"]);
  });

  test("is heard before the first read", async () => {
    const { engine, executor } = await setUp(1);
    const leaving = new AbortController();
    await executor.executeBatch(batch("a"), { signal: leaving.signal });
    leaving.abort();
    expect(engine.run(0).signal.aborted).toBe(true);
  });
});

describe("joined by id", () => {
  test("a batch that nobody has read yet waits for its calls: another caller's leaving cancels none", async () => {
    const { engine, executor } = await setUp(1);
    const one = call({ id: "a", source: "x" });
    const items = await executor.executeBatch([one]);
    const leaving = new AbortController();
    const single = executor.execute(one, { signal: leaving.signal });
    leaving.abort();
    expect((await single).outcome).toBe("cancelled");
    expect(engine.run(0).signal.aborted).toBe(false);
    engine.run(0).end();
    expect((await all(items))[0]?.result.outcome).toBe("completed");
  });

  test("a call in flight is run once, and the batch's others are run too", async () => {
    const { engine, executor, counts } = await setUp(3);
    const single = executor.execute(call({ id: "a", source: "x" }));
    const items = await executor.executeBatch([call({ source: "y" }), call({ id: "a", source: "x" })]);
    for (const run of engine.runs) run.end();
    expect((await all(items)).map(({ result }) => result.stdout).sort()).toEqual(["x", "y"]);
    expect((await single).stdout).toBe("x");
    expect(counts.accepted).toBe(2);
  });
});

describe("refused as a whole", () => {
  const REFUSED: readonly (readonly [string, readonly Call[], object])[] = [
    ["an empty batch", [], { code: "invalid_call", path: "/calls" }],
    ["one call too many", batch(...Array<string>(3001).fill("")), { code: "batch_too_long", path: "/calls" }],
    [
      "two calls of one id",
      [call({ id: "a" }), call({ id: "b" }), call({ id: "a" })],
      { code: "duplicate_id", path: "/calls/2/id" },
    ],
    [
      "one call that is wrong",
      [call(), call({ limits: { wall_ms: 1e9 } })],
      { code: "limit_above_ceiling", path: "/calls/1/limits/wall_ms" },
    ],
  ];

  test.each(REFUSED)("%s", async (_, calls, error) => {
    const { engine, executor, counts } = await setUp(1);
    await expect(executor.executeBatch(calls)).rejects.toMatchObject(error);
    expect(engine.runs).toEqual([]);
    expect(counts.accepted).toBe(0);
    expect(total(counts.refused)).toBe(calls.length);
  });

  test("another call by an id in flight", async () => {
    const { engine, executor, counts } = await setUp(2);
    const single = executor.execute(call({ id: "a", source: "x" }));
    const conflict = executor.executeBatch([call(), call({ id: "a", source: "y" })]);
    await expect(conflict).rejects.toMatchObject({ code: "id_conflict", path: "/calls/1/id" });
    engine.run(0).end();
    await single;
    expect(engine.runs).toHaveLength(1);
    expect(counts.refused.get("id_conflict")).toBe(2);
  });

  test("the longest batch is taken", async () => {
    const { executor } = await setUp(1);
    await expect(executor.executeBatch(batch(...Array<string>(3000).fill("")))).resolves.toBeDefined();
  });
});
