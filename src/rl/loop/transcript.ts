/** A rollout for people and for the viewer: one line of a transcript file. */
import { writtenTokens } from "../algorithm/advantages.ts";
import type { Renderer } from "../ports.ts";
import { responseTokens, weightsVersions, type Trajectory } from "../rollout/trajectory.ts";

/** Where a rollout stood in its step. */
export interface TranscriptPlace {
  /** Place of its problem in the step. */
  readonly group: number;
  /** Place among the rollouts of that problem. */
  readonly index: number;
  /** Null when it was not trained on. */
  readonly advantage: number | null;
}

export interface TranscriptLine
  extends
    TranscriptPlace,
    Pick<Trajectory, "problem" | "turns" | "ending" | "answer" | "reward" | "excluded" | "segments"> {
  /** All of it, opening and tool responses included. */
  readonly text: string;
  /** Of the weights that wrote the first and the last of it. */
  readonly weightsVersions: readonly [first: number, last: number];
  readonly tokens: { readonly prompt: number; readonly response: number; readonly written: number };
}

export function transcriptLine(
  trajectory: Trajectory,
  place: TranscriptPlace,
  renderer: Renderer,
): TranscriptLine {
  const { problem, turns, ending, answer, reward, excluded, segments, promptTokens } = trajectory;
  return {
    ...place,
    problem: { id: problem.id, family: problem.family, prompt: problem.prompt, answer: problem.answer },
    text: renderer.decode(trajectory.tokens),
    turns,
    ending,
    answer,
    reward,
    excluded,
    tokens: {
      prompt: promptTokens,
      response: responseTokens(trajectory),
      written: writtenTokens(trajectory),
    },
    segments,
    weightsVersions: weightsVersions(trajectory),
  };
}
