/** A world of its own for a run of the loop: a scripted model, arithmetic for a service, a directory. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll } from "vitest";
import { recipeWith } from "../../../src/rl/loop/recipe.ts";
import { RunDirectory } from "../../../src/rl/loop/run-directory.ts";
import type { World } from "../../../src/rl/loop/world.ts";
import { createTinyRenderer } from "../../../src/rl/renderers/tiny.ts";
import { gradeExact } from "../../../src/rl/rollout/grade.ts";
import { createScheduler } from "../../../src/rl/scheduler/scheduler.ts";
import { loadProblems } from "../../../src/rl/tasks/load.ts";
import { arithmeticService, createScriptedEngine, type ScriptedEngine } from "../scripted.ts";

const place = mkdtempSync(path.join(tmpdir(), "rollcall-loop-"));
afterAll(() => rmSync(place, { recursive: true, force: true }));

const SMALL = [
  "data.families=[arithmetic]",
  "data.train=40",
  "data.heldOut=8",
  "tool.prelude=''",
  "sft.steps=0",
  "algorithm.prompts=4",
  "algorithm.groupSize=4",
  "algorithm.minibatches=1",
  "stages.0.steps=6",
  "evaluation.every=3",
  "run.checkpointEvery=2",
];

/** @param name of its directory; the same name is the same run */
export async function makeWorld(
  name: string,
  overrides: readonly string[] = [],
  engine: ScriptedEngine = createScriptedEngine(),
): Promise<World & { readonly engine: ScriptedEngine; readonly notes: string[] }> {
  const recipe = recipeWith({}, [...SMALL, ...overrides]);
  const notes: string[] = [];
  const schedulerOf = () =>
    createScheduler({ engines: [{ name: "a", sampler: engine }], responseTokensMax: 72 });
  return {
    recipe,
    run: new RunDirectory(path.join(place, name)),
    engine,
    scheduler: schedulerOf(),
    evaluationScheduler: schedulerOf(),
    renderer: createTinyRenderer(),
    service: arithmeticService(),
    grade: gradeExact,
    ...(await loadProblems(recipe.data, recipe.sft, recipe.run.seed)),
    progress: { step: () => undefined, note: (message) => notes.push(message) },
    notes,
  };
}
