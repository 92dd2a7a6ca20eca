/** The problems of a recipe: made from its seed, or read from files. */
import { readProblems } from "../data/problems.ts";
import type { Sampler } from "../ports.ts";
import { makePuzzles } from "./puzzles.ts";
import type { Problem, Puzzle } from "./problem.ts";
import type { FamilyName } from "./families.ts";
import { createTeacher, type TeacherHabits } from "./teacher.ts";

export interface DataOptions {
  readonly source: "puzzles" | "file";
  readonly families: readonly FamilyName[];
  readonly dialect: "tiny" | "english";
  readonly train: number;
  readonly heldOut: number;
  readonly file: string;
  readonly heldOutFile: string;
  readonly promptColumn: string;
  readonly answerColumn: string;
  readonly idColumn: string;
  readonly template: string;
}

export interface LoadedProblems {
  readonly train: readonly Problem[];
  readonly heldOut: readonly Problem[];
  /** Writes solutions of puzzles in the tiny language; files have no teacher. */
  readonly teacher?: (problem: Problem, seed: readonly (string | number)[]) => Sampler;
}

export async function loadProblems(
  data: DataOptions,
  habits: TeacherHabits,
  seed: number,
): Promise<LoadedProblems> {
  if (data.source === "file") {
    // For an evaluation there is none.
    const train = data.file === "" ? [] : await readProblems({ ...data, rowsMax: data.train });
    const heldOut = await readProblems({ ...data, file: data.heldOutFile, rowsMax: data.heldOut });
    return { train, heldOut };
  }
  const { families, dialect } = data;
  const train = makePuzzles({ families, dialect, seed, count: data.train, split: "train" });
  const heldOut = makePuzzles({ families, dialect, seed: 0, count: data.heldOut, split: "held-out" });
  if (dialect !== "tiny") return { train, heldOut };
  const byId = new Map(train.map((puzzle) => [puzzle.id, puzzle]));
  return {
    train,
    heldOut,
    teacher: (problem, names) => createTeacher(byId.get(problem.id) as Puzzle, habits, names),
  };
}
