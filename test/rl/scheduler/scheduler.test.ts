/** The scheduler through its own door, over engines that are a few lines each, on a virtual clock. */
import { describe, expect, test } from "vitest";
import { EngineError, type SampleRequest } from "../../../src/rl/ports.ts";
import type { EngineLoad, FleetEngine } from "../../../src/rl/scheduler/ports.ts";
import {
  createScheduler,
  type Scheduler,
  type SchedulerOptions,
} from "../../../src/rl/scheduler/scheduler.ts";
import { VirtualClock } from "../../../src/rl/simulator/virtual-clock.ts";

const REQUEST: SampleRequest = { prompt: [1, 2, 3, 4], maxTokens: 16, temperature: 1, stop: [0], seed: 7 };

class ToyEngine implements FleetEngine {
  readonly name: string;
  readonly kvTokens?: number;
  readonly seen: SampleRequest[] = [];
  running = 0;
  runningMost = 0;
  isBroken = false;
  reported: EngineLoad | null = null;
  version = 1;
  readonly sampler;

  constructor(name: string, clock: VirtualClock, kvTokens?: number) {
    this.name = name;
    if (kvTokens !== undefined) this.kvTokens = kvTokens;
    this.sampler = {
      contextTokens: 1000,
      sample: async (request: SampleRequest) => {
        this.seen.push(request);
        this.running += 1;
        this.runningMost = Math.max(this.runningMost, this.running);
        await clock.sleep(request.maxTokens);
        this.running -= 1;
        if (this.isBroken) throw new EngineError(`${name} is gone`, { retryable: true });
        const tokens = Array.from({ length: request.maxTokens }, (_, at) => request.prompt.length + at);
        return {
          tokens,
          logprobs: tokens.map(() => -1),
          stopReason: "length" as const,
          weightsVersion: this.version,
        };
      },
    };
  }

  load(): Promise<EngineLoad> {
    return this.reported === null ? Promise.reject(new Error("no metrics")) : Promise.resolve(this.reported);
  }
}

function fleet(count: number, kvTokens: number | undefined, options: Partial<SchedulerOptions> = {}) {
  const clock = new VirtualClock();
  const engines = Array.from({ length: count }, (_, at) => new ToyEngine(`e${at}`, clock, kvTokens));
  const scheduler = createScheduler({ engines, responseTokensMax: 96, clock, ...options });
  return { clock, engines, scheduler };
}

async function oneTurn(scheduler: Scheduler, key: string, signal?: AbortSignal): Promise<number> {
  const seat = await scheduler.admit({ key, group: key, promptTokens: 4, signal });
  try {
    const { tokens } = await seat.sample(REQUEST);
    return tokens.length;
  } finally {
    seat.close();
  }
}

