import { expect, test, vi } from "vitest";
import type { SessionCall } from "../../src/contract/session.ts";
import { ForkRefused, SandboxFault } from "../../src/core/ports.ts";
import { counting, executorOf, SESSIONS, total } from "./builders.ts";
import { WordEngine, type WordSandbox } from "./session-engine.ts";

const cell = (source: string, fields: Partial<SessionCall> = {}): SessionCall => ({ source, ...fields });
const caught = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => null,
    (error: unknown) => error,
  );

async function open(bounds: Partial<typeof SESSIONS> = {}) {
  const engine = new WordEngine();
  const { observer, counts } = counting();
  const ended: string[] = [];
  const executor = executorOf(engine, {
    sessions: { ...SESSIONS, ...bounds },
    observer: { ...observer, sessionEnded: (_runtime, why) => void ended.push(why) },
  });
  await executor.start();
  const session = await executor.openSession({ runtime: "python" });
  return { engine, executor, session, counts, ended, sandbox: engine.live[0] as WordSandbox };
}

test("state is kept between calls, after an error too, and each Result says so", async () => {
  const { session } = await open();
  await session.execute(cell("set x 7"));
  const raised = await session.execute(cell("raise"));
  expect(raised).toMatchObject({ outcome: "failed", session: { id: session.id, state: "kept" } });
  expect(await session.execute(cell("get x"))).toMatchObject({ stdout: "7", session: { state: "kept" } });
});

test("calls run one at a time, in the order in which they came", async () => {
  const { session, sandbox } = await open();
  const results = await Promise.all(
    Array.from({ length: 20 }, (_, index) => session.execute(cell(`set x ${index}`))),
  );
  expect(results.map(({ stdout }) => stdout)).toEqual(Array.from({ length: 20 }, (_, index) => `${index}`));
  expect(sandbox.mostInside).toBe(1);
});

test("no more wait than may, and those who are refused may come again", async () => {
  const { session } = await open({ waitingMax: 2 });
  const stop = new AbortController();
  const running = session.execute(cell("hang"), { signal: stop.signal });
  await vi.waitFor(async () => expect((await session.describe()).state).toBe("busy"));
  const waiting = [session.execute(cell("set x 1")), session.fork()];
  expect(await caught(session.execute(cell("get x")))).toMatchObject({
    code: "session_busy",
    retryable: true,
  });
  expect(await session.describe()).toMatchObject({ state: "busy", waiting: 2 });
  stop.abort();
  expect(await running).toMatchObject({ outcome: "cancelled", session: { state: "kept" } });
  await Promise.all(waiting);
  expect(await session.execute(cell("get x"))).toMatchObject({ stdout: "1" });
});

test("one who goes while it waits is cancelled at once and costs nobody a turn", async () => {
  const { session } = await open();
  const stop = new AbortController();
  const goes = new AbortController();
  const running = session.execute(cell("hang"), { signal: stop.signal });
  const gone = session.execute(cell("set x 1"), { signal: goes.signal });
  const late = session.execute(cell("set y 1", { deadline_ms: 10 }));
  const last = session.execute(cell("get x"));
  goes.abort();
  expect(await gone).toMatchObject({ outcome: "cancelled", session: { state: "kept" } });
  expect((await late).detail).toContain("deadline_ms");
  stop.abort();
  await running;
  expect(await last).toMatchObject({ outcome: "completed", stdout: "" });
});

test.each([
  ["die", "failed", "exit code 3"],
  ["oom", "memory_limit", "memory_limit"],
  ["fault", "sandbox_failed", "the sandbox died"],
])("a session is lost by %s, says so and takes no more calls", async (word, outcome, why) => {
  const { engine, executor, session, counts, ended } = await open();
  const [result, refused] = await Promise.all([
    session.execute(cell(word)),
    caught(session.execute(cell("get x"))),
  ]);
  expect(result).toMatchObject({ outcome, session: { state: "lost" } });
  expect(refused).toMatchObject({ code: "session_lost", message: expect.stringContaining(why) });
  expect(await caught(session.fork())).toMatchObject({ code: "session_lost" });
  const found = await executor.findSession(session.id);
  expect(await found.describe()).toMatchObject({ state: "lost", detail: expect.stringContaining(why) });
  await vi.waitFor(() => expect(engine.closed).toBe(1));
  expect(await executor.listSessions()).toEqual([]);
  // Accepted calls have their Result, no more and no less.
  expect([counts.accepted, total(counts.concluded), ended]).toEqual([1, 1, ["lost"]]);
});

