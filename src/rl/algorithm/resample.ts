/**
 * Resample on Correct: of a group of up to 2G rollouts G are kept, the cleanest of the right ones preferred, every
 * kind of failure among the wrong ones left in. Source: arXiv 2508.20722, section 3.3; the `released` variant follows
 * the published code (`down_sample/roc.py`).
 */
import type { Random } from "../random.ts";
import { penaltyOf, type CountErrorsBy, type Scored } from "./penalty.ts";

export interface ResampleOptions {
  /** Rollouts to keep, G. */
  readonly keep: number;
  /** `paper` draws by inverse penalty, `released` sorts and truncates. */
  readonly variant: "paper" | "released";
  readonly countErrorsBy: CountErrorsBy;
  /**
   * For `paper`: penalties below it count as it, so that a clean rollout's weight is finite. 0 is the limit: clean
   * ones are drawn first, uniformly, and the others only when no clean one is left.
   */
  readonly penaltyFloor: number;
}

/** Right answers are those with a positive reward, as in the released code. */
export function isCorrect({ reward }: { readonly reward: number }): boolean {
  return reward > 0;
}

/**
 * How many of the right ones are kept so that both sides shrink alike; a half goes to the smaller side, and a side
 * that is not empty keeps at least one.
 */
export function correctShare(correct: number, incorrect: number, keep: number): number {
  const exact = (correct * keep) / (correct + incorrect);
  const rounded = correct <= incorrect ? Math.floor(exact + 0.5) : Math.ceil(exact - 0.5);
  const least = Math.max(keep - incorrect, correct > 0 && keep > 1 ? 1 : 0);
  const most = Math.min(correct, incorrect > 0 ? keep - 1 : keep);
  return Math.max(least, Math.min(most, rounded));
}

/** Rounds a half to the even neighbour, as Python does. */
function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** At least this many of each side stay in the released code, when there are as many. */
const RELEASED_SIDE_MIN = 2;

function releasedShare(correct: number, incorrect: number, keep: number): number {
  const share = roundHalfEven((correct * keep) / (correct + incorrect));
  const correctMin = Math.min(RELEASED_SIDE_MIN, correct);
  const incorrectMin = Math.min(RELEASED_SIDE_MIN, incorrect);
  if (keep - share < incorrectMin) return keep - incorrectMin;
  return Math.max(share, correctMin);
}

/**
 * Draws `count` of the places without replacement, each time with probability proportional to the weight among those
 * left. Infinite weights go first, uniformly.
 */
export function drawByWeight(weights: readonly number[], count: number, random: Random): number[] {
  const left = weights.map((weight, place) => ({ weight, place }));
  const drawn: number[] = [];
  while (drawn.length < count && left.length > 0) {
    const isInfinite = left.some(({ weight }) => weight === Infinity);
    const sizes = left.map(({ weight }) => (isInfinite ? Number(weight === Infinity) : weight));
    let at = random() * sizes.reduce((sum, size) => sum + size, 0);
    let chosen = sizes.findLastIndex((size) => size > 0);
    for (const [index, size] of sizes.entries()) {
      if (at < size) {
        chosen = index;
        break;
      }
      at -= size;
    }
    drawn.push((left.splice(chosen, 1)[0] as { place: number }).place);
  }
  return drawn;
}

/**
 * Which rollouts of a group are kept.
 * @param group every rollout that may be scored, in batch order
 * @returns places in the group, ascending; all of them when there are no more than `keep`
 */
export function resampleOnCorrect(
  group: readonly Scored[],
  options: ResampleOptions,
  random: Random,
): number[] {
  const places = [...group.keys()];
  if (group.length <= options.keep) return places;
  const correct = places.filter((place) => isCorrect(group[place] as Scored));
  const incorrect = places.filter((place) => !isCorrect(group[place] as Scored));
  const penalties = correct.map((place) => penaltyOf(group[place] as Scored, options.countErrorsBy));
  if (options.variant === "released") {
    const share = releasedShare(correct.length, incorrect.length, options.keep);
    const cleanest = [...correct.keys()].sort((a, b) => (penalties[a] ?? 0) - (penalties[b] ?? 0));
    const kept = cleanest.slice(0, share).map((at) => correct[at] as number);
    return [...kept, ...incorrect.slice(0, options.keep - share)].sort((a, b) => a - b);
  }
  const share = correctShare(correct.length, incorrect.length, options.keep);
  const weights = penalties.map((penalty) => 1 / Math.max(penalty, options.penaltyFloor));
  const uniform = incorrect.map(() => 1);
  return [
    ...drawByWeight(weights, share, random).map((at) => correct[at] as number),
    ...drawByWeight(uniform, options.keep - share, random).map((at) => incorrect[at] as number),
  ].sort((a, b) => a - b);
}
