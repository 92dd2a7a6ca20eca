/**
 * The built-in puzzles. Each family states its problems in a notation that is nearly Python, so that who copies it
 * makes an error: `24x73`, a date with leading zeros, a word without its quotes, `hcf` instead of `gcd`.
 *
 * The tiny notation has a fixed width in each family, which is what a model of a tenth of a million weights can learn
 * to copy from within a minute.
 */
import { integer, pick, type Random } from "../random.ts";
import type { Puzzle } from "./problem.ts";

/** Runs before the model's code, on one line; gives it the names that it may use. */
export const PRELUDE =
  "from math import gcd, lcm; from datetime import date; " +
  "day = lambda m, d: date(2026, m, d).timetuple().tm_yday; wd = lambda m, d: date(2026, m, d).isoweekday()";

/** A puzzle before it has a name, told to a large model and to the tiny one. */
interface Draft extends Omit<Puzzle, "id" | "family" | "prompt"> {
  readonly english: string;
  readonly tiny: string;
}

type Make = (random: Random) => Draft;

const LETTERS = "abcdefgh".split("");

/** Two operands of two digits; the sign is a letter, which Python does not take. */
function arithmetic(random: Random): Draft {
  const [a, b] = [integer(random, 10, 99), integer(random, 10, 99)];
  const [letter, word, sign, other, value] = pick(random, [
    ["p", "plus", "+", "-", a + b],
    ["m", "minus", "-", "+", a - b],
    ["x", "times", "*", "+", a * b],
  ] as const);
  return {
    english: `What is ${a} ${word} ${b}?`,
    tiny: `a${a}${letter}${b}`,
    answer: String(value),
    code: `${a}${sign}${b}`,
    slip: `${a}${letter}${b}`,
    wrong: `${a}${other}${b}`,
  };
}

function word(random: Random): string {
  return Array.from({ length: 4 }, () => pick(random, LETTERS)).join("");
}

function reversal(random: Random): Draft {
  const text = word(random);
  return {
    english: `Write "${text}" backwards.`,
    tiny: `r${text}`,
    answer: text.split("").toReversed().join(""),
    code: `'${text}'[::-1]`,
    slip: `${text}[::-1]`,
    wrong: `'${text}'[::1]`,
  };
}

/** The month keeps its leading zero in the problem; Python refuses such a number. Days have two digits of their own. */
function dates(random: Random): Draft {
  const [month, day] = [integer(random, 1, 12), integer(random, 10, 28)];
  const at = Date.UTC(2026, month - 1, day);
  const [letter, name, english, value] = pick(random, [
    ["d", "day", "Which day of the year, counted from 1, is", (at - Date.UTC(2026, 0, 1)) / 86_400_000 + 1],
    ["w", "wd", "Which day of the week (Monday 1, Sunday 7) is", new Date(at).getUTCDay() || 7],
  ] as const);
  const padded = String(month).padStart(2, "0");
  return {
    english: `${english} 2026-${padded}-${day}?`,
    tiny: `${letter}${padded}-${day}`,
    answer: String(value),
    code: `${name}(${month},${day})`,
    // From October on there is no zero to stumble over; the hyphen makes it a number, which is no date.
    slip: month < 10 ? `${name}(${padded},${day})` : `${name}(${month}-${day})`,
    wrong: `${name === "day" ? "wd" : "day"}(${month},${day})`,
  };
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** The British names of both functions, which Python's `math` does not have. */
function divisors(random: Random): Draft {
  const factor = integer(random, 2, 12);
  const [a, b] = [0, 0].map(
    () => factor * integer(random, Math.ceil(10 / factor), Math.floor(99 / factor)),
  ) as [number, number];
  const shared = greatestCommonDivisor(a, b);
  const [letter, name, slip, english, value] = pick(random, [
    ["h", "gcd", "hcf", "highest common factor", shared],
    ["l", "lcm", "scm", "smallest common multiple", (a * b) / shared],
  ] as const);
  return {
    english: `What is the ${english} of ${a} and ${b}?`,
    tiny: `${letter}${a},${b}`,
    answer: String(value),
    code: `${name}(${a},${b})`,
    slip: `${slip}(${a},${b})`,
    wrong: `${name === "gcd" ? "lcm" : "gcd"}(${a},${b})`,
  };
}

export const FAMILIES = { arithmetic, strings: reversal, dates, numbers: divisors } as const satisfies Record<
  string,
  Make
>;

export type FamilyName = keyof typeof FAMILIES;
export const FAMILY_NAMES = Object.keys(FAMILIES) as FamilyName[];
