/** From the groups of a step to what is trained on: exclusion, equal groups dropped, resampling, advantages. */
import { randomOf } from "../random.ts";
import { groupAdvantages, isEqual } from "./advantages.ts";
import { isCorrect, resampleOnCorrect, type ResampleOptions } from "./resample.ts";
import type { Scored } from "./penalty.ts";

export interface SelectOptions extends ResampleOptions {
  /** `grpo` keeps a group as it is. */
  readonly kind: "grpo" | "grpo-roc";
}

export interface Candidate extends Scored {
  /** The service failed one of its calls: it is never scored. */
  readonly isExcluded: boolean;
}

export interface Kept {
  readonly group: number;
  /** Place in its group. */
  readonly index: number;
  readonly advantage: number;
}

export interface Selection {
  readonly kept: readonly Kept[];
  /** Rollouts that the service failed. */
  readonly excluded: number;
  /** Scored rollouts before and after groups were dropped and resampled. */
  readonly scored: number;
  readonly groupsMixed: number;
  readonly groupsAllGood: number;
  readonly groupsAllBad: number;
}

/**
 * @param groups rollouts of each prompt, in batch order
 * @param seed of the draw; the same groups and seed keep the same rollouts
 */
export function selectRollouts(
  groups: readonly (readonly Candidate[])[],
  options: SelectOptions,
  seed: readonly (string | number)[],
): Selection {
  const kept: Kept[] = [];
  const counts = { excluded: 0, scored: 0, groupsMixed: 0, groupsAllGood: 0, groupsAllBad: 0 };
  for (const [group, candidates] of groups.entries()) {
    const places = [...candidates.keys()].filter((place) => !candidates[place]?.isExcluded);
    const scored = places.map((place) => candidates[place] as Candidate);
    counts.excluded += candidates.length - scored.length;
    counts.scored += scored.length;
    const [first] = scored;
    if (first === undefined) continue;
    if (isEqual(scored.map(({ reward }) => reward))) {
      if (isCorrect(first)) counts.groupsAllGood += 1;
      else counts.groupsAllBad += 1;
      continue;
    }
    counts.groupsMixed += 1;
    const chosen =
      options.kind === "grpo"
        ? [...scored.keys()]
        : resampleOnCorrect(scored, options, randomOf(...seed, group));
    const advantages = groupAdvantages(chosen.map((at) => (scored[at] as Candidate).reward));
    for (const [at, place] of chosen.entries())
      kept.push({ group, index: places[place] as number, advantage: advantages[at] as number });
  }
  return { kept, ...counts };
}
