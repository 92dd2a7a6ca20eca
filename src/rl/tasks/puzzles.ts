/** Data sets of the built-in puzzles: made from a seed, without repeats, with nothing held out among what is trained on. */
import { hashOf, randomOf } from "../random.ts";
import { FAMILIES, type FamilyName } from "./families.ts";
import type { Puzzle } from "./problem.ts";

export interface PuzzleOptions {
  readonly families: readonly FamilyName[];
  /** Puzzles at most, spread evenly over the families that still have some. */
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

/** Fewer than `count` when the families have no more. */
export function makePuzzles({ families, count, seed, split, dialect }: PuzzleOptions): Puzzle[] {
  let open = families.map((family) => puzzlesOf(family, seed, split, dialect));
  const puzzles: Puzzle[] = [];
  while (open.length > 0 && puzzles.length < count) {
    const drawn = open
      .map((one) => ({ one, value: one.next().value }))
      .filter(({ value }) => value !== undefined);
    open = drawn.map(({ one }) => one);
    puzzles.push(...drawn.map(({ value }) => value as Puzzle).slice(0, count - puzzles.length));
  }
  return puzzles;
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
