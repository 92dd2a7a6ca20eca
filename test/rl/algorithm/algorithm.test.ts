import { assert, array, boolean, constantFrom, integer, property, record } from "fast-check";
import { describe, expect, test } from "vitest";
import {
  groupAdvantages,
  imitationData,
  policyData,
  type Written,
} from "../../../src/rl/algorithm/advantages.ts";
import { averageAtK, passAtK } from "../../../src/rl/algorithm/pass-at-k.ts";
import {
  errorPenalty,
  formatPenalty,
  penaltyOf,
  wordPenalty,
  type Scored,
} from "../../../src/rl/algorithm/penalty.ts";
import {
  correctShare,
  drawByWeight,
  resampleOnCorrect,
  type ResampleOptions,
} from "../../../src/rl/algorithm/resample.ts";
import { selectRollouts } from "../../../src/rl/algorithm/select.ts";
import { randomOf } from "../../../src/rl/random.ts";

function scored(reward: number, fields: Partial<Scored> = {}): Scored {
  return { reward, toolCalls: 1, toolErrors: 0, answers: 1, turns: 2, responses: ["1"], ...fields };
}
const clean = scored(1);
const half = scored(1, { toolCalls: 2, toolErrors: 1 });
const wrong = scored(0);
const PAPER: ResampleOptions = { keep: 4, variant: "paper", countErrorsBy: "outcome", penaltyFloor: 0 };
const RELEASED: ResampleOptions = { ...PAPER, variant: "released" };

describe("penalties", () => {
  test.each([
    [{ toolCalls: 0, toolErrors: 0 }, 0.5],
    [{ toolCalls: 3, toolErrors: 0 }, 0],
    [{ toolCalls: 4, toolErrors: 1 }, 0.25],
    [{ toolCalls: 2, toolErrors: 2 }, 1],
  ])("of tool errors %o: %d", (fields, expected) => {
    expect(errorPenalty(scored(1, fields))).toBe(expected);
  });

  test.each([
    [{ answers: 0, turns: 3 }, 1],
    [{ answers: 1, turns: 3 }, 0],
    [{ answers: 2, turns: 4 }, 0.25],
    [{ answers: 9, turns: 2 }, 1],
  ])("of the form %o: %d", (fields, expected) => {
    expect(formatPenalty(scored(1, fields))).toBe(expected);
  });

  test("by words a printed 'error' counts and a timeout does not, by outcomes the other way round", () => {
    const printed = scored(1, { responses: ["max error: 0.0"] });
    const timeout = scored(1, { toolErrors: 1, responses: ["Suicide from timeout."] });
    expect([wordPenalty(printed), wordPenalty(timeout)]).toEqual([1, 0]);
    expect([penaltyOf(printed), penaltyOf(timeout)]).toEqual([0, 1]);
    expect(penaltyOf(printed, "word")).toBe(1);
    expect(wordPenalty(scored(1, { responses: [] }))).toBe(0.5);
  });
});

describe("Resample on Correct", () => {
  test.each([
    // correct, incorrect, keep -> correct kept
    [16, 16, 16, 8],
    [4, 28, 16, 2],
    [5, 27, 16, 3],
    [27, 5, 16, 13],
    [1, 31, 16, 1],
    [31, 1, 16, 15],
    [3, 2, 4, 2],
  ])("of %d right and %d wrong, %d kept: %d right ones", (correct, incorrect, keep, expected) => {
    expect(correctShare(correct, incorrect, keep)).toBe(expected);
  });

  test("draws without replacement by weight, the infinite first", () => {
    const at = (...values: number[]) => {
      const queue = [...values];
      return () => queue.shift() ?? 0;
    };
    // 1, 2, 1 of 4: 0.5 falls into the second; then 1, 1 of 2: 0.9 into the last.
    expect(drawByWeight([1, 2, 1], 2, at(0.5, 0.9))).toEqual([1, 2]);
    expect(drawByWeight([4, Infinity, 4, Infinity], 3, at(0.6, 0, 0.4))).toEqual([3, 1, 0]);
    expect(drawByWeight([1, 1], 5, at(0, 0))).toEqual([0, 1]);
  });

  test("with floor 0 the clean ones stay before any other", () => {
    const group = [half, clean, half, clean, wrong, wrong, wrong, wrong];
    for (let seed = 0; seed < 20; seed += 1) {
      const kept = resampleOnCorrect(group, PAPER, randomOf(seed));
      expect(kept.filter((place) => place < 4)).toEqual([1, 3]);
      expect(kept).toHaveLength(4);
    }
  });

  test("with a floor a clean one is drawn as often as the weights say", () => {
    // Weights 1/0.25 = 4 and 1/0.5 = 2: the clean one is kept in two of three draws of one.
    const group = [clean, half, wrong, wrong];
    const options = { ...PAPER, keep: 2, penaltyFloor: 0.25 };
    const draws = 3000;
    let cleanKept = 0;
    for (let seed = 0; seed < draws; seed += 1)
      if (resampleOnCorrect(group, options, randomOf("floor", seed)).includes(0)) cleanKept += 1;
    expect(cleanKept / draws).toBeCloseTo(2 / 3, 1);
  });

  test("as released: sorted by penalty, the first wrong ones, at least two of each", () => {
    const dirty = scored(1, { toolCalls: 1, toolErrors: 1 });
    expect(
      resampleOnCorrect([dirty, wrong, half, clean, wrong, wrong, half, wrong], RELEASED, randomOf(1)),
    ).toEqual([1, 2, 3, 4]);
    expect(resampleOnCorrect([wrong, clean, ...Array(8).fill(half)], RELEASED, randomOf(1))).toEqual([
      0, 1, 2, 3,
    ]);
    expect(resampleOnCorrect([wrong, wrong, wrong, ...Array(17).fill(clean)], RELEASED, randomOf(1))).toEqual(
      [0, 1, 3, 4],
    );
  });

  test("any group: as many as asked, none twice, both sides there when both were", () => {
    const one = record({
      reward: constantFrom(0, 1),
      toolCalls: integer({ min: 1, max: 4 }),
      toolErrors: integer({ min: 0, max: 1 }),
      answers: integer({ min: 0, max: 3 }),
    });
    assert(
      property(
        array(one, { minLength: 1, maxLength: 32 }),
        integer({ min: 4, max: 16 }),
        boolean(),
        (all, keep, isPaper) => {
          const group = all.map((fields) => scored(fields.reward, fields));
          const options = { ...(isPaper ? PAPER : RELEASED), keep };
          const kept = resampleOnCorrect(group, options, randomOf(keep));
          expect(kept).toHaveLength(Math.min(keep, group.length));
          expect(new Set(kept).size).toBe(kept.length);
          const rewards = new Set(group.map(({ reward }) => reward));
          expect(new Set(kept.map((place) => group[place]?.reward)).size).toBe(rewards.size);
        },
      ),
    );
  });
});

