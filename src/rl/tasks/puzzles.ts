/** Data sets of the built-in puzzles: made from a seed, without repeats, with nothing held out among what is trained on. */
import { hashOf, randomOf } from "../random.ts";
import { FAMILIES, type FamilyName } from "./families.ts";
import type { Puzzle } from "./problem.ts";

export interface PuzzleOptions {
  readonly families: readonly FamilyName[];
  /** Puzzles in all, spread evenly over the families. */
  readonly count: number;
  readonly seed: number;
  /** Which side of the split; a puzzle is on the same side whatever the seed. */
  readonly split: "train" | "held-out";
  readonly dialect: "tiny" | "english";
}

/** One puzzle in this many is held out. */
const HELD_OUT_ONE_IN = 8;

/** Draws without a new puzzle after which a family is taken to be used up. */
const DRAWS_MAX = 20_000;

function isHeldOut(tiny: string): boolean {
  return hashOf("held-out", tiny) % HELD_OUT_ONE_IN === 0;
}

/** @throws RangeError when the families have fewer different puzzles */
export function makePuzzles({ families, count, seed, split, dialect }: PuzzleOptions): Puzzle[] {
  const perFamily = families.map((family) => puzzlesOf(family, seed, split, dialect));
  return Array.from({ length: count }, (_, index) => {
    const { value } = (perFamily[index % perFamily.length] as Generator<Puzzle, undefined>).next();
    if (value === undefined)
      throw new RangeError(
        `the ${families[index % families.length]} puzzles are used up after ${index} of ${count} in all`,
      );
    return value;
  });
}

function* puzzlesOf(
  family: FamilyName,
  seed: number,
  split: PuzzleOptions["split"],
  dialect: PuzzleOptions["dialect"],
): Generator<Puzzle, undefined> {
  const random = randomOf("puzzles", seed, family, split);
  const seen = new Set<string>();
  for (let draws = 0; draws < DRAWS_MAX; draws += 1) {
    const { english, tiny, ...rest } = FAMILIES[family](random);
    if (seen.has(tiny) || isHeldOut(tiny) !== (split === "held-out")) continue;
    seen.add(tiny);
    draws = 0;
    yield { ...rest, id: `${family}:${tiny}`, family, prompt: dialect === "tiny" ? tiny : english };
  }
  return undefined;
}
