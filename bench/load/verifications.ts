/** Verifications of a step, each with the verdict that it must have. Data; nothing here sends. */
import type { VerdictName } from "../../src/contract/verdict.ts";
import type { Verification } from "../../src/contract/verification.ts";

export interface PlannedVerification {
  readonly verification: Verification;
  readonly verdict: VerdictName;
}

const ANSWERS: readonly ((n: number) => { readonly answer: string; readonly expected: string })[] = [
  (n) => ({ answer: `so we get \\boxed{\\frac{${n}}{4}}`, expected: `${n / 4}` }),
  (n) => ({ answer: `The answer is $x^2 + ${2 * n}x + ${n * n}$.`, expected: `(x+${n})^2` }),
  (n) => ({ answer: `\\boxed{\\{${n + 2}, ${n}, ${n + 1}\\}}`, expected: `\\{${n}, ${n + 1}, ${n + 2}\\}` }),
  (n) => ({ answer: `\\boxed{[${n}, \\infty)}`, expected: `[${n}, \\infty)` }),
  (n) => ({ answer: `\\boxed{${n}\\sqrt{12}}`, expected: `${2 * n}\\sqrt{3}` }),
  (n) => ({ answer: `The final answer is ${n}.`, expected: `${n}` }),
];

/** Every fourth is wrong. */
const isWrong = (n: number): boolean => n % 4 === 3;

/** A check whose answer no other `n` has: nothing of a batch is made once for several. */
export function mathCheck(n: number): PlannedVerification {
  const make = ANSWERS[n % ANSWERS.length] as (typeof ANSWERS)[number];
  const { answer, expected } = make(n + 1);
  const other = isWrong(n) ? make(n + 2).expected : expected;
  return {
    verification: { kind: "math", answer, expected: other },
    verdict: isWrong(n) ? "wrong_answer" : "accepted",
  };
}

function programCheck(n: number): PlannedVerification {
  const verdict = isWrong(n >> 1) ? "wrong_answer" : "accepted";
  const off = verdict === "accepted" ? 0 : 1;
  if (n % 2 === 0) {
    const cases = [1, 2].map((k) => ({ stdin: `${k}\n`, expected_stdout: `${k * n + off}\n` }));
    const program = { runtime: "python" as const, source: `print(int(input()) * ${n})` };
    return { verification: { kind: "stdio", program, cases }, verdict };
  }
  const program = { runtime: "python" as const, source: `def f(k):\n    return k * ${n}` };
  const cases = [1, 2].map((k) => ({ args: [k], expected: k * n + off }));
  return { verification: { kind: "function", program, function: "f", cases }, verdict };
}

function plainCheck(n: number): PlannedVerification {
  const verdict = isWrong(n >> 1) ? "wrong_answer" : "accepted";
  const expected = `${verdict === "accepted" ? n : n + 1}`;
  const kind = n % 2 === 0 ? "exact" : "numeric";
  return { verification: { kind, answer: `${n}`, expected }, verdict };
}

/** Of sixteen, twelve are mathematical equality, two programs with two cases, two texts or numbers. */
export function mixedChecks(count: number): PlannedVerification[] {
  return Array.from({ length: count }, (_, n) => {
    const place = n % 16;
    if (place === 5 || place === 11) return programCheck((n >> 4) * 2 + (place === 5 ? 0 : 1));
    if (place === 2 || place === 9) return plainCheck((n >> 4) * 2 + (place === 2 ? 0 : 1));
    return mathCheck(n);
  });
}
