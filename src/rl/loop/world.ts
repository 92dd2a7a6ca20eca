/** What a run acts on and in: everything that the loop is given and does not make itself. */
import type { Engine, Renderer, Sampler } from "../ports.ts";
import { createEnv } from "../rollout/env.ts";
import type { Grader } from "../rollout/grade.ts";
import { rollOut, type RolloutLimits } from "../rollout/rollout.ts";
import type { Service } from "../rollout/service.ts";
import type { Trajectory } from "../rollout/trajectory.ts";
import type { Problem } from "../tasks/problem.ts";
import type { Recipe } from "./recipe-schema.ts";
import type { RunDirectory } from "./run-directory.ts";

export interface World {
  readonly recipe: Recipe;
  readonly run: RunDirectory;
  readonly engine: Engine;
  readonly renderer: Renderer;
  readonly service: Service;
  readonly grade: Grader;
  readonly train: readonly Problem[];
  readonly heldOut: readonly Problem[];
  readonly progress: Progress;
  readonly signal?: AbortSignal | undefined;
  /** A teacher for a problem, when there is one to imitate. */
  readonly teacher?: ((problem: Problem, seed: readonly (string | number)[]) => Sampler) | undefined;
}

/** Told what happens, for whoever watches. */
export interface Progress {
  /** A line of metrics was written. */
  step(
    phase: "sft" | "rl" | "eval",
    stage: string,
    step: number,
    metrics: Readonly<Record<string, number>>,
  ): void;
  /** Something that is not a number, e.g. a stage that begins or a service that is away. */
  note(message: string): void;
}

export interface Sampling {
  readonly sampler: Sampler;
  readonly limits: RolloutLimits;
  readonly temperature: number;
}

/** Rollouts of one problem, in the order asked for, all of them at once. */
export function rollOutGroup(
  world: World,
  problem: Problem,
  count: number,
  sampling: Sampling,
  key: readonly (string | number)[],
): Promise<Trajectory[]> {
  return Promise.all(
    Array.from({ length: count }, (_, index) =>
      rollOut(problem, {
        ...sampling,
        renderer: world.renderer,
        env: createEnv(problem, {
          service: world.service,
          tool: world.recipe.tool,
          grade: world.grade,
          signal: world.signal,
        }),
        system: world.recipe.data.system,
        topP: 1,
        key: [world.recipe.run.seed, ...key, problem.id, index],
        signal: world.signal,
      }),
    ),
  );
}
