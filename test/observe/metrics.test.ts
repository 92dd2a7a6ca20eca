import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { createLog, prettyLine } from "../../src/observe/log.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import { stubResult } from "../support/stub-executor.ts";

test("what core tells is counted", async () => {
  const metrics = createMetrics();
  const { observer } = metrics;
  const call = { runtime: "python", source: "" } as const;
  observer.accepted("python");
  observer.granted("python", 3);
  observer.concluded("python", stubResult(call));
  observer.concluded("node", stubResult(call, "wall_limit"));
  observer.concluded("node", {
    ...stubResult(call, "cancelled"),
    timing: { queued_ms: 5, started_ms: 0, run_ms: 0 },
  });
  observer.refused("queue_full", 12);
  observer.forked("container");
  observer.fault("container", "fork_server_died");
  observer.restarted("container", "fault");
  observer.retried("python");
  observer.judged("math", "accepted");
  observer.sessionOpened("python", "forked", 4);
  observer.sessionEnded("python", "idle");
  observer.watch(() => ({
    queuedCalls: 4,
    queuedBytes: 99,
    runningCalls: 2,
    slots: [
      { engine: "container", state: "busy", count: 2 },
      { engine: "container", state: "idle", count: 1 },
    ],
    tiers: [{ engine: "container", tier: "watched_container" }],
    sessions: [{ runtime: "python", count: 3 }],
  }));
  const lines = (await metrics.text()).split("\n");
  for (const line of [
    'rollcall_calls_accepted_total{runtime="python"} 1',
    'rollcall_verdicts_total{kind="math",verdict="accepted"} 1',
    'rollcall_calls_total{runtime="python",outcome="completed"} 1',
    'rollcall_calls_total{runtime="node",outcome="wall_limit"} 1',
    'rollcall_calls_total{runtime="node",outcome="cancelled"} 1',
    'rollcall_run_seconds_count{runtime="node"} 1',
    'rollcall_calls_refused_total{code="queue_full"} 12',
    'rollcall_queue_wait_seconds_sum{runtime="python"} 0.003',
    'rollcall_queue_wait_seconds_bucket{le="0.0025",runtime="python"} 0',
    'rollcall_queue_wait_seconds_bucket{le="0.005",runtime="python"} 1',
    'rollcall_forks_total{engine="container"} 1',
    'rollcall_sandbox_faults_total{engine="container",kind="fork_server_died"} 1',
    'rollcall_sandbox_restarts_total{engine="container",why="fault"} 1',
    'rollcall_calls_retried_total{runtime="python"} 1',
    'rollcall_sessions_opened_total{runtime="python",origin="forked"} 1',
    'rollcall_sessions_ended_total{runtime="python",why="idle"} 1',
    'rollcall_session_open_seconds_bucket{le="0.005",runtime="python"} 1',
    'rollcall_sessions{runtime="python"} 3',
    'rollcall_isolation_info{engine="container",tier="watched_container"} 1',
    "rollcall_queue_calls 4",
    "rollcall_queue_bytes 99",
    "rollcall_calls_running 2",
    'rollcall_slots{engine="container",state="busy"} 2',
    'rollcall_slots{engine="container",state="idle"} 1',
  ]) {
    expect(lines).toContain(line);
  }
});

test("two sets of metrics do not know of each other", async () => {
  const [first, second] = [createMetrics(), createMetrics()];
  first.observer.accepted("python");
  expect(await second.text()).not.toContain('runtime="python"');
});

test("the log is JSON, or a line for people", () => {
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  createLog({ level: "info", pretty: false }, { write }).info({ a: 1 }, "hello");
  createLog({ level: "info", pretty: true }, { write }).warn({ a: { b: "c" } }, "hello");
  createLog({ level: "info", pretty: true }, { write }).debug("not seen");
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({ level: 30, a: 1, msg: "hello" });
  expect(lines[1]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} WARN  hello a=\{"b":"c"\}\n$/);
  expect(lines).toHaveLength(2);
  expect(prettyLine('{"level":50,"time":0,"msg":"x","err":{"stack":"Error: y\\n at z"}}')).toBe(
    "00:00:00.000 ERROR x\nError: y\n at z\n",
  );
});

test("a standstill of the event loop counts for each look that it made late", async () => {
  const metrics = createMetrics();
  const until = performance.now() + 200;
  while (performance.now() < until);
  await sleep(50);
  const text = await metrics.text();
  const count = (end: string): number =>
    Number(new RegExp(`^rollcall_event_loop_lag_seconds_${end} (\\d+)$`, "m").exec(text)?.[1]);
  expect(count("count") - count('bucket{le="0.1"}')).toBeGreaterThanOrEqual(8);
});
