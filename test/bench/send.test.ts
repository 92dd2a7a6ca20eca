import { describe, expect, test } from "vitest";
import { mixOf, take, TRIVIAL_PYTHON, type Planned } from "../../bench/load/mixes.ts";
import { Recorder } from "../../bench/load/recorder.ts";
import { sendBurst, sendClosed, sendOpen, sendRollouts } from "../../bench/load/send.ts";
import type { OnAnswer, Target } from "../../bench/targets/target.ts";

const draw = mixOf([TRIVIAL_PYTHON], () => 0);
const RIGHT = { outcome: "completed", complaint: null } as const;

function targetOf(send: (calls: readonly Planned[], onAnswer: OnAnswer) => Promise<void>): Target {
  return {
    name: "fake",
    batchMax: 100,
    pid: null,
    metricsUrl: null,
    runs: () => true,
    send,
    close: () => Promise.resolve(),
  };
}

const answering = (): Target =>
  targetOf(async (calls, onAnswer) => {
    await Promise.resolve();
    for (const index of calls.keys()) onAnswer(index, RIGHT);
  });

describe("open loop", () => {
  test("a call counts from the time it was due, however long the target stalls", async () => {
    const recorder = new Recorder();
    const stalledUntil = performance.now() + 120;
    const target = targetOf(async (calls, onAnswer) => {
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, stalledUntil - performance.now())));
      for (const index of calls.keys()) onAnswer(index, RIGHT);
    });
    await sendOpen({ target, recorder, draw, arrivalsMs: [0, 10, 20, 30] });
    const { answered, latency } = recorder.report();
    expect(answered).toBe(4);
    // The last was due 30 ms in: it waited for at least the rest of the stall, as did each before it.
    expect(recorder.latency.minMs).toBeGreaterThanOrEqual(120 - 30 - 5);
    expect(latency.maxMs).toBeGreaterThanOrEqual(120 - 5);
  });

  test("what blocks the sender itself is charged to the calls that were due meanwhile", async () => {
    const recorder = new Recorder();
    let sent = 0;
    const target = targetOf(async (calls, onAnswer) => {
      if (sent++ === 0) {
        const until = performance.now() + 80;
        while (performance.now() < until);
      }
      for (const index of calls.keys()) onAnswer(index, RIGHT);
    });
    await sendOpen({ target, recorder, draw, arrivalsMs: [0, 5, 10] });
    expect(recorder.latency.minMs).toBeGreaterThanOrEqual(60);
    expect(recorder.report().sendLag.maxMs).toBeGreaterThanOrEqual(60);
  });

  test("calls that are due together go as one request, up to its size", async () => {
    const sizes: number[] = [];
    const target = targetOf(async (calls, onAnswer) => {
      sizes.push(calls.length);
      for (const index of calls.keys()) onAnswer(index, RIGHT);
    });
    const recorder = new Recorder();
    await sendOpen({ target, recorder, draw, batch: 2, arrivalsMs: [0, 0, 0, 5] });
    expect(sizes).toEqual([2, 1, 1]);
    expect(recorder.report().answered).toBe(4);
  });
});

describe("closed loop and burst", () => {
  test("never more requests in flight than asked for", async () => {
    let now = 0;
    let most = 0;
    const target = targetOf(async (calls, onAnswer) => {
      most = Math.max(most, (now += 1));
      await new Promise((resolve) => setTimeout(resolve, 1));
      now -= 1;
      for (const index of calls.keys()) onAnswer(index, RIGHT);
    });
    const recorder = new Recorder();
    await sendClosed({ target, recorder, calls: take(draw, 25), requests: 3, batch: 2 });
    expect(most).toBe(3);
    expect(recorder.report()).toMatchObject({ planned: 25, answered: 25, wrong: 0, refused: {} });
  });

  test("refusals, answers left out and wrong answers are counted apart", async () => {
    let request = 0;
    const target = targetOf(async (calls, onAnswer) => {
      request += 1;
      if (request === 1) throw Object.assign(new Error("no"), { code: "queue_full" });
      for (const index of calls.keys())
        if (index > 0) onAnswer(index, { outcome: "failed", complaint: "bad" });
    });
    const recorder = new Recorder();
    await sendClosed({ target, recorder, calls: take(draw, 6), requests: 1, batch: 3 });
    expect(recorder.inFlight).toBe(0);
    expect(recorder.report()).toMatchObject({
      planned: 6,
      answered: 2,
      wrong: 2,
      wrongTexts: ["trivial_python: bad", "trivial_python: bad"],
      outcomes: { failed: 2 },
      refused: { queue_full: 3, "left out of the answer": 1 },
    });
  });

  test("a burst is sent whole", async () => {
    const recorder = new Recorder();
    await sendBurst({ target: answering(), recorder, calls: take(draw, 2500), batch: 100 });
    const { answered, thousandsMs } = recorder.report();
    expect(answered).toBe(2500);
    expect(thousandsMs).toHaveLength(2);
  });

  test("a rollout waits for each of its answers, verifications come last", async () => {
    const seen: string[] = [];
    const target = targetOf(async (calls, onAnswer) => {
      for (const [index, { program }] of calls.entries()) {
        seen.push(program.kind);
        onAnswer(index, RIGHT);
      }
    });
    const planned = draw();
    const check: Planned = { ...planned, program: { ...planned.program, kind: "check" } };
    const turns = [
      { thinkMs: 1, planned },
      { thinkMs: 1, planned },
    ];
    const recorder = new Recorder();
    await sendRollouts({
      target,
      recorder,
      rollouts: [turns, turns],
      verifications: [check, check],
      batch: 2,
    });
    expect(seen).toEqual([...Array.from({ length: 4 }, () => "trivial_python"), "check", "check"]);
  });
});
