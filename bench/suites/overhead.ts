/** Point 1: what the service adds to the programs' own computing, against the bare fork loop. */
import { createMix, lightPrograms, mixOf, take, type Planned } from "../load/mixes.ts";
import { runForkLoop, runForkLoops, type LoopResult } from "../reference/fork-loop.ts";
import { measured, type Measure } from "../results/schema.ts";
import type { Target } from "../targets/target.ts";
import { cpuPerCall, nativeTarget, saturate } from "./saturate.ts";
import { completeness, sum, type Session, type Suite } from "./suite.ts";

const GROUPS = [
  "light_python",
  "sympy",
  "numpy",
  "scipy_pandas",
  "no_output_or_bare_expr",
  "stdin",
  "error",
  "big_output",
] as const;
const OVERHEAD_MAX = 1.25;
const WARM_SHARE_MIN = 0.93;

interface Round {
  readonly serviceMs: number;
  readonly loopMs: number;
  readonly ratio: number;
}

/** CPU time beyond the programs' own computing, for each call, of the service and of the loop. */
async function round(
  session: Session,
  group: string,
  target: Target,
  calls: readonly Planned[],
): Promise<Round> {
  const programs = calls.map(({ program }) => program);
  const loops = await runForkLoops(programs);
  const ofCall = (pick: (loop: LoopResult) => number) =>
    sum(loops.map(pick)) / sum(loops.map((loop) => loop.calls));
  const ownMs = ofCall((loop) => loop.ownMs);
  const loopMs = ofCall((loop) => loop.cpuMs) - ownMs;
  const load = await saturate(session, group, target, calls);
  const serviceMs = cpuPerCall(load) - ownMs;
  // Less than nothing is a failed measurement of one of them, not a good result.
  return { serviceMs, loopMs, ratio: serviceMs > 0 && loopMs > 0 ? serviceMs / loopMs : Number.NaN };
}

async function measureGroup(session: Session, target: Target, group: string): Promise<Measure[]> {
  const programs = lightPrograms(group);
  const calls = take(mixOf(programs, session.random()), session.size(600, 48));
  const rounds: Round[] = [];
  for (let index = 0; index < session.size(3, 1); index += 1)
    rounds.push(await round(session, group, target, calls));
  const cost = (pick: (one: Round) => number) => rounds.map(pick);
  return [
    measured(
      {
        id: `light.${group}.ratio`,
        label: `light mix, ${group}: overhead against the bare fork loop`,
        unit: "x",
        better: "lower",
        target: OVERHEAD_MAX,
      },
      ...cost((one) => one.ratio),
    ),
    measured(
      {
        id: `light.${group}.service`,
        label: `  ${group}: overhead of the service`,
        unit: "ms CPU/call",
        better: "lower",
      },
      ...cost((one) => one.serviceMs),
    ),
    measured(
      {
        id: `light.${group}.loop`,
        label: `  ${group}: overhead of the loop`,
        unit: "ms CPU/call",
        better: "lower",
      },
      ...cost((one) => one.loopMs),
    ),
  ];
}

/** Which share of all CPU time was the programs' own; endless ones count as the service measured them. */
async function measureFullMix(session: Session, target: Target): Promise<Measure[]> {
  const calls = take(createMix("full", session.random()), session.size(600, 64));
  const ending = calls.map(({ program }) => program).filter(({ warm_cpu_ms }) => warm_cpu_ms !== null);
  const { warmMs } = await runForkLoop(ending, session.size(3, 1));
  const load = await saturate(session, "full mix", target, calls);
  const ownMs = sum(ending.map(({ kind }) => warmMs.get(kind) ?? 0)) + load.recorded.endlessCpuMs;
  return [
    measured(
      {
        id: "full.warm_share",
        label: "full mix: warm compute of all CPU",
        unit: "x",
        better: "higher",
        target: WARM_SHARE_MIN,
      },
      ownMs / (load.cpuMs ?? Number.NaN),
    ),
    measured(
      {
        id: "full.cpu",
        label: "  full mix: CPU of the service and its children",
        unit: "ms CPU/call",
        better: "lower",
      },
      cpuPerCall(load),
    ),
    completeness("full.right", "full mix: answered rightly", load),
  ];
}

export const overhead: Suite = {
  name: "overhead",
  title: "CPU beyond the programs' own computing",
  async run(session) {
    const service = await session.startService();
    const target = nativeTarget(session, service, "ndjson");
    // Slots, fork servers and the compiler of this very process are warm before anything counts.
    await saturate(
      session,
      "warming up",
      target,
      take(createMix("light", session.random()), session.size(300, 64)),
    );
    const measures: Measure[] = [];
    for (const group of GROUPS) measures.push(...(await measureGroup(session, target, group)));
    return { measures: [...measures, ...(await measureFullMix(session, target))] };
  },
};
