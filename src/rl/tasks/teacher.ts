/**
 * A scripted writer of the tiny language, not a good one: it copies notations that Python does not take, computes the
 * wrong thing, misreads responses, says answers twice and guesses. What it writes is run and recorded like a model's
 * own rollouts, and a model that learned from it has all of its habits for the policy steps to mend.
 */
import { integer, pick, randomOf, type Random } from "../random.ts";
import type { Sample, SampleRequest, Sampler } from "../ports.ts";
import { decodeTiny, encodeTiny } from "../renderers/tiny.ts";
import type { Puzzle } from "./problem.ts";

/** Probabilities of the teacher's habits, each drawn by itself for each puzzle. */
export interface TeacherHabits {
  /** Answers without the tool. */
  readonly guess: number;
  /** Writes the problem's notation first and mends it after the error. */
  readonly slip: number;
  /** Computes something else. */
  readonly wrong: number;
  /** Writes another answer than the response says. */
  readonly misread: number;
  /** Says the answer twice. */
  readonly repeat: number;
}

function misreading(random: Random, text: string): string {
  const at = integer(random, 0, Math.max(0, text.length - 1));
  const isDigit = /\d/.test(text[at] ?? "0");
  const others = (isDigit ? "0123456789" : "abcdefgh").split("").filter((one) => one !== text[at]);
  return text.slice(0, at) + pick(random, others) + text.slice(at + 1);
}

/** What a response says, as an answer: without the quotes of a repr. */
function readResponse(prompt: string): string | null {
  const response = /\{([^{}]*)\}$/.exec(prompt)?.[1];
  return response === undefined || response.startsWith("!") ? null : response.replaceAll("'", "");
}

/**
 * The teacher at work on one puzzle.
 * @param seed of its habits; the same puzzle and seed give the same turns
 */
export function createTeacher(
  puzzle: Puzzle,
  habits: TeacherHabits,
  seed: readonly (string | number)[],
): Sampler {
  const random = randomOf("teacher", puzzle.id, ...seed);
  const draw = {
    guess: random() < habits.guess,
    slip: random() < habits.slip,
    wrong: random() < habits.wrong,
    misread: random() < habits.misread,
    repeat: random() < habits.repeat,
  };
  const calls = draw.guess
    ? []
    : [...(draw.slip ? [puzzle.slip] : []), draw.wrong ? puzzle.wrong : puzzle.code];
  let turn = 0;

  function write(prompt: string): string {
    const code = calls[turn];
    turn += 1;
    if (code !== undefined) return `<${code}>`;
    const read = readResponse(prompt) ?? misreading(random, puzzle.answer);
    const answer = draw.misread ? misreading(random, read) : read;
    return draw.repeat ? `=${answer}=${answer};` : `=${answer};`;
  }

  return {
    contextTokens: Number.MAX_SAFE_INTEGER,
    sample: ({ prompt }: SampleRequest): Promise<Sample> => {
      const tokens = encodeTiny(write(decodeTiny(prompt)));
      return Promise.resolve({
        tokens,
        logprobs: tokens.map(() => 0),
        stopReason: "stop",
        weightsVersion: 0,
      });
    },
  };
}
