/** The scheduler over simulated engines, fleets and rollouts of all kinds, engines that fail and rollouts given up. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { EngineError, type Sample, type SampleRequest } from "../../../src/rl/ports.ts";
import type { FleetEngine } from "../../../src/rl/scheduler/ports.ts";
import { createScheduler } from "../../../src/rl/scheduler/scheduler.ts";
import { SimulatedEngine } from "../../../src/rl/simulator/engine.ts";
import { VirtualClock } from "../../../src/rl/simulator/virtual-clock.ts";

const RESPONSE_MAX = 400;
const COSTS = {
  prefillTokensPerS: 5000,
  decodeMs: 10,
  decodeMsPerSequence: 0.1,
  decodeMsPerThousand: 0.5,
  sequencesMax: 64,
};

const turn = fc.record({
  tokens: fc.integer({ min: 1, max: 120 }),
  toolMs: fc.integer({ min: 0, max: 3000 }),
});
const rollout = fc.record({
  group: fc.integer({ min: 0, max: 5 }),
  promptTokens: fc.integer({ min: 1, max: 60 }),
  turns: fc.array(turn, { minLength: 1, maxLength: 3 }),
  /** When it is given up; mostly never. */
  givenUpAt: fc.option(fc.integer({ min: 0, max: 20_000 }), { freq: 6 }),
});
const plan = fc.record({
  engines: fc.array(fc.integer({ min: 500, max: 4000 }), { minLength: 1, maxLength: 4 }),
  rollouts: fc.array(rollout, { minLength: 1, maxLength: 60 }),
  sliceTokens: fc.option(fc.integer({ min: 5, max: 60 }), { nil: undefined }),
  /** The first engine fails everything in this time. */
  outage: fc.option(
    fc.record({ from: fc.integer({ max: 5000, min: 0 }), ms: fc.integer({ max: 20_000, min: 1 }) }),
    {
      nil: null,
    },
  ),
});

/** An engine whose running requests are watched: the tokens that each has been given room for. */
function watched(engine: SimulatedEngine, kvTokens: number, isDown: () => boolean) {
  const prompts = new Map<number, number>();
  let next = 0;
  const watch = { engine: engine.name, broken: 0, requests: 0 };
  const fleetEngine: FleetEngine = {
    name: engine.name,
    kvTokens,
    load: () => engine.load(),
    sampler: {
      contextTokens: engine.sampler.contextTokens,
      async sample(request: SampleRequest): Promise<Sample> {
        const id = (next += 1);
        watch.requests += 1;
        prompts.set(id, request.prompt.length + 1);
        const held = [...prompts.values()].reduce((sum, tokens) => sum + tokens, 0);
        // Without what they will write: the account reserves for that besides.
        if (prompts.size > 1 && held > kvTokens) watch.broken += 1;
        try {
          const sample = await engine.sampler.sample(request);
          if (isDown()) throw new EngineError("down", { retryable: true });
          return sample;
        } finally {
          prompts.delete(id);
        }
      },
    },
  };
  return { watch, fleetEngine };
}

test("no engine is given more than it holds, every rollout ends once, and none waits for ever", async () => {
  await fc.assert(
    fc.asyncProperty(plan, async ({ engines: sizes, rollouts, sliceTokens, outage }) => {
      const clock = new VirtualClock();
      const isOut = (): boolean =>
        outage !== null && clock.now() >= outage.from && clock.now() < outage.from + outage.ms;
      const fleet = sizes.map((kvTokens, at) =>
        watched(
          new SimulatedEngine(`e${at}`, { ...COSTS, kvTokens }, 1000, clock),
          kvTokens,
          () => at === 0 && isOut(),
        ),
      );
      const scheduler = createScheduler({
        engines: fleet.map(({ fleetEngine }) => fleetEngine),
        responseTokensMax: RESPONSE_MAX,
        clock,
        ...(sliceTokens === undefined ? {} : { sliceTokens }),
      });
      const ends: string[] = [];
      const run = async (
        { group, promptTokens, turns, givenUpAt }: (typeof rollouts)[number],
        at: number,
      ) => {
        const gone = new AbortController();
        if (givenUpAt !== null) clock.after(givenUpAt, () => gone.abort(new Error("given up")));
        try {
          const key = `r${at}`;
          const seat = await scheduler.admit({ key, group: `g${group}`, promptTokens, signal: gone.signal });
          try {
            let context = promptTokens;
            for (const { tokens, toolMs } of turns) {
              const sample = await seat.sample({
                prompt: Array.from<number>({ length: context }).fill(0),
                maxTokens: tokens,
                temperature: 1,
                stop: [],
                // All that is left, whatever the piece.
                ...(sliceTokens === undefined ? { seed: tokens } : {}),
              });
              context += sample.tokens.length;
              await clock.sleep(toolMs);
            }
          } finally {
            seat.close();
          }
          ends.push(`${key} finished`);
        } catch (error) {
          ends.push(`r${at} ${(error as Error).message}`);
        }
      };
      await clock.run(Promise.all(rollouts.map(run)));

      expect(fleet.filter(({ watch }) => watch.broken > 0)).toEqual([]);
      expect(ends).toHaveLength(rollouts.length);
      const mayBeGone = rollouts.flatMap(({ givenUpAt }, at) =>
        givenUpAt === null ? [] : [`r${at} given up`],
      );
      expect(ends.filter((end) => !end.endsWith("finished") && !mayBeGone.includes(end))).toEqual([]);
      // Nobody is left behind: one more is let in at once.
      const late = await clock.run(scheduler.admit({ key: "late", group: "late", promptTokens: 1 }));
      late.close();
    }),
    { numRuns: 60 },
  );
}, 120_000);
