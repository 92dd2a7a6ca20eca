import { describe, expect, test } from "vitest";
import { compareResults, noiseOf } from "../../bench/results/compare.ts";
import { measured, median, notGiven, parseResults, stateOf } from "../../bench/results/schema.ts";
import { comparisonTable, countStates, suiteTable, summary } from "../../bench/results/table.ts";
import { slopeOf } from "../../bench/suites/burst.ts";
import { cost, ratio, resultFile } from "./results.ts";

describe("measures", () => {
  test("are met, missed, told or not given", () => {
    const shape = { id: "a", label: "a", unit: "x" };
    expect(stateOf(measured({ ...shape, better: "higher", target: 2 }, 2))).toBe("met");
    expect(stateOf(measured({ ...shape, better: "higher", target: 2 }, 1.9))).toBe("missed");
    expect(stateOf(measured({ ...shape, better: "lower", target: 2 }, 2))).toBe("met");
    expect(stateOf(measured({ ...shape, better: "lower", target: 2 }, 2.1))).toBe("missed");
    expect(stateOf(measured({ ...shape, better: "lower" }, 2.1))).toBe("told");
    expect(stateOf(measured({ ...shape, better: "lower", target: 2 }, Number.NaN))).toBe("missed");
    expect(stateOf(notGiven({ ...shape, better: "lower", target: 2 }, "no peer"))).toBe("not given");
  });

  test("take the median of their rounds", () => {
    expect(median([])).toBeNull();
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
  });

  test("the slope is the rate at the end against that at the start", () => {
    const even = Array.from({ length: 40 }, (_, index) => (index + 1) * 100);
    expect(slopeOf(even)).toBeCloseTo(1);
    expect(slopeOf([100, 200, 300, 500])).toBeCloseTo(0.5);
    expect(slopeOf([100])).toBeNaN();
  });
});

describe("comparison", () => {
  test("a band is as wide as the rounds scatter, and never narrower than its floor", () => {
    expect(noiseOf(cost("a", 10, 10, 10))).toBe(0.05);
    expect(noiseOf(cost("a", 8, 10, 12))).toBeGreaterThan(0.3);
    expect(noiseOf(cost("a", 10))).toBe(0.15);
  });

  test("what lies in the band is the same; beyond it the direction of the measure decides", () => {
    const before = resultFile([cost("steady", 10, 10, 10), cost("slower", 10, 10, 10), ratio("up", 2, 2, 2)]);
    const after = resultFile([
      cost("steady", 10.4, 10.4, 10.4),
      cost("slower", 12, 12, 12),
      ratio("up", 3, 3, 3),
    ]);
    const change = Object.fromEntries(compareResults(before, after).map((row) => [row.id, row.change]));
    expect(change).toEqual({ steady: "same", slower: "worse", up: "better" });
  });

  test("what must always be, or never, has no noise", () => {
    const exact = (...rounds: number[]) => ({ ...cost("refused", ...rounds), isExact: true });
    const [row] = compareResults(resultFile([exact(1000)]), resultFile([exact(1001)]));
    expect(row).toMatchObject({ band: 0, change: "worse" });
  });

  test("measures of one file only are told as such", () => {
    const rows = compareResults(resultFile([cost("old", 1)]), resultFile([cost("new", 1)]));
    expect(rows.map(({ id, change }) => [id, change])).toEqual([
      ["old", "only before"],
      ["new", "only after"],
    ]);
    expect(comparisonTable(rows)).toContain("cost new");
  });
});

describe("result files", () => {
  test("are read back as they were written", () => {
    const file = resultFile([ratio("a", 2)]);
    expect(parseResults(JSON.stringify(file), "a file")).toEqual(file);
  });

  test("of another schema are refused by name", () => {
    expect(() => parseResults('{"schema":99,"suites":[]}', "old.json")).toThrow(/old\.json/);
  });

  test("have a table that shows target, value, state and every flaw", () => {
    const file = resultFile([ratio("a", 1), ratio("b", 3)]);
    const text = file.suites.map(suiteTable).join("\n");
    expect(text).toMatch(/ratio a.*≥ 2\.00x.*1\.00x.*missed/);
    expect(text).toMatch(/ratio b.*3\.00x.*met/);
    expect(text).toMatch(/absent.*not given.*--piston URL/);
    expect(text).toContain("1 wrong, e.g. trivial_python: a <wrong> answer");
    expect(countStates(file)).toEqual({ met: 1, missed: 1, told: 0, "not given": 1 });
    expect(summary(file)).toContain("1 met, 1 missed, 1 not given");
  });
});
