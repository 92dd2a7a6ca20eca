/** Times one small function: batches of calls of it, each long enough for the clock. */
import { median } from "../results/schema.ts";

export interface MicroBench {
  readonly id: string;
  readonly label: string;
  /** What the function does for each call, for the unit, e.g. "frame". */
  readonly per: string;
  /** Sets up and gives the function. */
  make(): () => unknown;
}

export interface MicroResult {
  /** Time of one call in each batch. Nanoseconds. */
  readonly batchesNs: readonly number[];
  readonly medianNs: number;
}

export interface MicroOptions {
  readonly batches: number;
  /** Shortest batch that counts. Milliseconds. */
  readonly batchMs: number;
}

/** Holds on to results, so that the compiler cannot leave the work out. */
let kept: unknown;

function timeBatch(run: () => unknown, calls: number): number {
  const startedAt = performance.now();
  for (let call = 0; call < calls; call += 1) kept = run();
  return performance.now() - startedAt;
}

/** Calls that take at least `batchMs`, found by doubling; the search is the warm-up. */
function findCalls(run: () => unknown, batchMs: number): number {
  for (let calls = 1; ; calls *= 2) if (timeBatch(run, calls) >= batchMs) return calls;
}

export function timeMicro(bench: MicroBench, { batches, batchMs }: MicroOptions): MicroResult {
  const run = bench.make();
  const calls = findCalls(run, batchMs);
  const batchesNs = Array.from({ length: batches }, () => (timeBatch(run, calls) * 1e6) / calls);
  return { batchesNs, medianNs: median(batchesNs) ?? 0 };
}

/** The last result of a timed function. */
export const lastResult = (): unknown => kept;
