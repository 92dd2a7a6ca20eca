/**
 * Runs a plan. Where the first failure ends it, one case goes first and the others together after it: most wrong
 * programs are told by one case, and a right one waits for no more than that.
 *
 * Invariant: a case is given up only when it can no longer matter, or when its caller gives all up.
 */
import type { Call } from "../contract/call.ts";
import type { Usage } from "../contract/limits.ts";
import type { Outcome } from "../contract/outcome.ts";
import type { Result } from "../contract/result.ts";
import { CaseBook } from "./case-book.ts";
import { caseVerdict, type Plan, resultLength } from "./plan.ts";

/** Carries a call out as soon as there is a place for it; null when it was given up before that. */
export type RunCall = (
  call: () => Call,
  pointerOf: (pointer: string) => string,
  signal: AbortSignal,
) => Promise<Result | null>;

export interface Ran {
  readonly book: CaseBook;
  /** Of every run that there was, those that decided nothing included: times and processes together, memory of the greatest. */
  readonly usage: Usage;
  /** Of the run that ended last; null when there was none. */
  readonly outcome: Outcome | null;
}

export const NO_USAGE: Usage = { wall_ms: 0, cpu_ms: 0, memory_peak_bytes: 0, processes: 0 };

const microseconds = (ms: number): number => Math.round(ms * 1000) / 1000;

function addUsage(one: Usage, other: Usage): Usage {
  return {
    wall_ms: microseconds(one.wall_ms + other.wall_ms),
    cpu_ms: microseconds(one.cpu_ms + other.cpu_ms),
    memory_peak_bytes: Math.max(one.memory_peak_bytes, other.memory_peak_bytes),
    processes: one.processes + other.processes,
  };
}

/** @throws what `run` throws, when all other runs were given up and have ended. */
export async function runCases(plan: Plan, run: RunCall, signal: AbortSignal | undefined): Promise<Ran> {
  const book = new CaseBook(plan);
  let usage = NO_USAGE;
  let outcome: Outcome | null = null;
  let kept = 0;
  const open = new Map<number, AbortController>();
  const giveUpAfter = (last: number): void => {
    for (const [index, controller] of open) if (index > last) controller.abort();
  };
  const giveAllUp = (): void => giveUpAfter(-1);
  signal?.addEventListener("abort", giveAllUp, { once: true });
  let failed = false;

  const runOne = async (index: number): Promise<void> => {
    if (index > book.last || failed || signal?.aborted === true) return;
    const controller = new AbortController();
    open.set(index, controller);
    try {
      const result = await run(
        () => plan.callOf(index),
        (pointer) => plan.pointerOf(index, pointer),
        controller.signal,
      );
      if (result === null) return;
      usage = addUsage(usage, result.usage);
      outcome = result.outcome;
      // One that was given up for a failure before it says nothing.
      if (index > book.last) return;
      const length = resultLength(result);
      const isKept = kept + length <= plan.resultsLengthMax && plan.resultsLengthMax > 0;
      if (isKept) kept += length;
      book.add(caseVerdict(index, result, plan, isKept));
      giveUpAfter(book.last);
    } catch (error) {
      failed = true;
      giveAllUp();
      throw error;
    } finally {
      open.delete(index);
    }
  };

  try {
    const first = plan.stopAtFirstFailure ? 1 : 0;
    if (first === 1) await runOne(0);
    const rest = Array.from({ length: plan.total - first }, (_, offset) => runOne(offset + first));
    const ends = await Promise.allSettled(rest);
    const broken = ends.find((end) => end.status === "rejected");
    if (broken !== undefined) throw broken.reason;
  } finally {
    signal?.removeEventListener("abort", giveAllUp);
  }
  return { book, usage, outcome };
}
