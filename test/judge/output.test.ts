import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Compare } from "../../src/contract/verification.ts";
import { readJson, sameJson } from "../../src/judge/json-value.ts";
import { compareOutput } from "../../src/judge/output.ts";

describe("a program's output", () => {
  test.each<[string, string, Compare, string | null]>([
    ["a\n", "a\n", { mode: "exact" }, null],
    ["a\n", "a", { mode: "exact" }, "the output is another"],
    ["a\n", "a", { mode: "lines" }, null],
    ["a  \r\nb\n\n\n", "a\nb", { mode: "lines" }, null],
    ["  a", "a", { mode: "lines" }, "line 1 is another"],
    ["a\nb", "a\nc", { mode: "lines" }, "line 2 is another"],
    ["a", "a\nb", { mode: "lines" }, "line 2 is missing"],
    ["a\nb\nc", "a", { mode: "lines" }, "there are lines after the last one expected"],
    ["", "", { mode: "lines" }, null],
    ["YES", "yes", { mode: "lines", ignore_case: true }, null],
    ["YES", "yes", { mode: "lines" }, "line 1 is another"],
    ["1  2\n3", "1 2 3\n", { mode: "tokens" }, null],
    ["1 2", "1 2 3", { mode: "tokens" }, "token 3 is missing"],
    ["1.0", "1", { mode: "tokens" }, "token 1 is another"],
    ["1.0 x", "1 x", { mode: "numbers" }, null],
    ["0.333333", "0.333334", { mode: "numbers", absolute: 1e-5 }, null],
    ["0.333333", "0.333334", { mode: "numbers" }, "token 1 is another"],
    ["nan", "nan", { mode: "numbers" }, null],
    ["nan", "1", { mode: "numbers", relative: 1 }, "token 1 is another"],
    ["x", "1", { mode: "numbers", absolute: 1e9 }, "token 1 is another"],
  ])("%j against %j by %j: %j", (got, expected, compare, difference) => {
    expect(compareOutput(got, expected, compare)).toBe(difference);
  });

  test("is the same by lines or by tokens when the lists of them are", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "b", " ", "\t", "\n", "\r\n") });
    const lines = (given: string) =>
      given
        .trimEnd()
        .split(/\r?\n/)
        .map((line) => line.trimEnd());
    const tokens = (given: string) => given.split(/\s+/).filter((token) => token !== "");
    const isSame = (one: readonly string[], other: readonly string[]) => one.join("\0") === other.join("\0");
    fc.assert(
      fc.property(text, text, (got, expected) => {
        expect(compareOutput(got, expected, { mode: "lines" }) === null).toBe(
          isSame(lines(got), lines(expected)),
        );
        expect(compareOutput(got, expected, { mode: "tokens" }) === null).toBe(
          isSame(tokens(got), tokens(expected)),
        );
        expect(compareOutput(got, got, { mode: "lines" })).toBeNull();
      }),
      { numRuns: 500 },
    );
  });

  test("that is made to be slow is compared as fast as any", () => {
    const blanks = " ".repeat(1 << 20);
    for (const mode of ["lines", "tokens", "numbers"] as const)
      expect(compareOutput(`${blanks}x${blanks}`, "y", { mode })).not.toBeNull();
    const zeros = Array.from({ length: 1 << 17 }, () => "0").join(" ");
    const tiny = Array.from({ length: 1 << 17 }, () => "1e-4999").join(" ");
    expect(compareOutput(tiny, zeros, { mode: "numbers", absolute: 1e-6 })).toBeNull();
  });
});

describe("a returned value", () => {
  test.each([
    ["1", "1", {}, true],
    ["1.0", "1", {}, true],
    ["true", "1", {}, false],
    ["null", "0", {}, false],
    ['"1"', "1", {}, false],
    ["[1,2]", "[1,2]", {}, true],
    ["[2,1]", "[1,2]", {}, false],
    ["[]", "{}", {}, false],
    ['{"a":1,"b":2}', '{"b":2,"a":1}', {}, true],
    ['{"a":1}', '{"a":1,"b":null}', {}, false],
    ['{"__proto__":1}', "{}", {}, false],
    ['{"__proto__":1}', '{"__proto__":1}', {}, true],
    ["9007199254740993", "9007199254740992", {}, false],
    ["9007199254740993", "9007199254740993", {}, true],
    ["[1.0001]", "[1]", { absolute: 0.001 }, true],
    ["[1.0001]", "[1]", {}, false],
    ["1e999", "1e999", {}, true],
    ["1e999", "1e998", {}, false],
  ])("%s against %s within %j: %s", (got, expected, tolerance, same) => {
    expect(sameJson(readJson(got), readJson(expected), tolerance)).toBe(same);
  });

  test("every JSON value is itself, and who is first does not matter", () => {
    fc.assert(
      fc.property(fc.json(), fc.json(), (one, other) => {
        expect(sameJson(readJson(one), readJson(one), {})).toBe(true);
        expect(sameJson(readJson(one), readJson(other), {})).toBe(
          sameJson(readJson(other), readJson(one), {}),
        );
      }),
    );
  });

  test("nested beyond what is compared is no match and no crash", () => {
    const deep = (levels: number) => "[".repeat(levels) + "]".repeat(levels);
    expect(sameJson(readJson(deep(400)), readJson(deep(400)), {})).toBe(true);
    expect(sameJson(readJson(deep(1000)), readJson(deep(1000)), {})).toBe(false);
    expect(() => readJson(deep(1_000_000))).toThrow(RangeError);
  });
});
