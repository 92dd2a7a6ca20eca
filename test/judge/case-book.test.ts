import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type CaseVerdict, VERDICT_NAMES } from "../../src/contract/verdict.ts";
import { CaseBook } from "../../src/judge/case-book.ts";

const one = fc.record({
  verdict: fc.constantFrom(...VERDICT_NAMES, "accepted" as const, "accepted" as const),
  wall_ms: fc.integer({ min: 0, max: 100 }),
});
const cases = fc
  .array(one, { minLength: 1, maxLength: 12 })
  .map((list) =>
    list.map((fields, index): CaseVerdict => ({ index, outcome: "completed", detail: null, ...fields })),
  );
const totalWallMs = fc.option(fc.integer({ min: 0, max: 400 }));

/** All cases in some order of their ends, with or without the first failure ending it. */
function run(list: readonly CaseVerdict[], stopAtFirstFailure: boolean, limit: number | null): CaseBook {
  const book = new CaseBook({ total: list.length, stopAtFirstFailure, totalWallMs: limit });
  for (const item of list) if (item.index <= book.last) book.add(item);
  return book;
}

const shuffled = cases.chain((list) =>
  fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
);

test("with early stop the verdict is that of a full run, whichever case ends first", () => {
  fc.assert(
    fc.property(shuffled, totalWallMs, ([inOrder, order], limit) => {
      const full = run(inOrder, false, limit).summary();
      const early = run(order, true, limit).summary();
      expect(early.verdict).toBe(full.verdict);
      expect(early.by).toEqual(full.by);
    }),
  );
});

test("what is told of a run does not depend on the order in which cases end", () => {
  fc.assert(
    fc.property(shuffled, totalWallMs, fc.boolean(), ([inOrder, order], limit, stop) => {
      expect(run(order, stop, limit).cases()).toEqual(run(inOrder, stop, limit).cases());
    }),
  );
});

test("accepted are only programs of which every case is", () => {
  fc.assert(
    fc.property(cases, fc.integer({ min: 0, max: 11 }), (list, missing) => {
      const told = list.filter(({ index }) => index !== missing);
      const book = new CaseBook({ total: list.length, stopAtFirstFailure: false, totalWallMs: null });
      for (const item of told) book.add(item);
      const isAll = told.length === list.length && list.every(({ verdict }) => verdict === "accepted");
      expect(book.summary().verdict === "accepted").toBe(isAll);
    }),
  );
});

test("no case after the failure that ended it is told", () => {
  fc.assert(
    fc.property(shuffled, ([inOrder, order]) => {
      const book = run(order, true, null);
      const first = inOrder.findIndex(({ verdict }) => verdict !== "accepted" && verdict !== "excluded");
      expect(book.cases().map(({ index }) => index)).toEqual(
        inOrder.slice(0, first < 0 ? undefined : first + 1).map(({ index }) => index),
      );
    }),
  );
});

test("the case that goes beyond the time of all together is limit, a failure stays what it is", () => {
  const at = (index: number, verdict: CaseVerdict["verdict"]): CaseVerdict => ({
    index,
    verdict,
    outcome: "completed",
    detail: null,
    wall_ms: 10,
  });
  expect(run([at(0, "accepted"), at(1, "accepted")], true, 20).summary().verdict).toBe("accepted");
  expect(run([at(0, "accepted"), at(1, "accepted")], true, 19).summary()).toMatchObject({
    verdict: "limit",
    by: { index: 1 },
    passed: 1,
  });
  expect(run([at(0, "wrong_answer"), at(1, "accepted")], true, 5).summary().verdict).toBe("wrong_answer");
});