test("a session whose interpreter goes while nothing runs is lost", async () => {
  const { session, sandbox } = await open();
  sandbox.lose(new SandboxFault("session_died", "killed"));
  await vi.waitFor(async () =>
    expect(await session.describe()).toMatchObject({
      state: "lost",
      detail: expect.stringContaining("killed"),
    }),
  );
});

test("a fork begins where its parent stands; then each goes on by itself", async () => {
  const { engine, executor, session } = await open();
  await session.execute(cell("set x 1"));
  const [first, second] = await session.fork({ count: 2 });
  await first?.execute(cell("set x 2"));
  await session.close();
  expect(await second?.execute(cell("get x"))).toMatchObject({ stdout: "1" });
  expect(await first?.execute(cell("get x"))).toMatchObject({ stdout: "2" });
  expect(await first?.describe()).toMatchObject({ parent: session.id, calls: 3, state: "idle" });
  expect((await executor.listSessions()).map(({ id }) => id)).toEqual([first?.id, second?.id]);
  expect(engine.live.length).toBe(2);
});

test("a fork that is refused leaves the session as it was; one that fails takes it with it", async () => {
  const { engine, session } = await open();
  engine.gates.push(() => Promise.reject(new ForkRefused("no process left")));
  expect(await caught(session.fork())).toMatchObject({ code: "fork_failed", message: "no process left" });
  expect(await session.execute(cell("set x 1"))).toMatchObject({ stdout: "1" });
  engine.gates.push(() => Promise.reject(new SandboxFault("died", "it died")));
  expect(await caught(session.fork())).toMatchObject({ code: "fork_failed" });
  expect(await caught(session.execute(cell("get x")))).toMatchObject({ code: "session_lost" });
});

test("never more sessions than may be, forks and those being opened included", async () => {
  const { engine, executor, session } = await open({ max: 3, tenantMax: 2 });
  const slow = Promise.withResolvers<void>();
  engine.gates.push(() => slow.promise);
  const opening = executor.openSession({ runtime: "python" }, { tenant: "other" });
  expect(await caught(session.fork({ count: 2 }))).toMatchObject({ code: "sessions_full", status: 429 });
  await session.fork({ count: 1 });
  expect(await caught(executor.openSession({ runtime: "python" }, { tenant: "third" }))).toMatchObject({
    code: "sessions_full",
    retryAfterMs: expect.any(Number),
  });
  slow.resolve();
  await opening;
  await session.close();
  expect(await caught(executor.openSession({ runtime: "python" }, { tenant: "other" }))).toBeNull();
  expect(await caught(executor.openSession({ runtime: "python" }, { tenant: "other" }))).toMatchObject({
    code: "sessions_full",
  });
});

test("a tenant neither finds nor lists another's sessions, and may have the same names", async () => {
  const { executor } = await open();
  const mine = await executor.openSession({ runtime: "python", id: "s" }, { tenant: "a" });
  const theirs = await executor.openSession({ runtime: "python", id: "s" }, { tenant: "b" });
  expect(await caught(executor.openSession({ runtime: "python", id: "s" }, { tenant: "a" }))).toMatchObject({
    code: "id_conflict",
  });
  await mine.execute(cell("set x mine"));
  expect(await theirs.execute(cell("get x"))).toMatchObject({ stdout: "" });
  expect((await executor.listSessions({ tenant: "a" })).length).toBe(1);
  const named = await executor.openSession({ runtime: "python", id: "t" }, { tenant: "a" });
  expect(await caught(executor.findSession(named.id, { tenant: "b" }))).toMatchObject({
    code: "session_not_found",
    status: 404,
  });
});

