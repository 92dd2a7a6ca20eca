import { array, assert, double, property } from "fast-check";
import { describe, expect, test } from "vitest";
import { Histogram } from "../../bench/load/histogram.ts";

const SHARES = [0, 0.1, 0.5, 0.9, 0.99, 0.999, 1];
const RELATIVE_ERROR = 1 / 128;
/** Half of the smallest difference that is told apart. */
const ROUNDING_MS = 0.0005;

function exact(ascending: readonly number[], share: number): number {
  return ascending[Math.max(0, Math.ceil(share * ascending.length) - 1)] ?? 0;
}

function fill(values: readonly number[]): Histogram {
  const histogram = new Histogram();
  for (const value of values) histogram.record(value);
  return histogram;
}

const latencies = array(double({ min: 0, max: 1e7, noNaN: true }), { minLength: 1, maxLength: 300 });

describe("histogram", () => {
  test("tells any quantile at most its error above the exact one, and never below", () => {
    assert(
      property(latencies, (values) => {
        const histogram = fill(values);
        const ascending = values.toSorted((a, b) => a - b);
        for (const share of SHARES) {
          const wanted = exact(ascending, share);
          expect(histogram.quantile(share)).toBeGreaterThanOrEqual(wanted - ROUNDING_MS * 1.01);
          expect(histogram.quantile(share)).toBeLessThanOrEqual(
            wanted * (1 + RELATIVE_ERROR) + 2 * ROUNDING_MS,
          );
        }
      }),
    );
  });

  test("counts, ends and mean are exact", () => {
    const histogram = fill([3, 1, 2.5]);
    expect(histogram.count).toBe(3);
    expect(histogram.minMs).toBe(1);
    expect(histogram.maxMs).toBe(3);
    expect(histogram.meanMs).toBeCloseTo(6.5 / 3);
  });

  test("merged it is that of all values", () => {
    assert(
      property(latencies, latencies, (some, others) => {
        const merged = fill(some);
        merged.merge(fill(others));
        const whole = fill([...some, ...others]);
        expect(merged.toJSON().buckets).toEqual(whole.toJSON().buckets);
        expect(merged.maxMs).toBe(whole.maxMs);
        expect(merged.minMs).toBe(whole.minMs);
      }),
    );
  });

  test("survives JSON", () => {
    assert(
      property(latencies, (values) => {
        const histogram = fill(values);
        const copy = Histogram.from(JSON.parse(JSON.stringify(histogram)) as ReturnType<Histogram["toJSON"]>);
        for (const share of SHARES) expect(copy.quantile(share)).toBe(histogram.quantile(share));
        expect(copy.count).toBe(histogram.count);
      }),
    );
  });

  test("without a value all is 0", () => {
    const histogram = Histogram.from(new Histogram().toJSON());
    expect([
      histogram.count,
      histogram.quantile(0.5),
      histogram.minMs,
      histogram.maxMs,
      histogram.meanMs,
    ]).toEqual([0, 0, 0, 0, 0]);
  });

  test("a negative latency counts as 0", () => {
    expect(fill([-1]).quantile(1)).toBe(0);
  });
});
