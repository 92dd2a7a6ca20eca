import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Call } from "../../src/contract/call.ts";
import type { ExecuteOptions } from "../../src/contract/executor.ts";
import { type Evidence, SandboxFault } from "../../src/core/ports.ts";
import { call, counting, executorOf, JAVASCRIPT, PYTHON } from "./builders.ts";
import { ManualEngine } from "./manual-engine.ts";
import { settled, VirtualTime } from "./virtual-time.ts";

let time: VirtualTime;
beforeEach(() => {
  time = new VirtualTime();
  time.install();
});
afterEach(() => time.restore());

const refuse = () => Promise.reject(new SandboxFault("no_sandbox", "no sandbox now"));
const never = () => new Promise<void>(() => undefined);

function parts(slots: number, ...openings: (() => Promise<void>)[]) {
  const engine = new ManualEngine(slots);
  engine.openings.push(...openings);
  const { observer, counts } = counting();
  const restarts: string[] = [];
  const kinds: string[] = [];
  const executor = executorOf(engine, {
    now: time.now,
    observer: {
      ...observer,
      fault: (name, kind) => {
        observer.fault(name, kind);
        kinds.push(kind);
      },
      restarted: (_, why) => void restarts.push(why),
    },
  });
  const ask = (source: string, fields: Partial<Call> = {}, options: ExecuteOptions = {}) =>
    executor.execute(call({ source, ...fields }), options);
  const states = () =>
    Object.fromEntries(executor.observed().slots.map(({ state, count }) => [state, count]));
  return { engine, executor, ask, states, counts, restarts, kinds };
}

async function setUp(slots = 1) {
  const all = parts(slots);
  await all.executor.start();
  return all;
}

describe("a call", () => {
  test("waits for a slot, runs and has its Result, with its times", async () => {
    const { engine, ask } = await setUp();
    const [first, second] = [ask("a"), ask("b")];
    expect(engine.runs).toHaveLength(1);
    await time.advance(40);
    engine.run(0).end();
    expect(await first).toMatchObject({ stdout: "a", timing: { queued_ms: 0 } });
    await settled();
    await time.advance(5);
    engine.run(1).end({ startMs: 2, runMs: 3 });
    expect(await second).toMatchObject({ stdout: "b", timing: { queued_ms: 40, started_ms: 42, run_ms: 3 } });
  });

  test("of higher priority goes first", async () => {
    const { engine, ask } = await setUp();
    const all = [ask("a"), ask("low", { priority: "low" }), ask("high", { priority: "high" })];
    engine.run(0).end();
    await settled();
    engine.run(1).end();
    await settled();
    engine.run(2).end();
    await Promise.all(all);
    expect(engine.runs.map((run) => run.source)).toEqual(["a", "high", "low"]);
  });

  test("goes to the engine of its runtime, and is refused where there is none", async () => {
    const engine = new ManualEngine();
    const executor = executorOf(engine, { runtimes: [PYTHON, JAVASCRIPT] });
    await executor.start();
    await expect(executor.execute({ runtime: "javascript", source: "" })).rejects.toMatchObject({
      code: "engine_unavailable",
      message: expect.stringContaining("isolate") as string,
    });
  });
});

