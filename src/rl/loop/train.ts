/**
 * The loop, top to bottom: imitation, then stages of policy steps, with evaluations and checkpoints between.
 *
 * All randomness goes by the step's number, so the state of a run is the engine's weights and the few numbers of
 * `Place`: a run that is resumed goes on as if it had not been interrupted.
 */
import path from "node:path";
import type { Metrics } from "../ports.ts";
import type { Problem } from "../tasks/problem.ts";
import { isOver, leftOut, nextProblems } from "./curriculum.ts";
import { evaluate } from "./evaluate.ts";
import { GroupsInFlight } from "./groups-in-flight.ts";
import { imitate } from "./imitate.ts";
import { policyStep } from "./policy-step.ts";
import type { Stage } from "./recipe-schema.ts";
import type { RunDirectory } from "./run-directory.ts";
import type { World } from "./world.ts";

/** How far a run is. */
interface Place {
  /** Policy steps done. */
  readonly step: number;
  /** Place of the present stage in the recipe. */
  readonly stage: number;
  /** Policy steps done of it. */
  readonly stageStep: number;
  /** Problems drawn in it, and of them those whose rollouts were not complete: after a resume they begin anew. */
  readonly drawn: number;
  readonly carried: readonly string[];
  /** Problems that the stage leaves out; null before it began. */
  readonly leftOut: readonly string[] | null;
  /** The stage's steps that its rule for moving on may look at, oldest first. */
  readonly history: readonly Metrics[];
  /** The last evaluation. */
  readonly evaluated: Metrics;
}

interface SavedState extends Place {
  /** What the engine's `load` takes; a file's name when it lies in the checkpoint. */
  readonly weights: string;
  readonly metricsBytes: number;
}

const START: Place = {
  step: 0,
  stage: 0,
  stageStep: 0,
  drawn: 0,
  carried: [],
  leftOut: null,
  history: [],
  evaluated: {},
};

/**
 * Trains as the recipe says and returns the last evaluation. A run directory that has a checkpoint is gone on with.
 * @throws EngineError, SandboxError, ServiceGone or the signal's reason; rollouts in flight are given up then
 */
export async function train(given: World): Promise<Metrics> {
  const failed = new AbortController();
  const signal = AbortSignal.any([failed.signal, ...(given.signal === undefined ? [] : [given.signal])]);
  try {
    return await runStages({ ...given, signal });
  } catch (error) {
    failed.abort(error);
    throw error;
  }
}

async function runStages(world: World): Promise<Metrics> {
  let place = await resume(world);
  if (place === null) {
    if (world.recipe.sft.steps > 0) await imitate(world);
    else await world.engine.publish();
    place = { ...START, evaluated: await evaluate(world, "sft", 0) };
    await checkpoint(world, place);
  }
  for (const stage of world.recipe.stages.slice(place.stage)) {
    const { step, evaluated, stage: at } = await runStage(world, stage, place);
    place = { ...START, step, evaluated, stage: at + 1 };
  }
  return place.evaluated;
}

/** Steps of one stage until its number or its rule is met. */
async function runStage(world: World, stage: Stage, from: Place): Promise<Place> {
  const { evaluation, run } = world.recipe;
  enterStage(world, stage);
  let place = from.leftOut === null ? await beginStage(world, stage, from) : from;
  const out = new Set(place.leftOut);
  const problems = world.train.filter(({ id }) => !out.has(id));
  const inFlight = new GroupsInFlight();
  const isDone = (): boolean => place.stageStep >= stage.steps || isOver(stage, place.history);
  while (!isDone()) {
    world.signal?.throwIfAborted();
    const next = draw(world, stage, place, problems, inFlight);
    const step = place.step + 1;
    const isLast = place.stageStep + 1 >= stage.steps;
    const metrics = await policyStep(world, { stage, step, inFlight, problems: next.problems, isLast });
    world.run.logMetrics({ phase: "rl", stage: stage.name, step, time: Date.now() / 1000, metrics });
    world.progress.step("rl", stage.name, step, metrics);
    const window = stage.until?.window ?? 0;
    const history = window === 0 ? [] : [...place.history, metrics].slice(-window);
    const carried = inFlight.problemIds;
    place = { ...place, step, stageStep: place.stageStep + 1, drawn: next.drawn, carried, history };
    if (isDone() || step % evaluation.every === 0)
      place = { ...place, evaluated: await evaluate(world, stage.name, step) };
    if (isDone() || step % run.checkpointEvery === 0) await checkpoint(world, place);
  }
  const left = await inFlight.giveUp();
  if (left > 0) world.progress.note(`stage ${stage.name} is over: ${left} groups in flight are given up`);
  return place;
}

