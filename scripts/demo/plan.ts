/** What the demo calls: the example mix of a trained policy, some JavaScript and a few time limits. */
import type { Call } from "../../src/contract/call.ts";
import { callOf, createDraw, createRandom, loadPrograms, programsOfGroup } from "../../workload/mix.ts";
import type { Program } from "../../workload/mix.ts";

export interface PlannedCall {
  readonly program: Program;
  readonly call: Call & { readonly id: string };
}

export interface Plan {
  /** Sent one by one. */
  readonly singles: readonly PlannedCall[];
  /** Sent as NDJSON batches. */
  readonly batches: readonly (readonly PlannedCall[])[];
  /** Sent one after the other when all else is answered: how long a call takes that waits for no other. */
  readonly alone: readonly PlannedCall[];
}

const SEED = 20;
const CALLS = 2000;
const JAVASCRIPT_CALLS = 180;
const NODE_CALLS = 20;
const TIME_LIMIT_CALLS = 12;
const TIME_LIMIT_MS = 1000;
/** Early among the batches and among the single calls, so that the load does not end with one call's wait. */
const TIME_LIMIT_EVERY = 50;
/** So that the demo shows the service and not the programs' own computing. */
const WARM_CPU_MS_MAX = 20;
const BATCHES = 16;
const BATCH_CALLS = 64;
const ALONE_CALLS = 100;

/** Puts the programs in a random order, in place. */
function shuffle(programs: Program[], random: () => number): Program[] {
  for (let index = programs.length - 1; index > 0; index--) {
    const other = Math.floor(random() * (index + 1));
    const one = programs[index];
    const two = programs[other];
    if (one !== undefined && two !== undefined) [programs[index], programs[other]] = [two, one];
  }
  return programs;
}

/** `count` programs of a group, each as often as the others. */
function evenly(programs: readonly Program[], count: number): Program[] {
  return Array.from({ length: count }, (_, index) => programs[index % programs.length]).filter(
    (one) => one !== undefined,
  );
}

/** The same plan every time. */
export function makePlan(): Plan {
  const all = loadPrograms();
  const small = all.filter(
    (program) => program.warm_cpu_ms !== null && program.warm_cpu_ms < WARM_CPU_MS_MAX,
  );
  const random = createRandom(SEED);
  const draw = createDraw(small, "mature_policy", random);
  const programs = [
    ...evenly(programsOfGroup(small, "javascript"), JAVASCRIPT_CALLS),
    ...evenly(programsOfGroup(small, "node"), NODE_CALLS),
  ];
  while (programs.length < CALLS - TIME_LIMIT_CALLS) programs.push(draw());
  shuffle(programs, random);
  const endless = all.filter((program) => program.expect.outcome === "wall_limit");
  for (const [index, program] of evenly(endless, TIME_LIMIT_CALLS).entries()) {
    const half = index % 2 === 0 ? 0 : BATCHES * BATCH_CALLS;
    programs.splice(half + index * TIME_LIMIT_EVERY, 0, program);
  }
  const planned = programs.map((program, index): PlannedCall => {
    const limits = program.expect.outcome === "wall_limit" ? { limits: { wall_ms: TIME_LIMIT_MS } } : {};
    return { program, call: { ...callOf(program, limits), id: `demo-${index}` } };
  });
  const batched = BATCHES * BATCH_CALLS;
  const rest = planned.slice(batched);
  const alone = rest.filter(
    (one) => one.program.runtime === "python" && one.program.expect.outcome === "completed",
  );
  alone.splice(ALONE_CALLS);
  return {
    batches: Array.from({ length: BATCHES }, (_, index) =>
      planned.slice(index * BATCH_CALLS, (index + 1) * BATCH_CALLS),
    ),
    singles: rest.filter((one) => !alone.includes(one)),
    alone,
  };
}

export function allCalls(plan: Plan): PlannedCall[] {
  return [...plan.batches.flat(), ...plan.singles, ...plan.alone];
}
