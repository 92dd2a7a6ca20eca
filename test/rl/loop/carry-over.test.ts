/** Rollouts that are begun in one step and end in a later one, under other weights. */
import { setTimeout as sleep } from "node:timers/promises";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { readMetrics } from "../../../src/rl/command/curves.ts";
import { train } from "../../../src/rl/loop/train.ts";
import type { TranscriptLine } from "../../../src/rl/loop/transcript.ts";
import type { World } from "../../../src/rl/loop/world.ts";
import type { Datum } from "../../../src/rl/ports.ts";
import { hashOf } from "../../../src/rl/random.ts";
import { decodeTiny, encodeTiny } from "../../../src/rl/renderers/tiny.ts";
import { createScriptedEngine, type ScriptedEngine } from "../scripted.ts";
import { makeWorld } from "./make-world.ts";

const CARRYING = [
  "data.train=200",
  "stages.0.carryOver=3",
  "stages.0.carryStepsMax=1",
  "stages.0.sliceTokens=2",
  "algorithm.minibatches=1",
];
/** Nats of every token that a version wrote: what it says of a token tells who wrote it. */
const logprobOf = (version: number): number => -version / 8;

/** Writes a turn in pieces, about half of the problems slowly, and keeps what it was trained on. */
function createPieceEngine(): ScriptedEngine & { readonly learned: Datum[] } {
  const learned: Datum[] = [];
  let version = 0;
  const engine = createScriptedEngine(async ({ prompt, maxTokens, sessionKey = "", stop }) => {
    const [, before = "", written = ""] = /^(.*[?}])([^?}]*)$/.exec(decodeTiny(prompt)) ?? [];
    const [, a = "0", letter = "p", b = "0"] = /^#a(\d+)([pmx])(\d+)\?/.exec(before) ?? [];
    const response = /\{([^{}]*)\}$/.exec(before)?.[1];
    const sign = hashOf(sessionKey, "wrong") % 2 === 0 ? letter : { p: "+", m: "-", x: "*" }[letter];
    const turn = response === undefined ? `<${a}${sign}${b}>` : `=${response};`;
    const tokens = encodeTiny(turn).slice(written.length, written.length + maxTokens);
    const by = version;
    if (Number(a) % 2 === 0) await sleep(3);
    return {
      tokens,
      logprobs: tokens.map(() => logprobOf(by)),
      stopReason: stop.includes(tokens.at(-1) ?? -1) ? "stop" : "length",
      weightsVersion: by,
    };
  });
  return Object.assign(engine, {
    learned,
    forwardBackward(data: readonly Datum[]) {
      learned.push(...data);
      return Promise.resolve({ metrics: {}, logprobs: data.map(() => []) });
    },
    publish: () => Promise.resolve((version += 1)),
  });
}

function transcriptOf({ run }: World, step: number): TranscriptLine[] {
  const text = readFileSync(run.file("transcripts", `step-00000${step}.jsonl`), "utf8");
  return text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as TranscriptLine);
}

const policySteps = ({ run }: World) =>
  readMetrics(run.file("metrics.jsonl")).filter(({ phase }) => phase === "rl");

describe("rollouts that are carried over", () => {
  test("go on under newer weights; of each token it is known who wrote it, and with what probability", async () => {
    const engine = createPieceEngine();
    const world = await makeWorld("carried", CARRYING, engine);
    await train(world);
    const steps = policySteps(world);
    expect(steps.some((line) => Number(line["off_policy/in_flight"]) > 0)).toBe(true);
    expect(Math.max(...steps.map((line) => Number(line["off_policy/max"])))).toBe(1);
    // The last step leaves nothing behind.
    expect(steps.at(-1)?.["off_policy/in_flight"]).toBe(0);

    const rows = steps.flatMap((_, at) => transcriptOf(world, at + 1));
    const isMixed = ({ segments }: TranscriptLine): boolean =>
      segments.some(({ from, weightsVersion }, at) => {
        const before = segments[at - 1];
        return before?.to === from && before.weightsVersion < weightsVersion;
      });
    expect(rows.some(isMixed)).toBe(true);
    expect(
      rows.every(
        ({ segments, tokens }) =>
          segments.reduce((sum, { from, to }) => sum + to - from, 0) === tokens.written,
      ),
    ).toBe(true);

    const said = new Set(
      rows.map(({ text, segments }) => {
        const logprobs = Array.from(text, () => 0);
        for (const { from, to, weightsVersion } of segments)
          logprobs.fill(logprobOf(weightsVersion), from, to);
        return JSON.stringify([text, logprobs.slice(1)]);
      }),
    );
    expect(engine.learned.length).toBeGreaterThan(0);
    for (const { tokens, logprobs } of engine.learned)
      expect(said).toContain(JSON.stringify([decodeTiny(tokens), logprobs]));
  });

  test("are all learned from or counted once, in whole groups", async () => {
    const world = await makeWorld("whole-groups", CARRYING, createPieceEngine());
    await train(world);
    const groups = policySteps(world).map((line, at) => {
      const rows = transcriptOf(world, at + 1);
      expect(rows).toHaveLength(Number(line["progress/total_rollouts"]));
      const sizes = Object.values(Object.groupBy(rows, ({ group }) => group)).map((some) => some?.length);
      expect(new Set(sizes)).toEqual(new Set([8]));
      return [...new Set(rows.map(({ problem }) => problem.id))];
    });
    for (const some of groups) expect(some.length).toBeGreaterThanOrEqual(4);
    const all = groups.flat();
    expect(new Set(all).size).toBe(all.length);
  });

  test("are begun anew by a run that is resumed", async () => {
    const stop = new AbortController();
    const first = await makeWorld("lost", CARRYING, createPieceEngine());
    const progress = {
      ...first.progress,
      step: (phase: string, _: string, step: number) =>
        phase === "rl" && step === 3 && stop.abort(new Error("stop")),
    };
    await expect(train({ ...first, progress, signal: stop.signal })).rejects.toThrow("stop");
    const state = first.run.lastCheckpoint()?.state as { carried: string[]; step: number };
    expect(state.step).toBe(2);
    expect(state.carried.length).toBeGreaterThan(0);
    const second = await makeWorld("lost", CARRYING, createPieceEngine());
    await train(second);
    const rolledOut = [3, 4].flatMap((step) => transcriptOf(second, step).map(({ problem }) => problem.id));
    expect(new Set(rolledOut)).toEqual(new Set([...rolledOut, ...state.carried]));
  });

  test("end with their stage", async () => {
    const world = await makeWorld(
      "given-up",
      [...CARRYING, "stages.0.until={metric: reward/all/mean, above: 0, window: 1}", "stages.0.steps=9"],
      createPieceEngine(),
    );
    await train(world);
    expect(policySteps(world)).toHaveLength(1);
    expect(world.notes.some((note) => /stage rl is over: \d groups in flight are given up/.test(note))).toBe(
      true,
    );
  });
});
