/** Mixes by name: which programs of the workload, how often each, as calls. Data; nothing here sends. */
import type { Call } from "../../src/contract/call.ts";
import { callOf, createDraw, loadPrograms, programsOfGroup, type Program } from "../../workload/mix.ts";
import type { Random } from "./arrivals.ts";

/** One call to be sent and what it must answer. */
export interface Planned {
  readonly program: Program;
  readonly call: Call;
}

export type Draw = () => Planned;

/** Own computing of a program of the light mix. Milliseconds. */
const LIGHT_CPU_MS_MAX = 20;
/** What trainers give a program; only those that run into it are given it, so that load makes no other one fail. */
export const ENDLESS_WALL_MS = 4000;
const SMALL_CPU_MS_MAX = 5;
const DRAWS_MAX = 100_000;

function printing(kind: string, source: string, stdout: string, runtime: Program["runtime"]): Program {
  const expect = { outcome: "completed", exit_code: 0, stdout } as const;
  return { runtime, kind, source, stdin: "", expect, warm_cpu_ms: 0.1 };
}

export const TRIVIAL_PYTHON = printing("trivial_python", "print(6 * 7)\n", "42\n", "python");
export const TRIVIAL_SCIENTIFIC = printing(
  "trivial_scientific",
  "import numpy, scipy, pandas, sympy\nprint(6 * 7)\n",
  "42\n",
  "python",
);
export const TRIVIAL_SYMPY = printing("trivial_sympy", "import sympy\nprint(6 * 7)\n", "42\n", "python");
export const TRIVIAL_JAVASCRIPT = printing(
  "trivial_javascript",
  "console.log(6 * 7)\n",
  "42\n",
  "javascript",
);

function planned(program: Program): Planned {
  const endless = program.expect.outcome === "wall_limit";
  return {
    program,
    call: callOf(program, endless ? { limits: { wall_ms: ENDLESS_WALL_MS } } : {}),
  };
}

function evenly(programs: readonly Program[], random: Random): Draw {
  const calls = programs.map(planned);
  if (calls.length === 0) throw new Error("this mix has no program");
  return () => calls[Math.floor(random() * calls.length)] as Planned;
}

function byWeight(
  programs: readonly Program[],
  policy: Parameters<typeof createDraw>[1],
  random: Random,
): Draw {
  const draw = createDraw(programs, policy, random);
  const calls = new Map(programs.map((program) => [program.kind, planned(program)]));
  return () => calls.get(draw().kind) as Planned;
}

const isLight = ({ warm_cpu_ms }: Program) => warm_cpu_ms !== null && warm_cpu_ms < LIGHT_CPU_MS_MAX;
const isSmall = ({ warm_cpu_ms }: Program) => warm_cpu_ms !== null && warm_cpu_ms < SMALL_CPU_MS_MAX;

/** Programs of a group of mix.json whose own computing stays under the bound of the light mix. */
export function lightPrograms(group: string): Program[] {
  return programsOfGroup(loadPrograms().filter(isLight), group);
}

const MIXES: Readonly<Record<string, (random: Random) => Draw>> = {
  full: (random) => byWeight(loadPrograms(), "mature_policy", random),
  early: (random) => byWeight(loadPrograms(), "early_policy", random),
  light: (random) => byWeight(loadPrograms().filter(isLight), "mature_policy", random),
  plain: (random) =>
    evenly(
      programsOfGroup(loadPrograms(), "light_python").filter(isSmall).filter(importsNothingHeavy),
      random,
    ),
  sympy: (random) => evenly(loadPrograms().filter(isLight).filter(importsSympy), random),
  javascript: (random) => evenly(lightPrograms("javascript"), random),
  reward: (random) => evenly(lightPrograms("reward"), random),
  trivial: (random) => evenly([TRIVIAL_PYTHON], random),
  "trivial-sympy": (random) => evenly([TRIVIAL_SYMPY], random),
  "trivial-scientific": (random) => evenly([TRIVIAL_SCIENTIFIC], random),
  "trivial-javascript": (random) => evenly([TRIVIAL_JAVASCRIPT], random),
};

function importsNothingHeavy({ source }: Program): boolean {
  return !/\b(?:numpy|sympy|mpmath|gmpy2|scipy|pandas|networkx|multiprocessing)\b/.test(source);
}

function importsSympy({ source }: Program): boolean {
  return /^\s*(?:import|from) .*\bsympy\b/m.test(source);
}

export const MIX_NAMES: readonly string[] = Object.keys(MIXES);

/** @throws Error for a name that is none. */
export function createMix(name: string, random: Random): Draw {
  const make = MIXES[name];
  if (make === undefined) throw new Error(`there is no mix ${name}; there are ${MIX_NAMES.join(", ")}`);
  return make(random);
}

/** Draws the programs of one list, each as often as the others. */
export function mixOf(programs: readonly Program[], random: Random): Draw {
  return evenly(programs, random);
}

/** Draws of a mix again and again until it is a program that is wanted, at most so often that none can be. */
export function only(draw: Draw, isWanted: (program: Program) => boolean): Draw {
  return () => {
    for (let tries = 0; tries < DRAWS_MAX; tries += 1) {
      const one = draw();
      if (isWanted(one.program)) return one;
    }
    throw new Error("this mix has no program that this target runs");
  };
}

/** The first `count` calls of a mix. */
export function take(draw: Draw, count: number): Planned[] {
  return Array.from({ length: count }, draw);
}
