/** A program's output against the expected one. */
import type { Compare } from "../contract/verification.ts";
import { isClose, readNumeric } from "./decimal.ts";
import { foldCase } from "./exact.ts";

/** Lines without the white space at their ends, and without empty lines at the end. One at a time: a text may have millions. */
function* linesOf(text: string): Generator<string> {
  const body = text.trimEnd();
  let start = 0;
  for (let end = body.indexOf("\n"); end >= 0; end = body.indexOf("\n", start)) {
    yield body.slice(start, end).trimEnd();
    start = end + 1;
  }
  if (start < body.length) yield body.slice(start);
}

function* tokensOf(text: string): Generator<string> {
  for (const [token] of text.matchAll(/\S+/g)) yield token;
}

type Same = (got: string, expected: string) => boolean;

function firstDifference(
  what: "line" | "token",
  got: Iterator<string>,
  expected: Iterable<string>,
  isSame: Same,
): string | null {
  let place = 0;
  for (const item of expected) {
    place += 1;
    const next = got.next();
    if (next.done === true) return `${what} ${place} is missing`;
    if (!isSame(next.value, item)) return `${what} ${place} is another`;
  }
  return got.next().done === true ? null : `there are ${what}s after the last one expected`;
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
