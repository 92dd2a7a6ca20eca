/** A plan by itself, for those who judge by rules of their own. */
import type { ExecuteOptions, Executor } from "../contract/executor.ts";
import { CallLane } from "./call-lane.ts";
import type { Plan } from "./plan.ts";
import { type Ran, runCases, type RunCall } from "./run-cases.ts";

const CALLS_MAX = 256;

/** The way of one verification's calls: refused as a whole until the first of them has its Result. */
export function runOfOne(executor: Executor, { tenant }: ExecuteOptions, places: number): RunCall {
  let hasBegun = false;
  const lane = new CallLane(executor, { places, tenant, hasBegun: () => hasBegun });
  return async (...args) => {
    const result = await lane.run(...args);
    hasBegun = true;
    return result;
  };
}

/** @throws SandboxError when a call was not accepted; then none of the others goes on. */
export function runPlan(executor: Executor, plan: Plan, options: ExecuteOptions): Promise<Ran> {
  return runCases(plan, runOfOne(executor, options, CALLS_MAX), options.signal);
}
