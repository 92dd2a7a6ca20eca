/** Whether a version lies in a range as npm's semver writes ranges: `*`, `3`, `3.11.x`, `^3.10`, `~3.11`, `>=3.9 <4`, `a || b`. */

type Version = readonly [number, number, number];

/** The numbers that are given; a missing one, `x` or `*` ends them. */
function numbersOf(text: string): number[] {
  const numbers: number[] = [];
  for (const part of text.replace(/^v/, "").split(/[-+]/, 1)[0]?.split(".") ?? []) {
    if (!/^\d+$/.test(part)) break;
    numbers.push(Number(part));
  }
  return numbers.slice(0, 3);
}

const filled = ([major = 0, minor = 0, patch = 0]: readonly number[]): Version => [major, minor, patch];

function compare(a: Version, b: Version): number {
  const place = a.findIndex((number, index) => number !== b[index]);
  return place < 0 ? 0 : (a[place] as number) - (b[place] as number);
}

/** The first version that no longer has the first `kept` numbers. */
function after(numbers: readonly number[], kept: number): Version {
  const next = numbers.slice(0, kept);
  next[kept - 1] = (next[kept - 1] as number) + 1;
  return filled(next);
}

/** How many numbers `^` and `~` keep. */
function keptBy(operator: string, numbers: readonly number[]): number {
  if (operator === "~") return Math.min(2, numbers.length);
  if (operator === "^") {
    const significant = numbers.findIndex((number) => number !== 0);
    return significant < 0 ? numbers.length : significant + 1;
  }
  return numbers.length;
}

function meets(version: Version, comparator: string): boolean {
  const [, operator = "", text = ""] = /^(>=|<=|>|<|=|\^|~)?\s*(.*)$/.exec(comparator) ?? [];
  const numbers = numbersOf(text);
  if (numbers.length === 0) return /^[x*]?$/i.test(text);
  const low = filled(numbers);
  switch (operator) {
    case ">=":
      return compare(version, low) >= 0;
    case "<":
      return compare(version, low) < 0;
    case ">":
      return compare(version, after(numbers, numbers.length)) >= 0;
    case "<=":
      return compare(version, after(numbers, numbers.length)) < 0;
    default:
      return compare(version, low) >= 0 && compare(version, after(numbers, keptBy(operator, numbers))) < 0;
  }
}

export function satisfies(version: string, range: string): boolean {
  const exact = filled(numbersOf(version));
  return range.split("||").some((part) =>
    part
      .trim()
      .replaceAll(/(>=|<=|>|<|=|\^|~)\s+/g, "$1")
      .split(/\s+/)
      .every((comparator) => meets(exact, comparator)),
  );
}
