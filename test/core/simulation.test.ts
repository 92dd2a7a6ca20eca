import { expect, test } from "vitest";
import { SessionSimulation } from "./session-simulation.ts";
import { REPEATED_ENDS, Simulation } from "./simulation.ts";

const SCHEDULES = Number(process.env["SCHEDULES"] ?? 5000);
const SESSION_SCHEDULES = Number(process.env["SCHEDULES"] ?? 2000);
const FIRST = Number(process.env["SEED"] ?? 1);

test(`${SCHEDULES} schedules with faults: every call gets its one Result and every slot comes back`, async () => {
  const outcomes = new Map<string, number>();
  const ends = new Map<string, number>();
  for (let seed = FIRST; seed < FIRST + SCHEDULES; seed++) {
    const simulation = new Simulation(seed);
    const problems = await simulation.run();
    expect(problems, `SEED=${seed} SCHEDULES=1 repeats this schedule`).toEqual([]);
    for (const [outcome, count] of simulation.counts.concluded) {
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + count);
    }
    for (const [end, count] of simulation.ends) ends.set(end, (ends.get(end) ?? 0) + count);
  }
  if (process.env["SCHEDULES"] !== undefined) return;
  for (const outcome of ["completed", "wall_limit", "cancelled", "sandbox_failed"]) {
    expect(outcomes.get(outcome), outcome).toBeGreaterThan(SCHEDULES / 100);
  }
  for (const end of REPEATED_ENDS) expect(ends.get(end), end).toBeGreaterThan(SCHEDULES / 100);
}, 120_000);

test(`${SESSION_SCHEDULES} schedules of sessions: every call has one answer, from its own state, and no sandbox is left`, async () => {
  const outcomes = new Map<string, number>();
  for (let seed = FIRST; seed < FIRST + SESSION_SCHEDULES; seed++) {
    const simulation = new SessionSimulation(seed);
    expect(await simulation.run(), `SEED=${seed} SCHEDULES=1 repeats this schedule`).toEqual([]);
    for (const [outcome, count] of simulation.outcomes)
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + count);
  }
  if (process.env["SCHEDULES"] !== undefined) return;
  for (const outcome of ["completed", "wall_limit", "cancelled", "sandbox_failed", "failed"])
    expect(outcomes.get(outcome), outcome).toBeGreaterThan(SESSION_SCHEDULES / 100);
}, 120_000);
