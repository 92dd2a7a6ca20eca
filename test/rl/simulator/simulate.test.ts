/** The claims about the scheduler, on fewer rollouts than `rollcall simulate` has. */
import { describe, expect, test } from "vitest";
import { POLICIES, type PolicyName } from "../../../src/rl/simulator/policies.ts";
import { simulationPage, simulationTable, type Cell } from "../../../src/rl/simulator/report.ts";
import { SETTINGS, simulate, type Setting } from "../../../src/rl/simulator/simulate.ts";
import { drawStep, WORKLOAD } from "../../../src/rl/simulator/workload.ts";

const OTHERS = [
  "static split, barrier at each turn",
  "static split, asynchronous tools",
  "K = KV / Lmax",
] as const;
const SHAPE = { ...WORKLOAD, groups: 16, groupSize: 32, responseMax: 4096, responseMedian: 950 };
const OPTIONS = { engines: 2, steps: 3, shape: SHAPE };
/** With half the lengths, half the cache is as tight. */
const settings: Setting[] = SETTINGS.map((setting) => ({ ...setting, kvTokens: setting.kvTokens / 2 }));

async function secondsOf(policy: PolicyName, setting: Setting): Promise<number> {
  const steps = await simulate(policy, setting, 1, OPTIONS);
  return steps.reduce((sum, { seconds }) => sum + seconds, 0);
}

describe("over all settings the scheduler is faster than", () => {
  test("each other way, and in no setting slower than any of them", async () => {
    const table: Record<string, number[]> = {
      scheduler: [],
      ...Object.fromEntries(OTHERS.map((name) => [name, []])),
    };
    for (const setting of settings)
      for (const policy of ["scheduler", ...OTHERS] as const)
        table[policy]?.push(await secondsOf(policy, setting));
    const total = (policy: string): number =>
      (table[policy] ?? []).reduce((sum, value) => sum + Math.log(value), 0);
    for (const other of OTHERS)
      expect([other, total("scheduler")]).toSatisfy(() => total("scheduler") < total(other));
    const ratios = settings.map((_, at) => {
      const best = Math.min(...OTHERS.map((other) => table[other]?.[at] ?? Infinity));
      return (table["scheduler"]?.[at] ?? Infinity) / best;
    });
    expect(Math.max(...ratios), JSON.stringify(table)).toBeLessThanOrEqual(1);
  });
});

test("the same seed gives the same times, another one others", async () => {
  const small = { engines: 2, steps: 1, shape: { ...SHAPE, groups: 2, groupSize: 8 } };
  const once = await simulate("scheduler", SETTINGS[0] as Setting, 5, small);
  expect(await simulate("scheduler", SETTINGS[0] as Setting, 5, small)).toEqual(once);
  expect(await simulate("scheduler", SETTINGS[0] as Setting, 6, small)).not.toEqual(once);
  expect(drawStep(1, 2, SHAPE)).toEqual(drawStep(1, 2, SHAPE));
});

test("every policy computes every token of every rollout", async () => {
  const small = { engines: 2, steps: 2, shape: { ...SHAPE, groups: 2, groupSize: 8 } };
  const setting = SETTINGS[0] as Setting;
  const cells: Cell[] = [];
  for (const policy of Object.keys(POLICIES) as PolicyName[]) {
    const runs = [await simulate(policy, setting, 1, small)];
    cells.push({ setting, policy, runs });
    expect(runs[0]?.every(({ seconds, kvUse }) => seconds > 0 && kvUse > 0 && kvUse <= 1)).toBe(true);
  }
  expect(simulationTable(cells)).toContain("| scheduler");
  const page = simulationPage(cells, "a <test>");
  expect(page).toContain("a &#60;test&#62;");
  expect(page).not.toMatch(/(src|href)=/);
});