test("deadlines close a session: without a call, and from its opening, whatever it does", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    const { executor, ended } = await open();
    const idle = await executor.openSession({ runtime: "python", idle_ms: 1000 });
    const whole = await executor.openSession({ runtime: "python", total_ms: 1500 });
    await vi.advanceTimersByTimeAsync(900);
    await idle.execute(cell("set x 1"));
    const running = whole.execute(cell("hang"));
    await vi.advanceTimersByTimeAsync(900);
    expect(await running).toMatchObject({ outcome: "cancelled", session: { state: "lost" } });
    expect((await idle.describe()).state).toBe("idle");
    await vi.advanceTimersByTimeAsync(200);
    expect(await caught(idle.execute(cell("get x")))).toMatchObject({
      code: "session_closed",
      status: 410,
      message: expect.stringContaining("idle_ms"),
    });
    expect(await caught(whole.execute(cell("get x")))).toMatchObject({
      message: expect.stringContaining("total_ms"),
    });
    expect(ended).toEqual(["total", "idle"]);
    expect(await caught(executor.openSession({ runtime: "python", idle_ms: 10_000_000 }))).toMatchObject({
      code: "limit_above_ceiling",
      path: "/idle_ms",
    });
  } finally {
    vi.useRealTimers();
  }
});

test("closing cancels the call that runs, refuses those that wait, and does so once", async () => {
  const { engine, session, ended } = await open();
  const running = session.execute(cell("hang"));
  const waiting = caught(session.execute(cell("get x")));
  await vi.waitFor(async () => expect((await session.describe()).state).toBe("busy"));
  await Promise.all([session.close(), session.close()]);
  expect(await running).toMatchObject({ outcome: "cancelled", session: { state: "lost" } });
  expect(await waiting).toMatchObject({ code: "session_closed" });
  expect([engine.closed, ended]).toEqual([1, ["closed"]]);
});

test("the executor's end lets calls at hand finish and ends every session", async () => {
  const { engine, executor, session } = await open();
  const last = session.execute(cell("set x 1"));
  await executor.close();
  expect(await last).toMatchObject({ outcome: "completed" });
  expect(engine.live).toEqual([]);
  expect(await caught(executor.openSession({ runtime: "python" }))).toMatchObject({ code: "draining" });
  expect(await caught(session.execute(cell("get x")))).toMatchObject({ code: "session_closed" });
});

test("calls of sessions that run at once are bounded, over all sessions", async () => {
  const { executor, session } = await open({ callsMax: 1 });
  const other = await executor.openSession({ runtime: "python" });
  const stop = new AbortController();
  const running = session.execute(cell("hang"), { signal: stop.signal });
  const waits = other.execute(cell("set x 1"));
  await vi.waitFor(() => expect(executor.observed().runningCalls).toBe(1));
  const gone = await other.execute(cell("get x", { deadline_ms: 5 }));
  expect(gone.outcome).toBe("cancelled");
  stop.abort();
  expect((await running).outcome).toBe("cancelled");
  expect(await waits).toMatchObject({ stdout: "1" });
});

test("what a session cannot be is refused with the field at fault", async () => {
  const { executor, session } = await open();
  expect(await caught(executor.openSession({ runtime: "node" }))).toMatchObject({
    code: "invalid_call",
    path: "/runtime",
  });
  expect(await caught(executor.openSession({ runtime: "cobol" as never }))).toMatchObject({
    code: "unknown_runtime",
  });
  expect(await caught(session.execute(cell("get x", { limits: { wall_ms: 1e12 } })))).toMatchObject({
    code: "limit_above_ceiling",
    path: "/limits/wall_ms",
  });
  expect(await caught(session.execute(cell("get x", { files: { "../a": "" } })))).toMatchObject({
    code: "invalid_path",
  });
  expect(await caught(executor.findSession("nobody"))).toMatchObject({ code: "session_not_found" });
});
