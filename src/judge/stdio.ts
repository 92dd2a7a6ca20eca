/** A program run on the standard input of each case; its output is compared here, where it cannot reach. */
import type { Compare, StdioCheck } from "../contract/verification.ts";
import { ACCEPTED, wrong } from "./exact.ts";
import { compareOutput } from "./output.ts";
import { judgeCase, type Plan, resultsLengthMax } from "./plan.ts";
import { deadlineOf, withoutUndefined, type Deadline } from "./scheduling.ts";

const LINES: Compare = { mode: "lines" };

export function planStdio(check: StdioCheck, deadline: Deadline): Plan {
  const { program, cases, limits, priority } = check;
  return {
    total: cases.length,
    callOf: (index) =>
      withoutUndefined({
        ...program,
        stdin: cases[index]?.stdin,
        limits,
        priority,
        deadline_ms: deadlineOf(deadline),
      }),
    judge: (index, result) =>
      judgeCase(result, ({ stdout }) => {
        const one = cases[index] as StdioCheck["cases"][number];
        const difference = compareOutput(stdout, one.expected_stdout, one.compare ?? check.compare ?? LINES);
        return difference === null ? ACCEPTED : wrong(difference);
      }),
    pointerOf: (index, pointer) =>
      pointer.startsWith("/stdin")
        ? `/cases/${index}/stdin`
        : pointer.startsWith("/limits") || pointer.startsWith("/deadline")
          ? pointer
          : `/program${pointer}`,
    stopAtFirstFailure: check.stop_at_first_failure ?? true,
    totalWallMs: check.total_wall_ms ?? null,
    resultsLengthMax: resultsLengthMax(check.with_results),
  };
}
