/**
 * The calls of one RL step as a trainer makes them: many rollouts at once, each with turns of thinking and
 * calling that it leaves with a constant probability, and at the end a verification of every answer.
 */
import type { Random } from "./arrivals.ts";
import type { Draw, Planned } from "./mixes.ts";

export interface Turn {
  /** What the model takes to write the call. Milliseconds. */
  readonly thinkMs: number;
  readonly planned: Planned;
}

export interface RolloutShape {
  readonly rollouts: number;
  /** Mean of an exponential distribution. Milliseconds. */
  readonly thinkMs: number;
  /** Probability that a rollout goes on after a turn: turns have a geometric distribution. */
  readonly goOn: number;
  readonly turnsMax: number;
}

export const STEP: RolloutShape = { rollouts: 512, thinkMs: 2000, goOn: 0.7, turnsMax: 10 };

export interface Step {
  readonly rollouts: readonly (readonly Turn[])[];
  readonly verifications: readonly Planned[];
}

export function planStep(shape: RolloutShape, draw: Draw, drawVerification: Draw, random: Random): Step {
  const rollouts = Array.from({ length: shape.rollouts }, () => {
    const turns: Turn[] = [];
    do {
      turns.push({ thinkMs: -Math.log(1 - random()) * shape.thinkMs, planned: draw() });
    } while (turns.length < shape.turnsMax && random() < shape.goOn);
    return turns;
  });
  return { rollouts, verifications: rollouts.map(drawVerification) };
}