describe("given up", () => {
  test("in the queue: it leaves at once and never runs", async () => {
    const { engine, ask, executor } = await setUp();
    const first = ask("a");
    const leaving = new AbortController();
    const second = ask("b", {}, { signal: leaving.signal });
    await time.advance(7);
    leaving.abort();
    expect(await second).toMatchObject({
      outcome: "cancelled",
      detail: "the call was given up by its caller before it started",
      timing: { queued_ms: 7, started_ms: 0 },
    });
    expect(executor.observed()).toMatchObject({ queuedCalls: 0, queuedBytes: 0 });
    engine.run(0).end();
    await first;
    await settled();
    expect(engine.runs).toHaveLength(1);
  });

  test("while it runs: the sandbox ends it and is used again", async () => {
    const { engine, ask, states } = await setUp();
    const leaving = new AbortController();
    const first = ask("a", {}, { signal: leaving.signal });
    leaving.abort();
    expect(await first).toMatchObject({
      outcome: "cancelled",
      stdout: "a",
      detail: "the call was given up by its caller while it ran",
    });
    await settled();
    expect(states()).toEqual({ idle: 1 });
    expect(engine.opened).toBe(1);
  });

  test("in the moment in which it ends well: it did", async () => {
    const { engine, ask } = await setUp();
    engine.obedient = false;
    const leaving = new AbortController();
    const first = ask("a", {}, { signal: leaving.signal });
    leaving.abort();
    engine.run(0).end();
    expect(await first).toMatchObject({ outcome: "completed", detail: null });
  });

  test("in a sandbox that does not listen: it is answered 15 s later, not at its wall limit", async () => {
    const { engine, ask, states, restarts } = await setUp();
    engine.obedient = false;
    const leaving = new AbortController();
    let outcome: string | null = null;
    void ask("a", { limits: { wall_ms: 600_000 } }, { signal: leaving.signal }).then(
      (result) => (outcome = result.outcome),
    );
    await time.advance(1000);
    leaving.abort();
    await time.advance(14_999);
    expect(outcome).toBeNull();
    await time.advance(1);
    expect(outcome).toBe("cancelled");
    await time.advance(1000);
    expect(restarts).toEqual(["sandbox_silent"]);
    expect(states()).toEqual({ idle: 1 });
  });

  test("by its own deadline, in the queue or while it runs", async () => {
    const { ask } = await setUp();
    const [running, waiting] = [ask("a", { deadline_ms: 50 }), ask("b", { deadline_ms: 40 })];
    await time.advance(50);
    expect(await running).toMatchObject({
      outcome: "cancelled",
      detail: "the call's deadline_ms passed while it ran",
    });
    expect(await waiting).toMatchObject({
      outcome: "cancelled",
      detail: "the call's deadline_ms passed before it started",
    });
    expect(time.pending).toBe(0);
  });

  test("while it waits to be run again: it is not", async () => {
    const { engine, ask } = await setUp();
    const leaving = new AbortController();
    const first = ask("a", {}, { signal: leaving.signal });
    engine.run(0).fail();
    await settled();
    leaving.abort();
    expect(await first).toMatchObject({
      outcome: "cancelled",
      detail: "the call was given up by its caller before it was run again",
    });
    await time.advance(10_000);
    expect(engine.runs).toHaveLength(1);
  });

  test("while its sandbox failed: it is cancelled, not run again", async () => {
    const { engine, ask, counts } = await setUp();
    engine.obedient = false;
    const leaving = new AbortController();
    const first = ask("a", {}, { signal: leaving.signal });
    leaving.abort();
    engine.run(0).fail();
    expect((await first).outcome).toBe("cancelled");
    expect(counts).toMatchObject({ faults: 1, retried: 0 });
  });
});

const FAULTS: readonly (readonly [string, (engine: ManualEngine) => void, string])[] = [
  ["dies", (engine) => engine.run(-1).fail(), "died"],
  ["has a bug", (engine) => engine.run(-1).fail(new TypeError("x is not a function")), "engine_bug"],
  ["rejects with no error", (engine) => engine.run(-1).fail("?"), "engine_bug"],
  ["answers nonsense", (engine) => engine.run(-1).end({ stdout: null } as unknown as Evidence), "engine_bug"],
  ["ends a program that nobody gave up", (engine) => engine.run(-1).cancel(), "unasked_cancel"],
];

describe("a sandbox that", () => {
  test.each(FAULTS)(
    "%s is closed, and its call is run once more, before those that wait",
    async (_, fault, kind) => {
      const { engine, ask, counts, kinds } = await setUp();
      const [first, second] = [ask("a"), ask("b")];
      fault(engine);
      await time.advance(60);
      expect(engine.runs.map((run) => run.source)).toEqual(["a", "a"]);
      expect([engine.closedSandboxes, engine.opened]).toEqual([1, 2]);
      engine.run(1).end();
      expect((await first).outcome).toBe("completed");
      await settled();
      engine.run(2).end();
      await second;
      expect(counts).toMatchObject({ faults: 1, retried: 1, granted: 2 });
      expect(kinds).toEqual([kind]);
    },
  );

  test.each(FAULTS)("%s twice makes its call sandbox_failed, and no other", async (_, fault, kind) => {
    const { engine, ask } = await setUp();
    const [first, second] = [ask("a"), ask("b")];
    fault(engine);
    await time.advance(60);
    fault(engine);
    const result = await first;
    expect(result).toMatchObject({ outcome: "sandbox_failed", stdout: "", exit_code: null });
    expect(result.detail).toContain(kind);
    await time.advance(1000);
    engine.run(-1).end();
    expect((await second).outcome).toBe("completed");
    expect(engine.runs).toHaveLength(3);
  });

  test("says nothing for 15 s past the wall limit has failed, and what it says later is not heard", async () => {
    const { engine, ask } = await setUp();
    const first = ask("a", { limits: { wall_ms: 2000 } });
    await time.advance(16_999);
    expect(engine.runs).toHaveLength(1);
    await time.advance(60);
    expect(engine.runs).toHaveLength(2);
    engine.run(0).end({ exitCode: 7 });
    await settled();
    engine.run(1).end();
    expect(await first).toMatchObject({ outcome: "completed", exit_code: 0 });
  });

  test("fails over and over is opened after longer and longer pauses, and one good run forgives it", async () => {
    const { engine, ask } = await setUp();
    const pauses: number[] = [];
    for (let turn = 0; turn < 6; turn++) {
      const answer = ask("a");
      await time.advanceUntil(() => engine.runs.length === 2 * turn + 1, 100_000);
      for (const again of [1, 2]) {
        engine.run(-1).fail();
        await settled();
        const failedMs = time.now();
        await time.advanceUntil(() => engine.opened === 2 * turn + again + 1, 100_000);
        pauses.push(time.now() - failedMs);
      }
      await answer;
    }
    expect(pauses.slice(0, 5)).toEqual([50, 200, 1000, 5000, 5000]);
    const good = ask("a");
    engine.run(-1).end();
    await good;
    void ask("a");
    await settled();
    engine.run(-1).fail();
    const failedMs = time.now();
    const { opened } = engine;
    await time.advanceUntil(() => engine.opened > opened, 100_000);
    expect(time.now() - failedMs).toBe(50);
  });
});

