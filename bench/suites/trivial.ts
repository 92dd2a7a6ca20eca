/** Point 2: calls/s of programs that do next to nothing, against a loop that does nothing else. */
import { availableParallelism } from "node:os";
import type { Program } from "../../workload/mix.ts";
import { mixOf, take, TRIVIAL_JAVASCRIPT, TRIVIAL_PYTHON, TRIVIAL_SCIENTIFIC } from "../load/mixes.ts";
import { runForkLoop, runForkLoops } from "../reference/fork-loop.ts";
import { runIsolateLoop } from "../reference/processes.ts";
import { measured, type LoadResult, type Measure } from "../results/schema.ts";
import type { Target } from "../targets/target.ts";
import { cpuPerCall, nativeTarget, saturate } from "./saturate.ts";
import { completeness, sum, type Session, type Suite } from "./suite.ts";

const RATIO_MIN = 0.8;

/** One reference beside the service: calls/s, and CPU time for each call. */
interface Reference {
  readonly perSecond: number;
  readonly cpuMs: number;
  /** The same loop once on every core at the same time. */
  readonly allCoresPerSecond: number;
}

async function forkLoop(program: Program, calls: number): Promise<Reference> {
  const order = Array.from({ length: calls }, () => program);
  const alone = await runForkLoop(order, 1);
  const together = await runForkLoops(order);
  return {
    perSecond: (alone.calls * 1000) / alone.elapsedMs,
    cpuMs: alone.cpuMs / alone.calls,
    allCoresPerSecond: sum(together.map((one) => (one.calls * 1000) / one.elapsedMs)),
  };
}

/** The service has as many threads for isolates as there are cores. */
async function isolateLoop(_program: Program, calls: number): Promise<Reference> {
  const loop = await runIsolateLoop(availableParallelism(), calls);
  const perSecond = (loop.calls * 1000) / loop.elapsedMs;
  return { perSecond, cpuMs: loop.cpuMs / loop.calls, allCoresPerSecond: perSecond };
}

interface Kind {
  readonly id: string;
  readonly label: string;
  readonly program: Program;
  readonly refer: (program: Program, calls: number) => Promise<Reference>;
}

const KINDS: readonly Kind[] = [
  { id: "plain", label: "plain Python", program: TRIVIAL_PYTHON, refer: forkLoop },
  { id: "scientific", label: "Python with all modules", program: TRIVIAL_SCIENTIFIC, refer: forkLoop },
  { id: "javascript", label: "JavaScript", program: TRIVIAL_JAVASCRIPT, refer: isolateLoop },
];

function tell(kind: Kind, rounds: readonly { load: LoadResult; reference: Reference }[]): Measure[] {
  const of = (pick: (load: LoadResult, reference: Reference) => number) =>
    rounds.map(({ load, reference }) => pick(load, reference));
  const { id, label } = kind;
  const loop = kind.refer === isolateLoop ? "bare isolate loop" : "bare fork loop";
  return [
    measured(
      {
        id: `${id}.ratio`,
        label: `${label}: calls/s against the ${loop}`,
        unit: "x",
        better: "higher",
        target: RATIO_MIN,
      },
      ...of((load, reference) => load.recorded.perSecond / reference.perSecond),
    ),
    measured(
      {
        id: `${id}.all_cores`,
        label: "  against that loop on every core at once",
        unit: "x",
        better: "higher",
      },
      ...of((load, reference) => load.recorded.perSecond / reference.allCoresPerSecond),
    ),
    measured(
      { id: `${id}.cpu_ratio`, label: "  CPU of a call against the loop's", unit: "x", better: "lower" },
      ...of((load, reference) => cpuPerCall(load) / reference.cpuMs),
    ),
    measured(
      { id: `${id}.rate`, label: "  calls/s of the service", unit: "calls/s", better: "higher" },
      ...of((load) => load.recorded.perSecond),
    ),
    measured(
      {
        id: `${id}.cpu`,
        label: "  CPU of the service and its children",
        unit: "ms CPU/call",
        better: "lower",
      },
      ...of(cpuPerCall),
    ),
  ];
}

async function measureKind(session: Session, target: Target, kind: Kind): Promise<Measure[]> {
  const calls = take(mixOf([kind.program], session.random()), session.size(3000, 128));
  await saturate(session, `${kind.label}, warming up`, target, calls.slice(0, session.size(300, 64)));
  const rounds: { load: LoadResult; reference: Reference }[] = [];
  for (let index = 0; index < session.size(3, 1); index += 1) {
    const reference = await kind.refer(kind.program, session.size(500, 64));
    rounds.push({ load: await saturate(session, kind.label, target, calls), reference });
  }
  const last = rounds.at(-1);
  const right = last === undefined ? [] : [completeness(`${kind.id}.right`, "  answered rightly", last.load)];
  return [...tell(kind, rounds), ...right];
}

export const trivial: Suite = {
  name: "trivial",
  title: "Trivial calls against loops that do nothing else",
  async run(session) {
    const service = await session.startService();
    const target = nativeTarget(session, service, "ndjson");
    const measures: Measure[] = [];
    for (const kind of KINDS) measures.push(...(await measureKind(session, target, kind)));
    return { measures };
  },
};
