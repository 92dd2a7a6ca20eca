/** From a recipe to everything that the loop needs, opened and, at the end, closed. */
import { createClient } from "../../client/index.ts";
import { loadProblems } from "../tasks/load.ts";
import { BACKENDS } from "../policies/registry.ts";
import { gradeExact, mathGrader } from "../rollout/grade.ts";
import { createScheduler } from "../scheduler/scheduler.ts";
import { createService } from "../rollout/service.ts";
import { keyOf } from "../secret.ts";
import type { Recipe } from "../loop/recipe-schema.ts";
import type { RunDirectory } from "../loop/run-directory.ts";
import type { Progress, World } from "../loop/world.ts";

const LOOK_EVERY_MS = 500;

export interface OpenWorld {
  readonly world: World;
  close(): Promise<void>;
}

export interface OpenOptions {
  readonly recipe: Recipe;
  readonly run: RunDirectory;
  readonly progress: Progress;
  /** Of a service that listens. */
  readonly serviceUrl: string;
  readonly signal?: AbortSignal;
}

export async function openWorld({
  recipe,
  run,
  progress,
  serviceUrl,
  signal,
}: OpenOptions): Promise<OpenWorld> {
  const client = createClient({
    baseUrl: serviceUrl,
    connections: recipe.service.connections,
    ...keyOf(recipe.service.key),
  });
  const service = createService(client, {
    patienceMs: recipe.service.patienceS * 1000,
    lookEveryMs: LOOK_EVERY_MS,
    onChange: (_state, message) => progress.note(message),
  });
  const { backend, ...settings } = recipe.engine;
  const problems = await loadProblems(recipe.data, recipe.sft, recipe.run.seed);
  const context = { seed: recipe.run.seed, directory: run.path };
  const opened = await BACKENDS[backend]?.open(settings as never, context);
  if (opened === undefined) throw new Error(`there is no backend ${backend}`);
  const { engine, renderer, fleet = [{ name: backend, sampler: engine }], rolloutsMax } = opened;
  const schedulerFor = (responseTokensMax: number) =>
    createScheduler({
      engines: fleet,
      responseTokensMax,
      ...(rolloutsMax === undefined ? {} : { trajectoriesMax: rolloutsMax }),
    });
  const scheduler = schedulerFor(Math.max(...recipe.stages.map((stage) => stage.responseTokensMax)));
  const evaluationScheduler = schedulerFor(recipe.evaluation.responseTokensMax);
  progress.note(`model: ${engine.description}; context ${engine.contextTokens} tokens`);
  return {
    world: {
      recipe,
      run,
      engine,
      scheduler,
      evaluationScheduler,
      renderer,
      service,
      grade: recipe.data.grade === "math" ? mathGrader(service) : gradeExact,
      ...problems,
      progress,
      signal,
    },
    async close() {
      scheduler.close();
      evaluationScheduler.close();
      await engine.close();
      await client.close();
    },
  };
}