describe("opening", () => {
  test("a start with not one sandbox rejects and says why", async () => {
    const { executor } = parts(2, refuse, refuse);
    await expect(executor.start()).rejects.toMatchObject({
      code: "engine_unavailable",
      message: "the container engine opened no sandbox: no sandbox now",
    });
    await executor.close();
    expect(time.pending).toBe(0);
  });

  test("a start with some serves, and tries for the others", async () => {
    const { engine, executor, states } = parts(3, refuse, refuse);
    await executor.start();
    expect(executor.ready()).toBe(true);
    expect(states()).toEqual({ idle: 1, down: 2 });
    await time.advance(50);
    expect(states()).toEqual({ idle: 3 });
    expect(engine.opened).toBe(3);
  });

  test("one that hangs is tried again after a minute; the late one is closed and never used", async () => {
    const { engine, ask, states } = await setUp();
    const late = Promise.withResolvers<void>();
    engine.openings.push(() => late.promise);
    const first = ask("a");
    engine.run(0).fail();
    await time.advance(50 + 60_000);
    expect(states()).toEqual({ down: 1 });
    await time.advance(1000);
    expect(states()).toEqual({ busy: 1 });
    expect(engine.closedSandboxes).toBe(1);
    late.resolve();
    await settled();
    expect(engine.closedSandboxes).toBe(2);
    engine.run(1).end();
    expect((await first).outcome).toBe("completed");
    expect(states()).toEqual({ idle: 1 });
  });

  test("when no slot opens for 30 s those who wait are told, and nobody is let in", async () => {
    const { engine, ask, executor } = await setUp(2);
    engine.openings.push(...Array.from({ length: 40 }, () => refuse));
    const waiting = ["a", "b", "c"].map((source) => ask(source));
    engine.run(0).fail();
    await settled();
    await time.advance(1000);
    expect(executor.ready()).toBe(true);
    engine.run(1).fail();
    await time.advance(60);
    expect(executor.ready()).toBe(false);
    await expect(ask("d")).rejects.toMatchObject({ code: "engine_unavailable", retryable: true });
    let told = 0;
    for (const one of waiting) void one.then(() => told++);
    await time.advance(29_900);
    expect(told).toBe(0);
    await time.advance(200);
    for (const one of waiting) {
      expect(await one).toMatchObject({
        outcome: "sandbox_failed",
        detail: "no sandbox could be opened: no sandbox now",
      });
    }
    await time.advanceUntil(() => executor.ready(), 1_000_000);
    const after = ask("e");
    engine.run(-1).end();
    expect((await after).outcome).toBe("completed");
  });
});

describe("the expected wait", () => {
  test("is by the mean of the runs so far, over the slots, and idle slots take their calls first", async () => {
    const { engine, ask, executor } = await setUp(2);
    const first = ask("a");
    engine.run(0).end({ runMs: 1000 });
    await first;
    await settled();
    // Two idle slots and one call ahead of the third: half a second.
    const batch = (count: number) =>
      executor.executeBatch(Array.from({ length: count }, () => call({ deadline_ms: 400 })));
    await expect(batch(4)).rejects.toMatchObject({ code: "deadline_unmeetable" });
    await expect(batch(3)).resolves.toBeDefined();
    await expect(ask("b", { deadline_ms: 499 })).rejects.toMatchObject({ code: "deadline_unmeetable" });
    void ask("b", { deadline_ms: 500 });
    expect(executor.observed()).toMatchObject({ queuedCalls: 2, runningCalls: 2 });
  });
});

