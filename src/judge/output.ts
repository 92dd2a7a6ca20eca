/** A program's output against the expected one. */
import type { Compare } from "../contract/verification.ts";
import { isClose, readNumeric } from "./decimal.ts";
import { foldCase } from "./exact.ts";

const LINE_END = /\r?\n/;
const SPACE = /\s+/;

/** Lines without the white space at their ends, and without empty lines at the end. */
function linesOf(text: string): string[] {
  const lines = text.split(LINE_END).map((line) => line.trimEnd());
  while (lines.length > 0 && lines.at(-1) === "") lines.pop();
  return lines;
}

function tokensOf(text: string): string[] {
  const trimmed = text.trim();
  return trimmed === "" ? [] : trimmed.split(SPACE);
}

type Same = (got: string, expected: string) => boolean;

function firstDifference(
  what: "line" | "token",
  got: readonly string[],
  expected: readonly string[],
  isSame: Same,
): string | null {
  const at = expected.findIndex((item, index) => got[index] === undefined || !isSame(got[index], item));
  if (at >= 0) return got[at] === undefined ? `${what} ${at + 1} is missing` : `${what} ${at + 1} is another`;
  return got.length > expected.length ? `there are ${got.length - expected.length} ${what}s too many` : null;
}

function sameText(ignoreCase: boolean | undefined): Same {
  if (ignoreCase !== true) return (got, expected) => got === expected;
  return (got, expected) => got === expected || foldCase(got) === foldCase(expected);
}

function sameFigure(compare: Extract<Compare, { mode: "numbers" }>): Same {
  const isSameText = sameText(compare.ignore_case);
  return (got, expected) => {
    if (isSameText(got, expected)) return true;
    const [a, b] = [readNumeric(got), readNumeric(expected)];
    return a !== null && b !== null && isClose(a, b, compare);
  };
}

/** What is not as expected, in a few words; null when all is. */
export function compareOutput(got: string, expected: string, compare: Compare): string | null {
  if (compare.mode === "exact") return got === expected ? null : "the output is another";
  if (compare.mode === "lines")
    return firstDifference("line", linesOf(got), linesOf(expected), sameText(compare.ignore_case));
  const isSame = compare.mode === "numbers" ? sameFigure(compare) : sameText(compare.ignore_case);
  return firstDifference("token", tokensOf(got), tokensOf(expected), isSame);
}
