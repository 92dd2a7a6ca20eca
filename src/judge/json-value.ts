/**
 * JSON values that lose nothing: an integer of more digits than a double holds stays the text that it was. Read from
 * what a program wrote, so nothing about the text is taken for granted.
 */
import { isClose, readNumeric, type Tolerance } from "./decimal.ts";

/** A number of which a double would lose digits. */
class LongNumber {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export type JsonValue = unknown;

const INTEGER = /^-?\d+$/;

/** @throws SyntaxError for what is no JSON, RangeError for what is nested too deeply. */
export function readJson(text: string): JsonValue {
  // The type of the third argument, which holds the text of a number, is not in TypeScript's library yet.
  const reviver = (_key: string, value: unknown, context?: { readonly source?: string }): unknown => {
    if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
    const { source = "" } = context ?? {};
    return INTEGER.test(source) || !Number.isFinite(value) ? new LongNumber(source) : value;
  };
  return JSON.parse(text, reviver) as JsonValue;
}

type Figure = number | LongNumber;

const isFigure = (value: unknown): value is Figure =>
  typeof value === "number" || value instanceof LongNumber;
const digitsOf = (value: Figure): string | number => (value instanceof LongNumber ? value.text : value);

function sameNumber(one: Figure, other: Figure, tolerance: Tolerance): boolean {
  if (digitsOf(one) === digitsOf(other)) return true;
  const [a, b] = [readNumeric(digitsOf(one)), readNumeric(digitsOf(other))];
  return a !== null && b !== null && isClose(a, b, tolerance);
}

/** Levels of lists and objects that are compared. */
const DEPTH_MAX = 500;

/** Whether two values are the same: lists in their order, objects whatever the order of their names. */
export function sameJson(one: JsonValue, other: JsonValue, tolerance: Tolerance, depth = 0): boolean {
  if (isFigure(one) && isFigure(other)) return sameNumber(one, other, tolerance);
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null)
    return one === other;
  if (isFigure(one) || isFigure(other) || depth >= DEPTH_MAX || Array.isArray(one) !== Array.isArray(other))
    return false;
  const names = Object.keys(one);
  if (names.length !== Object.keys(other).length) return false;
  return names.every(
    (name) =>
      Object.hasOwn(other, name) &&
      sameJson(
        (one as Record<string, unknown>)[name],
        (other as Record<string, unknown>)[name],
        tolerance,
        depth + 1,
      ),
  );
}
