/**
 * How long rollouts become, from those that have ended and those that have not. Ended ones alone are the short ones at
 * first, and a mean over them would admit too much; so the share that reaches a length is estimated as Kaplan and Meier
 * do, where a rollout in flight counts as one that reaches at least what it has. Where nothing is known, each grows to
 * its bound, which makes the number that fits an engine its KV cache divided by the longest length.
 */

/** Response lengths are told apart in this many classes, and looked ahead in this many strides. */
const CLASSES = 64;
export const STRIDES = 16;

/** With fewer rollouts than this a distribution is hearsay. */
const OBSERVED_MIN = 16;
/** With fewer rollouts that long an end says nothing about the share that ends there. */
const AT_RISK_MIN = 4;

export interface LengthModel {
  /** Longest response, in tokens. */
  readonly responseMax: number;
  /** Mean response in tokens, by classes; `responseMax` where nothing is known. */
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

interface Survival {
  /** Lengths at which rollouts ended, ascending, and the share that went beyond each. */
  readonly lengths: readonly number[];
  readonly beyond: readonly number[];
}

function estimateSurvival(ended: readonly number[], inFlight: readonly number[]): Survival {
  const all = [
    ...ended.map((length) => ({ length, isEnd: true })),
    ...inFlight.map((length) => ({ length, isEnd: false })),
  ].sort((left, right) => left.length - right.length);
  const lengths: number[] = [];
  const beyond: number[] = [];
  let share = 1;
  for (const [at, { length, isEnd }] of all.entries()) {
    const atRisk = all.length - at;
    if (!isEnd || atRisk < AT_RISK_MIN) continue;
    share *= 1 - 1 / atRisk;
    lengths.push(length);
    beyond.push(share);
  }
  return { lengths, beyond };
}

/** Share of rollouts that are at least `length` long. */
function shareReaching({ lengths, beyond }: Survival, length: number): number {
  let low = 0;
  let high = lengths.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((lengths[middle] ?? 0) < length) low = middle + 1;
    else high = middle;
  }
  return beyond[low - 1] ?? 1;
}

/**
 * @param ended response lengths of rollouts that have ended, in any order
 * @param inFlight response lengths so far of those that have not
 */
export function createLengthModel(
  ended: readonly number[],
  inFlight: readonly number[],
  responseMax: number,
): LengthModel {
  const isObserved = ended.length >= OBSERVED_MIN;
  const survival = isObserved ? estimateSurvival(ended, inFlight) : { lengths: [], beyond: [] };
  const stride = responseMax / STRIDES;
  const table = new Float64Array((CLASSES + 1) * (STRIDES + 1));
  let mean = 0;
  for (let bin = 0; bin <= CLASSES; bin += 1) {
    const response = (bin / CLASSES) * responseMax;
    const here = shareReaching(survival, response);
    if (bin < CLASSES) mean += (here * responseMax) / CLASSES;
    for (let ahead = 0; ahead <= STRIDES; ahead += 1) {
      table[bin * (STRIDES + 1) + ahead] = shareReaching(survival, response + ahead * stride) / here;
    }
  }
  return {
    responseMax,
    mean,
    isObserved,
    stride,
    alive(response, strides) {
      const bin = Math.min(CLASSES, Math.max(0, Math.floor((response / responseMax) * CLASSES)));
      return table[bin * (STRIDES + 1) + strides] ?? 0;
    },
  };
}
