/**
 * How long rollouts become. Known from the previous step's rollouts, all of them: those that have ended in this step
 * are the short ones, and a mean over them would admit too much. Where nothing is known, each grows to its bound,
 * which makes the number that fits an engine its KV cache divided by the longest length.
 */

/** Response lengths are told apart in this many classes, and looked ahead in this many strides. */
const CLASSES = 64;
export const STRIDES = 16;

/** With fewer rollouts than this a distribution is hearsay. */
const OBSERVED_MIN = 16;

export interface LengthModel {
  /** Longest response, in tokens. */
  readonly responseMax: number;
  /** Mean response in tokens, or `responseMax` where nothing is known. */
  readonly mean: number;
  readonly isObserved: boolean;
  /** Tokens of one stride ahead. */
  readonly stride: number;
  /**
   * Share of the rollouts with `response` tokens now that will still be there `strides` strides later, 0 to 1;
   * `strides` is 0 to {@link STRIDES}.
   */
  alive(response: number, strides: number): number;
}

/** Share of `sorted` that is at least `length`. */
function shareReaching(sorted: readonly number[], length: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? 0) < length) low = middle + 1;
    else high = middle;
  }
  return (sorted.length - low) / sorted.length;
}

/** @param observed response lengths of a whole step, in any order; empty for none */
export function createLengthModel(observed: readonly number[], responseMax: number): LengthModel {
  const isObserved = observed.length >= OBSERVED_MIN;
  const sorted = isObserved ? observed.toSorted((left, right) => left - right) : [Infinity];
  const stride = responseMax / STRIDES;
  const table = new Float64Array((CLASSES + 1) * (STRIDES + 1));
  for (let bin = 0; bin <= CLASSES; bin += 1) {
    const response = (bin / CLASSES) * responseMax;
    const here = shareReaching(sorted, response);
    for (let ahead = 0; ahead <= STRIDES; ahead += 1) {
      const then = response + ahead * stride;
      // Longer than any seen: taken to go on to its bound.
      const alive = here === 0 ? 1 : shareReaching(sorted, then) / here;
      table[bin * (STRIDES + 1) + ahead] = alive;
    }
  }
  return {
    responseMax,
    mean: isObserved ? sorted.reduce((sum, length) => sum + length, 0) / sorted.length : responseMax,
    isObserved,
    stride,
    alive(response, strides) {
      const bin = Math.min(CLASSES, Math.max(0, Math.floor((response / responseMax) * CLASSES)));
      return table[bin * (STRIDES + 1) + strides] ?? 0;
    },
  };
}