describe("admission", () => {
  test("one engine of unknown capacity takes all at once", async () => {
    const { clock, engines, scheduler } = fleet(1, undefined);
    await clock.run(Promise.all(Array.from({ length: 50 }, (_, at) => oneTurn(scheduler, `r${at}`))));
    expect(engines[0]?.runningMost).toBe(50);
    expect(engines[0]?.seen[3]).toMatchObject({ ...REQUEST, sessionKey: "r3" });
  });

  test("nothing known: as many as fit at their longest", async () => {
    const { clock, engines, scheduler } = fleet(2, 1000);
    const enter = async (at: number): Promise<void> => {
      const seat = await scheduler.admit({ key: `r${at}`, group: "g", promptTokens: 100 });
      await seat.sample({ ...REQUEST, prompt: Array.from<number>({ length: 100 }) });
      seat.close();
    };
    const all = Promise.all(Array.from({ length: 50 }, (_, at) => enter(at)));
    await clock.run(clock.sleep(1));
    // 0.85 of the cache, at 196 tokens each.
    expect(engines.map(({ running }) => running)).toEqual([4, 4]);
    await clock.run(all);
  });

  test("nothing known and all of them short yet: more, up to four times as many", async () => {
    const { clock, engines, scheduler } = fleet(2, 10_000);
    const all = Promise.all(Array.from({ length: 1000 }, (_, at) => oneTurn(scheduler, `r${at}`)));
    await clock.run(clock.sleep(1));
    // 85 fit at 100 tokens each.
    expect(engines.map(({ runningMost }) => runningMost)).toEqual([400, 400]);
    await clock.run(all);
  });

  test("from the second step on as many as fit with the lengths that were seen", async () => {
    const { clock, engines, scheduler } = fleet(1, 1000);
    const step = () =>
      clock.run(Promise.all(Array.from({ length: 80 }, (_, at) => oneTurn(scheduler, `r${at}`))));
    await step();
    expect(scheduler.endStep().metrics).toMatchObject({
      "scheduler/trajectories": 80,
      "scheduler/turns": 80,
    });
    await step();
    expect(scheduler.endStep().metrics["scheduler/length_model/mean"]).toBeCloseTo(16, -1);
    expect(engines[0]?.runningMost).toBeGreaterThan(30);
    expect(engines[0]?.runningMost).toBeLessThanOrEqual(50);
    scheduler.beginStage({ responseTokensMax: 96 });
    expect(scheduler.endStep().metrics["scheduler/length_model/observed"]).toBe(0);
  });

  test("groups go one after the other, whoever asks first", async () => {
    const { clock, scheduler } = fleet(1, 150);
    const order: string[] = [];
    const request = { ...REQUEST, prompt: Array.from<number>({ length: 50 }) };
    const enter = async (group: string, key: string) => {
      const seat = await scheduler.admit({ key, group, promptTokens: 50 });
      order.push(key);
      await seat.sample(request);
      seat.close();
    };
    await clock.run(
      Promise.all([enter("a", "a1"), enter("b", "b1"), enter("c", "c1"), enter("a", "a2"), enter("b", "b2")]),
    );
    expect(order).toEqual(["a1", "a2", "b1", "b2", "c1"]);
  });

  test("who gives up leaves the queue", async () => {
    const { clock, scheduler } = fleet(1, 100);
    const gone = new AbortController();
    const all = Promise.allSettled([
      oneTurn(scheduler, "first"),
      oneTurn(scheduler, "second", gone.signal),
      oneTurn(scheduler, "third"),
    ]);
    gone.abort(new Error("given up"));
    const [first, second, third] = await clock.run(all);
    expect([first?.status, second?.status, third?.status]).toEqual(["fulfilled", "rejected", "fulfilled"]);
  });
});

describe("turns", () => {
  test("a turn in pieces is one sample, with a seed for each piece", async () => {
    const { clock, engines, scheduler } = fleet(1, undefined, { sliceTokens: 6 });
    const seat = await scheduler.admit({ key: "r", group: "g", promptTokens: 4 });
    const sample = await clock.run(seat.sample(REQUEST));
    expect(sample.tokens).toEqual(Array.from({ length: 16 }, (_, at) => 4 + at));
    const seen = engines[0]?.seen ?? [];
    expect(seen.map(({ prompt, maxTokens }) => [prompt.length, maxTokens])).toEqual([
      [4, 6],
      [10, 6],
      [16, 4],
    ]);
    expect(new Set(seen.map(({ seed }) => seed)).size).toBe(3);
  });

  test("while held no turn begins; after that rollouts go on where they were, with the new weights", async () => {
    const { clock, engines, scheduler } = fleet(1, undefined, { sliceTokens: 8 });
    const seat = await scheduler.admit({ key: "r", group: "g", promptTokens: 4 });
    const turn = seat.sample(REQUEST);
    await clock.run(clock.sleep(4));
    await clock.run(scheduler.hold());
    expect(clock.now()).toBe(8);
    await clock.run(clock.sleep(100));
    expect(engines[0]?.seen).toHaveLength(1);
    for (const engine of engines) engine.version = 2;
    scheduler.resume();
    expect(await clock.run(turn)).toMatchObject({ weightsVersion: 1, tokens: { length: 16 } });
    expect(clock.now()).toBe(116);
  });

  test("a closed seat takes no turn, and a seat takes one at a time", async () => {
    const { clock, scheduler } = fleet(1, undefined);
    const seat = await scheduler.admit({ key: "r", group: "g", promptTokens: 4 });
    const first = seat.sample(REQUEST);
    await clock.run(clock.sleep(1));
    await expect(seat.sample(REQUEST)).rejects.toThrow("one turn at a time");
    await clock.run(first);
    seat.close();
    seat.close();
    await expect(seat.sample(REQUEST)).rejects.toThrow("closed");
  });
});

