/**
 * What a verification asks to be run, and how each Result is judged. Every kind that needs a sandbox is such a plan;
 * what runs it does not know the kind.
 */
import type { Call } from "../contract/call.ts";
import { mayBecomeReward, OUTCOMES } from "../contract/outcome.ts";
import type { Result } from "../contract/result.ts";
import type { CaseVerdict } from "../contract/verdict.ts";
import type { Judged } from "./exact.ts";

export interface Plan {
  /** Runs that there are. */
  readonly total: number;
  /** The call of one run; made when its turn has come. */
  callOf(index: number): Call;
  /** What a Result of the program's own doing is worth; limits and faults are decided before. */
  judge(index: number, result: Result): Judged;
  /** What the field at fault in a call is called in the verification. */
  pointerOf(index: number, pointer: string): string;
  readonly stopAtFirstFailure: boolean;
  /** Wall time of all runs together; null for no bound. Milliseconds. */
  readonly totalWallMs: number | null;
  /** Characters of the Results that are kept with their cases; those beyond it are left out. */
  readonly resultsLengthMax: number;
}

/** What `with_results` keeps at most of one verification. Characters. */
const RESULTS_LENGTH_MAX = 32 << 20;

export const resultsLengthMax = (isAsked: boolean | undefined): number =>
  isAsked === true ? RESULTS_LENGTH_MAX : 0;

/** Characters that a Result takes, near enough. */
export function resultLength({ stdout, stderr, files }: Result): number {
  const contents = Object.values(files).map(({ content = "" }) => content.length);
  return contents.reduce((sum, length) => sum + length, stdout.length + stderr.length);
}

/** How a program's end counts when it did not end well. */
function judgeEnd({ outcome, exit_code, signal, detail }: Result): Judged | null {
  if (outcome === "completed") return null;
  if (!mayBecomeReward(outcome)) return { verdict: "excluded", detail: detail ?? `the run is ${outcome}` };
  if (OUTCOMES[outcome] === "limit") return { verdict: "limit", detail: `the program met its ${outcome}` };
  const end =
    signal === null ? `the program ended with exit code ${exit_code}` : `${signal} ended the program`;
  return {
    verdict: "program_failed",
    detail: outcome === "compile_failed" ? "the program does not compile" : end,
  };
}

/** A test case: what a program that ended well gave is judged by `judge`. */
export function judgeCase(result: Result, judge: (result: Result) => Judged): Judged {
  return judgeEnd(result) ?? judge(result);
}

export function caseVerdict(index: number, result: Result, plan: Plan, isKept: boolean): CaseVerdict {
  const { verdict, detail } = plan.judge(index, result);
  return {
    index,
    verdict,
    outcome: result.outcome,
    detail,
    wall_ms: result.usage.wall_ms,
    ...(isKept ? { result } : {}),
  };
}