describe("the end", () => {
  test("drain takes no more calls, waits for those it has, and then nothing is in flight", async () => {
    const { engine, ask, executor } = await setUp();
    const all = [ask("a"), ask("b")];
    let drained = false;
    const drain = executor.drain(1000).then(() => (drained = true));
    expect(executor.ready()).toBe(false);
    await expect(ask("c")).rejects.toMatchObject({ code: "draining", status: 503, retryAfterMs: 1000 });
    engine.run(0).end();
    await settled();
    expect(drained).toBe(false);
    engine.run(1).end();
    await drain;
    expect((await Promise.all(all)).map((result) => result.outcome)).toEqual(["completed", "completed"]);
    await settled();
    expect(executor.observed()).toMatchObject({ queuedCalls: 0, runningCalls: 0 });
    expect(time.pending).toBe(0);
  });

  test("drain gives up what is still there after its time, and says that it was the service", async () => {
    const { ask, executor } = await setUp();
    const all = [ask("a"), ask("b")];
    const drain = executor.drain(1000);
    await time.advance(1000);
    await drain;
    expect(await all[0]).toMatchObject({
      outcome: "cancelled",
      detail: "the service shut down before it ended",
    });
    expect(await all[1]).toMatchObject({
      outcome: "cancelled",
      detail: "the service shut down before it started",
    });
  });

  test("close waits for the calls it has and closes every sandbox and the engine, once", async () => {
    const { engine, ask, executor } = await setUp(3);
    const first = ask("a");
    let closed = false;
    const closing = [executor.close(), executor.close()].map((close) => close.then(() => (closed = true)));
    await settled();
    expect(closed).toBe(false);
    engine.run(0).end();
    await Promise.all(closing);
    expect((await first).outcome).toBe("completed");
    expect([engine.closedSandboxes, engine.closed]).toEqual([3, 1]);
    await expect(ask("b")).rejects.toMatchObject({ code: "draining" });
    expect(time.pending).toBe(0);
  });

  test("close does not wait for what is being opened, and closes it when it comes", async () => {
    const { engine, executor, states } = parts(2);
    await executor.start();
    const late = Promise.withResolvers<void>();
    engine.openings.push(() => late.promise, never);
    const calls = ["a", "b"].map((source) => executor.execute(call({ source, deadline_ms: 100 })));
    engine.run(0).fail();
    engine.run(1).fail();
    await time.advance(100);
    await Promise.all(calls);
    expect(states()).toEqual({ resetting: 2 });
    await executor.close();
    expect(time.pending).toBe(0);
    late.resolve();
    await settled();
    expect([engine.opened, engine.closedSandboxes]).toEqual([3, 3]);
  });

  test("close in any moment around an opening leaves no sandbox", async () => {
    for (let moments = 0; moments < 30; moments++) {
      const { engine, executor, ask } = await setUp();
      const opening = Promise.withResolvers<void>();
      engine.openings.push(() => opening.promise);
      const answer = ask("a", { deadline_ms: 100 });
      engine.run(0).fail();
      await time.advance(100);
      await answer;
      opening.resolve();
      for (let moment = 0; moment < moments; moment++) await Promise.resolve();
      await executor.close();
      await settled();
      expect([engine.opened, engine.closedSandboxes], `after ${moments} moments`).toEqual([2, 2]);
    }
  });

  test("close interrupts the pause before an opening, and opens no more", async () => {
    const { engine, executor, ask, states } = await setUp();
    engine.openings.push(refuse, refuse, refuse);
    const first = ask("a", { deadline_ms: 500 });
    engine.run(0).fail();
    await time.advance(600);
    await first;
    expect(states()).toEqual({ down: 1 });
    await executor.close();
    await time.advance(100_000);
    expect(time.pending).toBe(0);
    expect([engine.opened, engine.openings.length]).toEqual([1, 1]);
  });
});

test("an executor describes itself by what it was given", async () => {
  const { engine, executor } = await setUp(4);
  expect(await executor.describe()).toMatchObject({
    service: "rollcall",
    version: "0",
    runtimes: [
      { id: "python", version: "0", engine: "container", modes: ["script", "cell"] },
      { id: "node", version: "0", engine: "container", modes: ["script"] },
    ],
    engines: [engine.describe()],
    queue: { calls_max: 10_000, batch_calls_max: 10_000 },
  });
});
