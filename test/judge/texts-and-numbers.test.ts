import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ExactCheck, NumericCheck } from "../../src/contract/verification.ts";
import { isClose, readNumeric } from "../../src/judge/decimal.ts";
import { judgeExact, judgeNumeric } from "../../src/judge/exact.ts";

const exact = (answer: string, expected: string | string[], more: Partial<ExactCheck> = {}) =>
  judgeExact({ kind: "exact", answer, expected, ...more }).verdict;
const numeric = (answer: string | number, expected: string | number, more: Partial<NumericCheck> = {}) =>
  judgeNumeric({ kind: "numeric", answer, expected, ...more }).verdict;

describe("exact", () => {
  test.each([
    ["a", "a", {}, "accepted"],
    [" a\n", "a", {}, "accepted"],
    [" a", "a", { trim: false }, "wrong_answer"],
    ["A", "a", {}, "wrong_answer"],
    ["ÄSSΣ", "äßς", { ignore_case: true }, "accepted"],
    ["a  b", "a b", {}, "wrong_answer"],
    ["a \t b", "a b", { whitespace: "collapse" }, "accepted"],
    ["ab", "a b", { whitespace: "collapse" }, "wrong_answer"],
    ["ab", "a b", { whitespace: "remove" }, "accepted"],
    ["b", ["a", "b"], {}, "accepted"],
    ["", "", {}, "accepted"],
  ] as const)("%j against %j with %j is %s", (answer, expected, more, verdict) => {
    expect(exact(answer, expected as string | string[], more)).toBe(verdict);
  });

  const options = fc.record(
    {
      trim: fc.boolean(),
      ignore_case: fc.boolean(),
      whitespace: fc.constantFrom("keep", "collapse", "remove"),
    },
    { requiredKeys: [] },
  ) as fc.Arbitrary<Partial<ExactCheck>>;

  test("every text is itself, and who is first does not matter", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "A", " ", "\t", "ß", "ı", "İ", "é") });
    fc.assert(
      fc.property(text, text, options, (one, other, more) => {
        expect(exact(one, one, more)).toBe("accepted");
        expect(exact(one, other, more)).toBe(exact(other, one, more));
      }),
    );
  });
});

describe("numeric", () => {
  test.each([
    ["1", 1, {}, "accepted"],
    [" 1.50 ", "1.5", {}, "accepted"],
    ["1e3", "1000", {}, "accepted"],
    [".5", "0.5", {}, "accepted"],
    ["9007199254740993", "9007199254740992", {}, "wrong_answer"],
    ["1.0000000000000000000000000001", "1", {}, "wrong_answer"],
    ["0.3", "0.1", { absolute: 0.2 }, "accepted"],
    ["0.30000000000000000001", "0.1", { absolute: 0.2 }, "wrong_answer"],
    ["101", "100", { relative: 0.01 }, "accepted"],
    ["102", "100", { relative: 0.01 }, "wrong_answer"],
    ["1e-400", "0", {}, "wrong_answer"],
    ["1e-400", "0", { absolute: 1e-9 }, "accepted"],
    ["inf", "Infinity", {}, "accepted"],
    ["-inf", "inf", { relative: 1 }, "wrong_answer"],
    ["nan", "nan", {}, "wrong_answer"],
    ["nan", "nan", { nan: "equal" }, "accepted"],
    ["nan", "1", { nan: "equal" }, "wrong_answer"],
    ["1", "nan", { nan: "equal", absolute: 9 }, "wrong_answer"],
    ["one", "1", {}, "wrong_answer"],
    ["", "0", {}, "wrong_answer"],
    ["1,000", "1000", {}, "wrong_answer"],
    ["1", "one", {}, "undecided"],
    [`1e${"9".repeat(8)}`, "1", {}, "wrong_answer"],
    ["9".repeat(9000), "1", {}, "wrong_answer"],
  ] as const)("%j against %j with %j is %s", (answer, expected, more, verdict) => {
    expect(numeric(answer, expected, more)).toBe(verdict);
  });

  const number = fc.oneof(
    fc.double({ noNaN: true }).map(String),
    fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }).map(String),
    fc
      .tuple(fc.integer(), fc.integer({ min: -400, max: 400 }))
      .map(([digits, power]) => `${digits}e${power}`),
  );
  const tolerance = fc.record({
    absolute: fc.double({ min: 0, max: 1e6, noNaN: true }),
    relative: fc.double({ min: 0, max: 2, noNaN: true }),
  });

  test("every number is itself, and who is first does not matter", () => {
    fc.assert(
      fc.property(number, number, tolerance, (one, other, more) => {
        expect(numeric(one, one, more)).toBe("accepted");
        expect(numeric(one, other, more)).toBe(numeric(other, one, more));
      }),
    );
  });

  test("a greater tolerance takes no number away", () => {
    fc.assert(
      fc.property(number, number, tolerance, (one, other, more) => {
        if (numeric(one, other, more) !== "accepted") return;
        expect(numeric(one, other, { ...more, absolute: more.absolute * 2 })).toBe("accepted");
      }),
    );
  });

  test("integers within a tolerance are those that whole numbers say, however close to its edge", () => {
    const big = fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n });
    fc.assert(
      fc.property(
        big,
        fc.bigInt({ min: -5n, max: 5n }),
        fc.integer({ min: 0, max: 5 }),
        (one, step, absolute) => {
          const near = readNumeric(String(one));
          const far = readNumeric(String(one + step));
          const isWithin = (step < 0n ? -step : step) <= BigInt(absolute);
          expect(near !== null && far !== null && isClose(near, far, { absolute })).toBe(isWithin);
        },
      ),
    );
  });
});
