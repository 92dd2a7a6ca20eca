import { expect, test } from "vitest";
import { call, counting, executorOf, total } from "./builders.ts";
import { ManualEngine } from "./manual-engine.ts";
import { settled } from "./virtual-time.ts";

async function setUp(slots = 1) {
  const engine = new ManualEngine(slots);
  const { observer, counts } = counting();
  const executor = executorOf(engine, { observer });
  await executor.start();
  const ask = (id: string, options: { source?: string; signal?: AbortSignal; tenant?: string } = {}) => {
    const { source = "x", ...rest } = options;
    return executor.execute(call({ id, source }), rest);
  };
  return { engine, executor, counts, ask };
}

test("the same call by the same id is run once, and all who wait get its Result", async () => {
  const { engine, ask, counts } = await setUp(3);
  const all = [ask("a"), ask("a"), ask("a")];
  engine.run(0).end();
  const results = await Promise.all(all);
  expect(engine.runs).toHaveLength(1);
  expect(new Set(results).size).toBe(1);
  expect(results[0]).toMatchObject({ id: "a", outcome: "completed" });
  expect([counts.accepted, total(counts.concluded)]).toEqual([1, 1]);
});

test("a call in the queue is joined as well", async () => {
  const { engine, ask } = await setUp();
  const first = ask("first");
  const waiting = [ask("a"), ask("a")];
  engine.run(0).end();
  await first;
  await settled();
  engine.run(1).end();
  await Promise.all(waiting);
  expect(engine.runs).toHaveLength(2);
});

test("the order of a call's fields makes no other call of it", async () => {
  const { engine, executor } = await setUp();
  const both = [
    executor.execute({ runtime: "python", source: "x", id: "a", env: { A: "1", B: "2" } }),
    executor.execute({ id: "a", env: { B: "2", A: "1" }, source: "x", runtime: "python" }),
  ];
  engine.run(0).end();
  await Promise.all(both);
  expect(engine.runs).toHaveLength(1);
});

test("another call by an id in flight is refused, and the one in flight goes on", async () => {
  const { engine, ask, counts } = await setUp(2);
  const first = ask("a");
  await expect(ask("a", { source: "y" })).rejects.toMatchObject({
    code: "id_conflict",
    status: 409,
    path: "/id",
  });
  engine.run(0).end();
  expect((await first).stdout).toBe("x");
  expect(counts.refused.get("id_conflict")).toBe(1);
});

test("an id is free again when its call has its Result", async () => {
  const { engine, ask } = await setUp();
  const first = ask("a");
  engine.run(0).end();
  await first;
  const second = ask("a", { source: "y" });
  engine.run(1).end();
  expect((await second).stdout).toBe("y");
});

test("tenants do not see each other's ids", async () => {
  const { engine, ask } = await setUp(2);
  const both = [ask("a", { tenant: "ann" }), ask("a", { tenant: "bob", source: "y" })];
  for (const run of engine.runs) run.end();
  expect((await Promise.all(both)).map((result) => result.stdout)).toEqual(["x", "y"]);
});

test("one who leaves is cancelled alone; the others get the Result", async () => {
  const { engine, ask, counts } = await setUp();
  const leaving = new AbortController();
  const [left, stayed] = [ask("a", { signal: leaving.signal }), ask("a")];
  leaving.abort();
  expect(await left).toMatchObject({ id: "a", outcome: "cancelled", stdout: "" });
  expect((await left).detail).toMatch(/goes on for others/);
  expect(engine.run(0).signal.aborted).toBe(false);
  engine.run(0).end();
  expect(await stayed).toMatchObject({ outcome: "completed", stdout: "x" });
  expect([...counts.concluded]).toEqual([["completed", 1]]);
});

test("when the last one leaves the call is ended, and it says what it printed so far", async () => {
  const { engine, ask, counts } = await setUp();
  const leaving = [new AbortController(), new AbortController()];
  const all = leaving.map(({ signal }) => ask("a", { signal }));
  leaving[0]?.abort();
  expect(engine.run(0).signal.aborted).toBe(false);
  leaving[1]?.abort();
  expect(engine.run(0).signal.aborted).toBe(true);
  expect((await Promise.all(all)).map((result) => [result.outcome, result.stdout])).toEqual([
    ["cancelled", ""],
    ["cancelled", "x"],
  ]);
  expect([...counts.concluded]).toEqual([["cancelled", 1]]);
});

test("the same call sent again after its last caller left is run anew, while the old one still ends", async () => {
  const { engine, ask, counts } = await setUp(2);
  engine.obedient = false;
  const leaving = new AbortController();
  const old = ask("a", { signal: leaving.signal });
  leaving.abort();
  const again = ask("a");
  const joined = ask("a");
  engine.run(0).cancel();
  expect((await old).outcome).toBe("cancelled");
  // The end of the old one does not make the id free.
  await settled();
  const late = ask("a");
  engine.run(1).end();
  for (const result of await Promise.all([again, joined, late])) expect(result.outcome).toBe("completed");
  expect(engine.runs).toHaveLength(2);
  expect(counts.accepted).toBe(2);
});

test("a caller who had left before it asked is cancelled", async () => {
  const { ask } = await setUp();
  expect((await ask("a", { signal: AbortSignal.abort() })).outcome).toBe("cancelled");
});

test("no listener stays behind on a signal that outlives its calls", async () => {
  const { engine, ask } = await setUp();
  const long = new AbortController();
  let listeners = 0;
  const { signal } = long;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners++;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listeners--;
    remove(...args);
  };
  for (const id of ["a", "b", "c"]) {
    const answer = ask(id, { signal });
    expect(listeners).toBe(1);
    engine.run(-1).end();
    await answer;
    await settled();
  }
  expect(listeners).toBe(0);
});
