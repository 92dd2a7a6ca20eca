/** Two texts, and two numbers: checks that need no sandbox. */
import type { ExactCheck, NumericCheck } from "../contract/verification.ts";
import type { VerdictName } from "../contract/verdict.ts";
import { isClose, readNumeric } from "./decimal.ts";

export interface Judged {
  readonly verdict: VerdictName;
  readonly detail: string | null;
}

export const ACCEPTED: Judged = { verdict: "accepted", detail: null };

export const wrong = (detail: string): Judged => ({ verdict: "wrong_answer", detail });

const WHITESPACE = /\s+/g;

function normalise(text: string, { trim = true, ignore_case = false, whitespace = "keep" }: Options): string {
  let normal = trim ? text.trim() : text;
  if (whitespace !== "keep") normal = normal.replace(WHITESPACE, whitespace === "collapse" ? " " : "");
  return ignore_case ? foldCase(normal) : normal;
}

type Options = Pick<ExactCheck, "trim" | "ignore_case" | "whitespace">;

/** Lower case of the upper case, so that letters with two lower cases are one. */
export const foldCase = (text: string): string => text.toUpperCase().toLowerCase();

export function judgeExact(check: ExactCheck): Judged {
  const answer = normalise(check.answer, check);
  const isExpected = [check.expected].flat().some((expected) => normalise(expected, check) === answer);
  return isExpected ? ACCEPTED : wrong("the answer is another text");
}

export function judgeNumeric(check: NumericCheck): Judged {
  const expected = readNumeric(check.expected);
  if (expected === null)
    return { verdict: "undecided", detail: "the expected answer is no number that can be read" };
  const answer = readNumeric(check.answer);
  if (answer === null) return wrong("the answer is no number that can be read");
  if (answer === "nan" && expected === "nan")
    return check.nan === "equal" ? ACCEPTED : wrong("NaN equals nothing unless `nan` is `equal`");
  return isClose(answer, expected, check) ? ACCEPTED : wrong("the answer is another number");
}
