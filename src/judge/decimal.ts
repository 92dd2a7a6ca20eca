/**
 * Decimal numbers read from text and compared exactly, as fractions of a power of ten: 0.1 + 0.2 is within 0 of 0.3
 * here, and no digit of a long integer is lost.
 */

/** Digits of one number, and the size of its exponent: what bounds the cost of a comparison. */
const DIGITS_MAX = 5000;
const EXPONENT_MAX = 5000;

/** `digits * 10 ** exponent`. */
interface Power {
  readonly digits: bigint;
  readonly exponent: number;
}

export interface Decimal extends Power {
  /** The nearest double; infinite or 0 beyond those. */
  readonly near: number;
}

export type Numeric = Decimal | "inf" | "-inf" | "nan";

const NUMBER = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,9}))?$/;
const INFINITY = /^([+-]?)inf(?:inity)?$/i;
const NAN = /^[+-]?nan$/i;

const ZERO: Decimal = { digits: 0n, exponent: 0, near: 0 };

/** The number that a text is, white space around it apart; null when it is none that is read here. */
export function readNumeric(given: string | number): Numeric | null {
  const text = typeof given === "number" ? String(given) : given.trim();
  const infinity = INFINITY.exec(text);
  if (infinity !== null) return infinity[1] === "-" ? "-inf" : "inf";
  if (NAN.test(text)) return "nan";
  if (text.length > DIGITS_MAX) return null;
  const match = NUMBER.exec(text);
  if (match === null) return null;
  const [, sign, whole = "", fraction = "", power = "0"] = match;
  if (whole === "" && fraction === "") return null;
  const exponent = Number(power) - fraction.length;
  const digits = BigInt(whole + fraction);
  if (digits === 0n) return ZERO;
  if (Math.abs(exponent) > EXPONENT_MAX) return null;
  return { digits: sign === "-" ? -digits : digits, exponent, near: Number(text) };
}

const magnitude = (value: bigint): bigint => (value < 0n ? -value : value);

/** The numbers as integers over one power of ten. */
function aligned(values: readonly Power[]): bigint[] {
  const exponent = Math.min(...values.map((value) => value.exponent));
  return values.map((value) => value.digits * 10n ** BigInt(value.exponent - exponent));
}

function product(one: Power, other: Power): Power {
  return { digits: one.digits * other.digits, exponent: one.exponent + other.exponent };
}

export interface Tolerance {
  /** Greatest difference. Default: 0. */
  readonly absolute?: number;
  /** Greatest difference as a part of the greater magnitude of the two. Default: 0. */
  readonly relative?: number;
}

function toleranceOf(given: number | undefined): Decimal | "inf" {
  const read = readNumeric(given ?? 0);
  // A tolerance below what is read here is none.
  if (read === null || read === "nan" || read === "-inf") return ZERO;
  return read;
}

/** More than doubles and the few operations on them below are off, as a part and at the least. */
const DOUBLE_ERROR = 1e-14;
const DOUBLE_ERROR_MIN = 1e-300;

/** What doubles can tell with certainty: most of what programs print, at a hundredth of the cost. */
function isCloseByDoubles(
  one: Decimal,
  other: Decimal,
  absolute: Decimal,
  relative: Decimal,
): boolean | null {
  const size = Math.abs(one.near) + Math.abs(other.near);
  const difference = Math.abs(one.near - other.near);
  const allowed = Math.max(absolute.near, relative.near * Math.max(Math.abs(one.near), Math.abs(other.near)));
  if (!Number.isFinite(size) || !Number.isFinite(allowed)) return null;
  const error = (size + allowed) * DOUBLE_ERROR + DOUBLE_ERROR_MIN;
  if (difference + error < allowed) return true;
  return difference - error > allowed ? false : null;
}

/**
 * Whether two numbers are the same within a tolerance; symmetric. An infinity is only itself, and NaN is nothing.
 */
export function isClose(one: Numeric, other: Numeric, tolerance: Tolerance = {}): boolean {
  if (one === "nan" || other === "nan") return false;
  if (typeof one === "string" || typeof other === "string") return one === other;
  const absolute = toleranceOf(tolerance.absolute);
  const relative = toleranceOf(tolerance.relative);
  if (absolute === "inf" || relative === "inf") return true;
  const certain = isCloseByDoubles(one, other, absolute, relative);
  if (certain !== null) return certain;
  const [a = 0n, b = 0n] = aligned([one, other]);
  const greater = magnitude(a) > magnitude(b) ? one : other;
  const share = product({ digits: magnitude(greater.digits), exponent: greater.exponent }, relative);
  const exact = aligned([one, other, absolute, share]) as [bigint, bigint, bigint, bigint];
  const difference = magnitude(exact[0] - exact[1]);
  return difference <= exact[2] || difference <= exact[3];
}
