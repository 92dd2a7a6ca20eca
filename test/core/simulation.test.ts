import { expect, test } from "vitest";
import { Simulation } from "./simulation.ts";

const SCHEDULES = Number(process.env["SCHEDULES"] ?? 5000);
const FIRST = Number(process.env["SEED"] ?? 1);

test(`${SCHEDULES} schedules with faults: every call gets its one Result and every slot comes back`, async () => {
  const outcomes = new Map<string, number>();
  for (let seed = FIRST; seed < FIRST + SCHEDULES; seed++) {
    const simulation = new Simulation(seed);
    const problems = await simulation.run();
    expect(problems, `SEED=${seed} SCHEDULES=1 repeats this schedule`).toEqual([]);
    for (const [outcome, count] of simulation.counts.concluded) {
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + count);
    }
  }
  if (process.env["SCHEDULES"] !== undefined) return;
  for (const outcome of ["completed", "wall_limit", "cancelled", "sandbox_failed"]) {
    expect(outcomes.get(outcome), outcome).toBeGreaterThan(SCHEDULES / 100);
  }
}, 120_000);
