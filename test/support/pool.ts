/** Seeing from outside whether a service's pool is whole, and what went wrong in it. */
import { isQuiet, readMetrics } from "../../scripts/soak/metrics.ts";

/** Longer than any start of containers on a busy machine takes. */
const WAIT_MS_MAX = 60_000;
const LOOK_MS = 50;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Resolves once the condition holds; rejects, saying what was waited for, when it does not for a long time. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + WAIT_MS_MAX;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await pause(LOOK_MS);
  }
}

/** Resolves once no call is in flight and every slot is idle. */
export const untilWhole = (url: string): Promise<void> => until("every slot is idle", () => isQuiet(url));

/** How many faults of that kind the service has counted. */
export async function faultsOf(url: string, kind: string): Promise<number> {
  return (await readMetrics(url)).value("rollcall_sandbox_faults_total", { kind });
}
