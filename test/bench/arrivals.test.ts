import { assert, integer, property } from "fast-check";
import { describe, expect, test } from "vitest";
import { burstArrivals, constantArrivals, poissonArrivals } from "../../bench/load/arrivals.ts";
import { createMix } from "../../bench/load/mixes.ts";
import { planStep } from "../../bench/load/rollouts.ts";
import { createRandom } from "../../workload/mix.ts";

const isAscending = (values: readonly number[]) =>
  values.every((value, index) => index === 0 || value >= (values[index - 1] ?? 0));

describe("arrivals", () => {
  test("constant ones are even, and as many as rate times duration", () => {
    expect([...constantArrivals(4, 1000)]).toEqual([0, 250, 500, 750]);
    assert(
      property(integer({ min: 1, max: 5000 }), integer({ min: 1, max: 5 }), (rate, seconds) => {
        const times = [...constantArrivals(rate, seconds * 1000)];
        expect(Math.abs(times.length - rate * seconds)).toBeLessThanOrEqual(1);
        expect(isAscending(times)).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  test("Poisson ones have the rate on average, gaps of all sizes, and are the same for the same seed", () => {
    const times = [...poissonArrivals(200, 100_000, createRandom(1))];
    expect(times.length).toBeGreaterThan(20_000 * 0.97);
    expect(times.length).toBeLessThan(20_000 * 1.03);
    expect(isAscending(times)).toBe(true);
    const gaps = times.map((time, index) => time - (times[index - 1] ?? 0));
    // Of an exponential distribution a share of 1 - 1/e lies below its mean.
    const below = gaps.filter((gap) => gap < 5).length / gaps.length;
    expect(below).toBeCloseTo(1 - 1 / Math.E, 1);
    expect([...poissonArrivals(200, 100_000, createRandom(1))]).toEqual(times);
  });

  test("bursts are all at once", () => {
    expect([...burstArrivals(3, 500, 1000)]).toEqual([0, 0, 0, 500, 500, 500]);
  });

  test("a rate of nothing is refused", () => {
    expect(() => [...constantArrivals(0, 1000)]).toThrow(RangeError);
    expect(() => [...poissonArrivals(-1, 1000, Math.random)]).toThrow(RangeError);
    expect(() => [...burstArrivals(1, 0, 1000)]).toThrow(RangeError);
  });
});

describe("a step of rollouts", () => {
  test("has turns of a geometric distribution, cut at the most, and one verification for each rollout", () => {
    const random = createRandom(3);
    const draw = createMix("trivial", random);
    const shape = { rollouts: 4000, thinkMs: 1000, goOn: 0.5, turnsMax: 6 };
    const { rollouts, verifications } = planStep(shape, draw, createMix("reward", random), random);
    const turns = rollouts.map((one) => one.length);
    expect(verifications).toHaveLength(4000);
    expect(Math.min(...turns)).toBe(1);
    expect(Math.max(...turns)).toBe(6);
    expect(turns.filter((count) => count === 1).length / 4000).toBeCloseTo(0.5, 1);
    const thinks = rollouts.flat().map(({ thinkMs }) => thinkMs);
    expect(thinks.reduce((sum, ms) => sum + ms, 0) / thinks.length / 1000).toBeCloseTo(1, 1);
  });
});
