/** What a run acts on and in: everything that the loop is given and does not make itself. */
import type { Engine, Renderer, Sampler } from "../ports.ts";
import { createEnv } from "../rollout/env.ts";
import type { Grader } from "../rollout/grade.ts";
import { rollOut, type RolloutLimits } from "../rollout/rollout.ts";
import type { Service } from "../rollout/service.ts";
import type { Trajectory } from "../rollout/trajectory.ts";
import type { Problem } from "../tasks/problem.ts";
import type { Scheduler } from "../scheduler/scheduler.ts";
import type { Recipe } from "./recipe-schema.ts";
import type { RunDirectory } from "./run-directory.ts";

export interface World {
  readonly recipe: Recipe;
  readonly run: RunDirectory;
  readonly engine: Engine;
  /** Places rollouts of policy steps on the engines. */
  readonly scheduler: Scheduler;
  /** The same for evaluations, whose lengths say nothing about those of a step. */
  readonly evaluationScheduler: Scheduler;
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
  /** Who writes: the model, by a place on an engine for each rollout, or a teacher. */
  readonly by: Scheduler | Sampler;
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
  const group = [world.recipe.run.seed, ...key, problem.id];
  return Promise.all(
    Array.from({ length: count }, (_, index) => rollOutOne(world, problem, sampling, group, index)),
  );
}

async function rollOutOne(
  { recipe, renderer, service, grade, signal }: World,
  problem: Problem,
  { by, limits, temperature }: Sampling,
  group: readonly (string | number)[],
  index: number,
): Promise<Trajectory> {
  const { system } = recipe.data;
  const key = [...group, index];
  const seat =
    "admit" in by
      ? await by.admit({
          key: key.join("/"),
          group: group.join("/"),
          promptTokens: renderer.open({ system, prompt: problem.prompt }).length,
          signal,
        })
      : null;
  try {
    const trajectory = await rollOut(problem, {
      sampler: seat ?? (by as Sampler),
      renderer,
      env: createEnv(problem, { service, tool: recipe.tool, grade, signal }),
      system,
      limits,
      temperature,
      topP: 1,
      key,
      signal,
    });
    // A call that was given up is `cancelled`, which would look like a failure of the service.
    signal?.throwIfAborted();
    return trajectory;
  } finally {
    seat?.close();
  }
}
