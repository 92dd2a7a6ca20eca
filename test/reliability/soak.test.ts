/** The soak, short: the same service, load and samples as `npm run soak`, and what its judgement must see. */
import { expect, it } from "vitest";
import { complaints, soak } from "../../scripts/soak/soak.ts";
import { judgeTrend } from "../../scripts/soak/trend.ts";
import { createRandom } from "../../workload/mix.ts";

const CALLS = 500;

it(
  `${CALLS} calls, hostile ones among them, are all answered rightly and leave nothing`,
  { timeout: 240_000 },
  async () => {
    const report = await soak({
      calls: CALLS,
      inFlight: 16,
      samples: 3,
      seed: 3,
      signal: new AbortController().signal,
    });
    expect(report.tally.findings).toEqual([]);
    expect(complaints(report)).toEqual([]);
    expect(report.tally.answered).toBe(report.tally.sent);
    expect(report.tally.hostile).toBeGreaterThan(CALLS / 50);
    expect(Object.values(report.tally.doors).every((calls) => calls > 0)).toBe(true);
    const [first, last] = [report.samples[0], report.samples.at(-1)].map((sample) => {
      if (sample === undefined) throw new Error("there is no sample");
      const { processes, descriptors, sandbox_descriptors, mounts, cgroups } = sample;
      return { processes, descriptors, sandbox_descriptors, mounts, cgroups };
    });
    expect(last).toEqual(first);
  },
);

const points = (value: (index: number, noise: number) => number) => {
  const random = createRandom(7);
  return Array.from({ length: 40 }, (_, index) => ({
    calls: index * 500,
    value: value(index, random() - 0.5),
  }));
};

it.for([
  ["a leak under noise", points((index, noise) => 100 + index + 4 * noise), true],
  ["one descriptor in a thousand calls", points((index) => 70 + Math.floor(index / 2)), true],
  ["noise", points((_, noise) => 100 + 20 * noise), false],
  ["a heap that fills up once", points((index, noise) => 100 + Math.min(index, 10) * 5 + 4 * noise), false],
  ["a heap that shrinks", points((index) => 200 - index), false],
  ["nothing at all", points(() => 0), false],
] as const)("of %s the judgement is right", ([, series, grows]) => {
  expect(judgeTrend(series, 0.5).grows).toBe(grows);
});
