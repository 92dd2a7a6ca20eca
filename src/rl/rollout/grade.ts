/** The reward of an answer: 1 when it is the reference, else 0, and null when the service could not tell. */
import type { Problem } from "../tasks/problem.ts";
import type { Service } from "./service.ts";

export type Grader = (answer: string, problem: Problem) => Promise<Grade>;

export interface Grade {
  readonly reward: 1 | 0 | null;
  /** Why there is no reward. */
  readonly detail: string | null;
}

/** The answer and the reference are the same text but for the space around them. */
export const gradeExact: Grader = (answer, { answer: reference }) =>
  Promise.resolve({ reward: answer.trim() === reference.trim() ? 1 : 0, detail: null });

/** Mathematical equality, decided by the service in a sandbox. */
export function mathGrader(service: Service): Grader {
  return async (answer, problem) => {
    const { reward, detail } = await service.verify({ kind: "math", answer, expected: problem.answer });
    return { reward: reward === null ? null : reward > 0 ? 1 : 0, detail };
  };
}
