/** Calls by the doors that judge: verifications, and code-judge's batches as rStar2's client sends them. */
import { mixedChecks } from "../../bench/load/verifications.ts";
import type { Verdict } from "../../src/contract/verdict.ts";
import type { Verification } from "../../src/contract/verification.ts";
import type { Verifier } from "../../src/contract/verifier.ts";
import { askOnce, type Tally } from "./tally.ts";

const CHECKS = mixedChecks(64);
/** On a machine however busy. */
const WALL_MS = 60_000;

function patient(verification: Verification): Verification {
  const { kind } = verification;
  return kind === "exact" || kind === "numeric"
    ? verification
    : { ...verification, limits: { wall_ms: WALL_MS } };
}

/** @param n which of the checks */
export async function verifyOne(verifier: Verifier, tally: Tally, n: number): Promise<void> {
  const { verification, verdict: wanted } = CHECKS[n % CHECKS.length] as (typeof CHECKS)[number];
  await askOnce(tally, {
    name: `verification ${verification.kind}`,
    door: "verify",
    ask: () => verifier.verify(patient(verification)),
    outcomeOf: ({ verdict }: Verdict) => verdict,
    check: ({ verdict, detail }) => (verdict === wanted ? null : `${verdict}, not ${wanted}: ${detail}`),
  });
}

interface SubmissionResult {
  readonly run_success: boolean;
  readonly success: boolean;
  readonly stdout: string | null;
  readonly reason: string;
}

/** Adds two numbers; in C++ and, right and wrong, in Python. */
function submissions(
  n: number,
): { readonly submission: object; readonly success: boolean; readonly run: boolean }[] {
  const input = `${n} ${n + 1}\n`;
  const expected_output = `${2 * n + 1}\n`;
  const python = (solution: string) => ({ type: "python", solution, input, expected_output });
  const cpp =
    "#include <iostream>\nint main() { long a, b; std::cin >> a >> b; std::cout << a + b << std::endl; }";
  return [
    { submission: python("print(sum(map(int, input().split())))"), success: true, run: true },
    { submission: python("print(0 - 1)"), success: false, run: true },
    { submission: python("raise ValueError('no')"), success: false, run: false },
    { submission: { type: "cpp", solution: cpp, input, expected_output }, success: true, run: true },
  ];
}

/** Sends a body to a path of the service and reads the answer. */
export type Post = (path: string, body: unknown) => Promise<unknown>;

export async function judgeBatch(post: Post, tally: Tally, n: number): Promise<void> {
  const planned = submissions(n);
  await askOnce(tally, {
    name: "code-judge batch",
    door: "code-judge",
    calls: planned.length,
    async ask() {
      const body = { type: "batch", submissions: planned.map(({ submission }) => submission) };
      return ((await post("/run/long-batch", body)) as { results: SubmissionResult[] }).results;
    },
    outcomeOf: () => "judged",
    check(results) {
      const wrong = planned.findIndex(
        ({ success, run }, index) =>
          results[index]?.success !== success || results[index]?.run_success !== run,
      );
      return wrong < 0 && results.length === planned.length
        ? null
        : `submission ${wrong} of ${results.length}: ${JSON.stringify(results[wrong])}`;
    },
  });
}
