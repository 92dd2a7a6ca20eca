import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { readMetrics } from "../../../src/rl/command/curves.ts";
import { train } from "../../../src/rl/loop/train.ts";
import type { World } from "../../../src/rl/loop/world.ts";
import { EngineError } from "../../../src/rl/ports.ts";
import { resultOf } from "../../support/result.ts";
import { arithmeticService, createScriptedEngine } from "../scripted.ts";
import { makeWorld } from "./make-world.ts";

/** Metrics without what depends on the clock. */
function curve({ run }: World): unknown[] {
  const timed =
    /time|timing|per_s|throughput|latency|queue_wait|scheduler|concurrency|dispatcher|inference|sampling_client/;
  return readMetrics(run.file("metrics.jsonl")).map((line) =>
    Object.fromEntries(Object.entries(line).filter(([name]) => !timed.test(name))),
  );
}

describe("the loop", () => {
  test("evaluates before and after, trains on mixed groups, and leaves a run behind", async () => {
    const world = await makeWorld("plain");
    const last = await train(world);
    const lines = readMetrics(world.run.file("metrics.jsonl"));
    expect(lines.map(({ phase, step }) => `${phase} ${step}`)).toEqual([
      "eval 0",
      "rl 1",
      "rl 2",
      "rl 3",
      "eval 3",
      "rl 4",
      "rl 5",
      "rl 6",
      "eval 6",
    ]);
    expect(lines[0]?.["eval/all/avg@2"]).toBeLessThan(0.9);
    expect(last["eval/all/avg@2"]).toBeGreaterThan(0.9);
    expect(lines[1]).toMatchObject({ "progress/total_rollouts": 32, "rollouts/excluded": 0 });
    expect(world.engine.asked[0]).toMatch(/^ppo \d+$/);
    expect(readdirSync(world.run.file("checkpoints"))).toEqual(["step-000004", "step-000006"]);
    const [row] = readFileSync(world.run.file("transcripts", "step-000001.jsonl"), "utf8").split("\n");
    expect(JSON.parse(row ?? "")).toMatchObject({
      group: 0,
      index: 0,
      excluded: null,
      tokens: { prompt: 8 },
    });
  });

  test("stopped and resumed it gives the curve of a run that was not", async () => {
    const whole = await makeWorld("whole");
    await train(whole);
    const stop = new AbortController();
    const first = await makeWorld("stopped");
    const progress = {
      ...first.progress,
      step: (phase: string, _: string, step: number) =>
        phase === "rl" && step === 5 && stop.abort(new Error("stop")),
    };
    await expect(train({ ...first, progress, signal: stop.signal })).rejects.toThrow("stop");
    const second = await makeWorld("stopped");
    await train(second);
    expect(second.notes[0]).toBe("resumed after step 4");
    const moments = readFileSync(second.run.file("timeline.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { step: number; at: number });
    expect(moments).toEqual(moments.toSorted((left, right) => left.step - right.step || left.at - right.at));
    expect(curve(second)).toEqual(curve(whole));
    // Of a run that is complete nothing is done again.
    await train(await makeWorld("stopped"));
    expect(curve(second)).toEqual(curve(whole));
  });

  test("goes on to the next stage by its rule, resets the optimizer, and drops what is solved and what is no integer", async () => {
    const engine = createScriptedEngine();
    const world = await makeWorld(
      "stages",
      [
        "stages=[{name: one, steps: 50, until: {metric: reward/all/mean, above: 0.8, window: 1}}, {name: two, steps: 2, resetOptimizer: true, dropSolved: 2, integerAnswers: true, turnsMax: 3}]",
        "data.train=12",
      ],
      engine,
    );
    const progress = {
      ...world.progress,
      step: (phase: string, stage: string) => {
        // Wrong again in the second stage, so that there is something left to learn.
        if (phase === "eval" && stage === "one") engine.errorRate = 0.5;
      },
    };
    await train({ ...world, progress });
    const stages = readMetrics(world.run.file("metrics.jsonl")).filter(({ phase }) => phase === "rl");
    const one = stages.filter(({ stage }) => stage === "one");
    expect(one.length).toBeLessThan(10);
    expect(one.at(-1)?.["reward/all/mean"]).toBeGreaterThan(0.8);
    expect(stages.filter(({ stage }) => stage === "two")).toHaveLength(2);
    expect(engine.asked.filter((what) => what === "reset")).toHaveLength(1);
    expect(world.notes.some((note) => /^[1-9]\d* of 12 problems are solved already$/.test(note))).toBe(true);
  });

  test("a disk that is full at a checkpoint costs that checkpoint and no other", async () => {
    const world = await makeWorld("full");
    const progress = {
      ...world.progress,
      step: (phase: string, _: string, step: number) => {
        if (phase === "rl" && step === 4)
          world.engine.failure = Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
      },
    };
    const stop = new AbortController();
    const note = (message: string): void => {
      if (message.startsWith("no checkpoint at step 4")) stop.abort(new Error("seen"));
    };
    await expect(train({ ...world, progress: { ...progress, note }, signal: stop.signal })).rejects.toThrow(
      "seen",
    );
    expect(readdirSync(world.run.file("checkpoints"))).toEqual(["step-000000", "step-000002"]);
    const resumed = await makeWorld("full");
    await train(resumed);
    expect(resumed.notes[0]).toBe("resumed after step 2");
  });

  test("rollouts that the service failed are counted and never trained on", async () => {
    const world = await makeWorld("excluded", ["stages.0.steps=1"]);
    const service = arithmeticService();
    let calls = 0;
    const failing: typeof service = {
      ...service,
      execute: (call) => {
        calls += 1;
        return calls % 4 === 0
          ? Promise.resolve(resultOf({ outcome: "sandbox_failed" }))
          : service.execute(call);
      },
    };
    await train({ ...world, service: failing });
    const [line] = readMetrics(world.run.file("metrics.jsonl")).filter(({ phase }) => phase === "rl");
    const excluded = Number(line?.["rollouts/excluded"]);
    expect(excluded).toBeGreaterThan(0);
    expect(line?.["down_sampling/before_sampling_trace_num"]).toBe(32 - excluded);
  });

  test("an engine that fails for good ends the run with its own words", async () => {
    const broken = createScriptedEngine(() =>
      Promise.reject(new EngineError("the card is gone", { retryable: false })),
    );
    const world = await makeWorld("broken", [], broken);
    await expect(train(world)).rejects.toThrow("the card is gone");
    expect(existsSync(world.run.file("metrics.jsonl"))).toBe(false);
  });

  test("imitates a teacher whose calls were real ones", async () => {
    const world = await makeWorld("taught", [
      "sft.steps=10",
      "sft.trajectories=20",
      "sft.batch=8",
      "stages.0.steps=1",
    ]);
    await train(world);
    const lines = readMetrics(world.run.file("metrics.jsonl"));
    expect(lines[0]).toMatchObject({ phase: "sft", step: 10 });
    expect(lines[0]?.["teacher/reward"]).toBeGreaterThan(0);
    expect(world.engine.asked.filter((what) => what === "cross_entropy 8")).toHaveLength(10);
    const rows = readFileSync(world.run.file("transcripts", "sft.jsonl"), "utf8").trim().split("\n");
    expect(rows).toHaveLength(20);
  });
});
