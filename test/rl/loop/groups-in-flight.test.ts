import * as fc from "fast-check";
import { expect, test } from "vitest";
import { GroupsInFlight } from "../../../src/rl/loop/groups-in-flight.ts";
import type { Trajectory } from "../../../src/rl/rollout/trajectory.ts";

const group = (id: string): readonly Trajectory[] => [{ answer: id } as Trajectory];
const problem = (id: string) => ({ id, family: "f", prompt: "", answer: "" });
const settle = () => new Promise((resolve) => setImmediate(resolve));

interface Open {
  readonly id: string;
  readonly step: number;
  readonly complete: () => void;
}

const steps = fc.array(
  fc.record({
    begun: fc.integer({ min: 0, max: 6 }),
    wanted: fc.integer({ min: 0, max: 6 }),
    seed: fc.nat(),
  }),
  { minLength: 1, maxLength: 8 },
);

test("every group is taken once, whole and oldest first; a step gets what it wants and what is due, and waits for no more", async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.integer({ min: 1, max: 3 }), async (plan, stepsMax) => {
      const inFlight = new GroupsInFlight();
      let open: Open[] = [];
      const begun: string[] = [];
      const taken: string[] = [];
      for (const [step, { begun: count, wanted, seed }] of plan.entries()) {
        for (let at = 0; at < count; at += 1) {
          const id = `${step}/${at}`;
          const { promise, resolve } = Promise.withResolvers<readonly Trajectory[]>();
          inFlight.begin(problem(id), step, promise);
          open.push({ id, step, complete: () => resolve(group(id)) });
          begun.push(id);
        }
        const dueBefore = step - stepsMax + 1;
        const state = { isOver: false };
        const here = inFlight.take(wanted, dueBefore).finally(() => (state.isOver = true));
        const completed: Open[] = [];
        await settle();
        while (!state.isOver && open.length > 0) {
          const next = open[(seed + completed.length * 7) % open.length] as Open;
          // Only while it waits for some: not enough yet, or one that is due.
          expect(completed.length < wanted || open.some((one) => one.step < dueBefore)).toBe(true);
          open = open.filter((one) => one !== next);
          completed.push(next);
          next.complete();
          await settle();
        }
        const ids = (await here).map(([one]) => one?.answer ?? "");
        expect(new Set(ids)).toEqual(new Set(completed.map(({ id }) => id)));
        expect(ids).toEqual(begun.filter((id) => ids.includes(id)));
        taken.push(...ids);
        expect(inFlight.problemIds).toEqual(begun.filter((id) => !taken.includes(id)));
      }
      expect(new Set(taken).size).toBe(taken.length);
      const left = inFlight.giveUp();
      for (const { complete } of open) complete();
      expect(await left).toBe(begun.length - taken.length);
      expect(inFlight.signal.aborted).toBe(true);
    }),
  );
});

test("a failure is thrown by whoever waits, and by nobody before", async () => {
  const inFlight = new GroupsInFlight();
  inFlight.begin(problem("a"), 1, Promise.resolve(group("a")));
  inFlight.begin(problem("b"), 1, Promise.reject(new Error("the engine is gone")));
  await settle();
  await expect(inFlight.take(2, 0)).rejects.toThrow("the engine is gone");
});