describe("engines", () => {
  test("of one that fails the rollouts move, and it is asked again when it has rested", async () => {
    const { clock, engines, scheduler } = fleet(2, undefined);
    const [first, second] = engines as [ToyEngine, ToyEngine];
    first.isBroken = true;
    const all = Promise.all(Array.from({ length: 10 }, (_, at) => oneTurn(scheduler, `r${at}`)));
    expect(await clock.run(all)).toEqual(Array.from({ length: 10 }, () => 16));
    expect(second.seen).toHaveLength(10);
    const { metrics, timeline } = scheduler.endStep();
    expect(metrics).toMatchObject({ "scheduler/rescued": 5, "scheduler/turns": 10 });
    expect(timeline).toContainEqual(
      expect.objectContaining({ kind: "down", engine: "e0", detail: "e0 is gone" }),
    );
    first.isBroken = false;
    await clock.run(clock.sleep(2000));
    await clock.run(Promise.all([oneTurn(scheduler, "x"), oneTurn(scheduler, "y")]));
    expect(first.seen).toHaveLength(6);
  });

  test("the only one is waited for, for as long as patience lasts", async () => {
    const { clock, engines, scheduler } = fleet(1, undefined, { patienceMs: 20_000 });
    const [only] = engines as [ToyEngine];
    only.isBroken = true;
    clock.after(5000, () => (only.isBroken = false));
    expect(await clock.run(oneTurn(scheduler, "r"))).toBe(16);
    only.isBroken = true;
    await expect(clock.run(oneTurn(scheduler, "r"))).rejects.toThrow("e0 is gone");
  });

  test("an error that would come again is thrown at once", async () => {
    const { clock, engines, scheduler } = fleet(2, undefined);
    const [first] = engines as [ToyEngine];
    first.sampler.sample = () => Promise.reject(new EngineError("a poisoned reply", { retryable: false }));
    await expect(clock.run(oneTurn(scheduler, "r"))).rejects.toThrow("poisoned");
  });

  test("reports cut the credit when an engine thrashes, and let it grow when it is clear", async () => {
    const { clock, engines, scheduler } = fleet(1, 1000, { pollMs: 10 });
    const [only] = engines as [ToyEngine];
    const clear = { kvUsage: 0.3, running: 10, waiting: 0, preemptions: 0 };
    only.reported = clear;
    const step = (name: string) =>
      clock.run(Promise.all(Array.from({ length: 400 }, (_, at) => oneTurn(scheduler, `${name}${at}`))));
    await step("grown");
    expect(only.runningMost).toBeGreaterThan(12);
    const before = scheduler.endStep().metrics["scheduler/credit/max"] ?? 0;
    expect(before).toBeGreaterThan(1.2);
    only.reported = { ...clear, kvUsage: 0.97, preemptions: 5 };
    await step("cut");
    const { metrics, timeline } = scheduler.endStep();
    expect(metrics["scheduler/preemptions"]).toBe(5);
    expect(timeline.some(({ kind }) => kind === "preempted")).toBe(true);
    expect(timeline.some(({ kind }) => kind === "sample")).toBe(true);
  });

  test("a short step is looked at finely, a long one no more often than can be drawn", async () => {
    const { clock, engines, scheduler } = fleet(2, 100_000);
    for (const [turnMs, least] of [
      [400, 7],
      [600_000, 100],
    ] as const) {
      for (const { sampler } of engines)
        sampler.sample = async (request) => {
          await clock.sleep(turnMs);
          return {
            tokens: request.prompt.slice(0, 1),
            logprobs: [-1],
            stopReason: "length",
            weightsVersion: 1,
          };
        };
      const seats = [0, 1].map((at) => scheduler.admit({ key: `r${at}`, group: "g", promptTokens: 4 }));
      await clock.run(
        Promise.all(seats.map(async (seat) => (await seat).sample({ ...REQUEST, maxTokens: 1 }))),
      );
      for (const seat of seats) (await seat).close();
      const samples = scheduler.endStep().timeline.filter(({ kind }) => kind === "sample");
      expect(samples.length / 2).toBeGreaterThanOrEqual(least);
      expect(samples.length / 2).toBeLessThanOrEqual(257);
      expect(samples[0]?.at).toBe(50);
    }
  });

  test("a trajectory moves at a tool boundary when its engine is much busier than the idlest", async () => {
    const { clock, engines, scheduler } = fleet(2, undefined);
    const seats = [];
    for (let at = 0; at < 40; at += 1)
      seats.push(await scheduler.admit({ key: `r${at}`, group: "g", promptTokens: 4 }));
    // Every second seat is on the first engine; the others are done.
    for (const [at, seat] of seats.entries()) if (at % 2 === 1) seat.close();
    const turns = seats.filter((_, at) => at % 2 === 0).map((seat) => seat.sample(REQUEST));
    await clock.run(Promise.all(turns));
    expect(engines.map(({ seen }) => seen.length)).toEqual([14, 6]);
    expect(scheduler.endStep().metrics["scheduler/repinned"]).toBe(6);
  });
});