describe("advantages", () => {
  test.each([
    [
      [1, 0],
      [Math.SQRT1_2, -Math.SQRT1_2],
    ],
    [
      [1, 1, 0, 0],
      [0.8660254, 0.8660254, -0.8660254, -0.8660254],
    ],
    [
      [1, 0, 0, 0],
      [1.5, -0.5, -0.5, -0.5],
    ],
    [
      [1, 1],
      [0, 0],
    ],
  ])("of %o", (rewards, expected) => {
    for (const [at, value] of groupAdvantages(rewards).entries())
      expect(value).toBeCloseTo(expected[at] ?? 9, 4);
  });

  test("are shared by all tokens that the model wrote, over all of the step's, and 0 for a tool's", () => {
    const long: Written = {
      tokens: [5, 6, 7, 8, 9],
      mask: [0, 1, 0, 1, 1],
      logprobs: [0, -1, 0, -2, -3],
    };
    const short: Written = { tokens: [5, 6], mask: [0, 1], logprobs: [0, -4] };
    expect(policyData([long, short], [2, -1])).toEqual([
      {
        tokens: long.tokens,
        weights: [1, 0, 1, 1],
        logprobs: [-1, 0, -2, -3],
        advantages: [0.5, 0, 0.5, 0.5],
      },
      { tokens: [5, 6], weights: [1], logprobs: [-4], advantages: [-0.25] },
    ]);
    expect(imitationData([long, short]).map(({ weights }) => weights)).toEqual([
      [0.25, 0, 0.25, 0.25],
      [0.25],
    ]);
  });
});

describe("a step's selection", () => {
  const open = (one: Scored) => ({ ...one, isExcluded: false });
  const gone = { ...clean, isExcluded: true };
  const groups = [
    [open(clean), open(wrong), gone, open(wrong)],
    [open(clean), open(clean)],
    [open(wrong), gone],
    [gone, gone],
    [open(wrong), open(clean), open(half), open(wrong), open(half), open(wrong)],
  ];

  test("leaves out what the service failed, drops equal groups, and keeps the others whole under grpo", () => {
    const selection = selectRollouts(groups, { ...PAPER, kind: "grpo" }, [1]);
    expect(selection).toMatchObject({
      excluded: 4,
      scored: 12,
      groupsMixed: 2,
      groupsAllGood: 1,
      groupsAllBad: 1,
    });
    expect(selection.kept.map(({ group, index }) => [group, index])).toEqual([
      [0, 0],
      [0, 1],
      [0, 3],
      [4, 0],
      [4, 1],
      [4, 2],
      [4, 3],
      [4, 4],
      [4, 5],
    ]);
    expect(selection.kept[0]?.advantage).toBeCloseTo(1.1547, 3);
  });

  test("resamples under grpo-roc, and normalises over what was kept", () => {
    const { kept } = selectRollouts(groups, { ...PAPER, kind: "grpo-roc" }, ["seed", 1]);
    const last = kept.filter(({ group }) => group === 4);
    expect(last).toHaveLength(4);
    expect(last.some(({ index }) => index === 1)).toBe(true);
    expect(last.reduce((sum, { advantage }) => sum + advantage, 0)).toBeCloseTo(0, 6);
    expect(selectRollouts(groups, { ...PAPER, kind: "grpo-roc" }, ["seed", 1]).kept).toEqual(kept);
  });
});

describe("attempts", () => {
  test.each([
    // attempts, right, k -> pass@k
    [4, 2, 1, 0.5],
    [4, 2, 2, 5 / 6],
    [16, 0, 8, 0],
    [16, 1, 16, 1],
    [10, 3, 5, 1 - 21 / 252],
  ])("%d attempts, %d right: pass@%d", (attempts, correct, k, expected) => {
    expect(passAtK(attempts, correct, k)).toBeCloseTo(expected, 12);
  });

  test("avg@k is the mean over problems; what cannot be estimated is refused", () => {
    expect(averageAtK([4, 0, 2], 4)).toBe(0.5);
    expect(() => passAtK(4, 2, 5)).toThrow(RangeError);
  });
});