/** The problems to begin in a step, so that as many are in flight as the stage wants. */
function draw(
  { recipe: { algorithm, run } }: World,
  stage: Stage,
  { carried, drawn }: Place,
  problems: readonly Problem[],
  inFlight: GroupsInFlight,
): { readonly problems: readonly Problem[]; readonly drawn: number } {
  // Those that a checkpoint names and nobody rolls out were lost with the process before.
  const lost = inFlight.size === 0 ? problems.filter(({ id }) => carried.includes(id)) : [];
  const count = Math.max(0, algorithm.prompts + stage.carryOver - inFlight.size - lost.length);
  const fresh = nextProblems(problems, count, drawn, [run.seed, "problems", stage.name]);
  return { problems: [...lost, ...fresh], drawn: drawn + fresh.length };
}

/** What holds in the stage, whether it begins or is gone on with. */
function enterStage({ scheduler }: World, { responseTokensMax, carryOver, sliceTokens }: Stage): void {
  scheduler.beginStage({ responseTokensMax, ...(carryOver > 0 ? { sliceTokens } : {}) });
}

async function beginStage(world: World, stage: Stage, from: Place): Promise<Place> {
  world.progress.note(`stage ${stage.name}: up to ${stage.steps} steps`);
  if (stage.resetOptimizer) await world.engine.resetOptimizer();
  return { ...from, leftOut: await leftOut(world, stage) };
}

/** A checkpoint that cannot be written is told and passed over: the last good one is still there. */
async function checkpoint(world: World, place: Place): Promise<void> {
  const { run, engine, recipe } = world;
  try {
    await run.writeCheckpoint(place.step, recipe.run.checkpointsKept, async (directory) => {
      const reference = await engine.save(path.join(directory, "weights"));
      const isInside = reference.startsWith(`${directory}${path.sep}`);
      const weights = isInside ? path.basename(reference) : reference;
      return { ...place, weights, metricsBytes: run.metricsBytes() } satisfies SavedState;
    });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (!DISK_ERRORS.has(code) && !DISK_ERRORS.has(causeCode(error))) throw error;
    world.progress.note(
      `no checkpoint at step ${place.step}, the last one stays: ${(error as Error).message}`,
    );
  }
}

const DISK_ERRORS: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT"]);

function causeCode(error: unknown): string {
  return ((error as Error).cause as NodeJS.ErrnoException | undefined)?.code ?? "";
}

/** Gives the engine the weights of a run's last checkpoint; null when there is none. @throws EngineError */
export async function loadCheckpoint(
  { engine }: Pick<World, "engine">,
  run: RunDirectory,
): Promise<SavedState | null> {
  const found = run.lastCheckpoint();
  if (found === null) return null;
  const state = found.state as SavedState;
  const isName = path.basename(state.weights) === state.weights;
  await engine.load(isName ? path.join(found.directory, state.weights) : state.weights);
  return state;
}

/** Goes back to the last checkpoint; null when there is none. */
async function resume(world: World): Promise<Place | null> {
  const state = await loadCheckpoint(world, world.run);
  if (state === null) return null;
  const { weights: _, metricsBytes, ...place } = state;
  world.run.cutBack({ bytes: metricsBytes, step: place.step });
  world.progress.note(`resumed after step ${place.step}`);
  return place;
}
