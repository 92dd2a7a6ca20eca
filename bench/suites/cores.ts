/**
 * Point 7: HTTP and scheduling alone, in front of an engine that answers at once; in one process, and in fronts before a
 * core process. What the core process costs for each call bounds what a service of many fronts can carry.
 */
import { mixOf, take, TRIVIAL_PYTHON } from "../load/mixes.ts";
import { sendClosed } from "../load/send.ts";
import { parseMetrics, scrape } from "../machine/prometheus.ts";
import type { Service } from "../machine/service.ts";
import { measured, type LoadResult, type Measure } from "../results/schema.ts";
import type { Transfer } from "../targets/native.ts";
import { BATCH, nativeTarget } from "./saturate.ts";
import { completeness, type Session, type Suite } from "./suite.ts";

interface Way {
  readonly id: string;
  readonly label: string;
  readonly entry: string;
  readonly transfer: Transfer;
  readonly requests: number;
  readonly calls: readonly [full: number, few: number];
  readonly perCoreMin?: number;
}

const STUB = "bench/stub/main";

const WAYS: readonly Way[] = [
  {
    id: "batches",
    label: "stub engine, batches of 64",
    entry: STUB,
    transfer: "json",
    requests: 4,
    calls: [200_000, 6400],
    perCoreMin: 30_000,
  },
  {
    id: "lines",
    label: "stub engine, batches of 64 as lines",
    entry: STUB,
    transfer: "ndjson",
    requests: 4,
    calls: [200_000, 6400],
  },
  {
    id: "singles",
    label: "stub engine, single calls, kept alive",
    entry: STUB,
    transfer: "single",
    requests: 32,
    calls: [60_000, 2000],
    perCoreMin: 12_000,
  },
  {
    id: "fastify",
    label: "bare Fastify, one small JSON route",
    entry: "bench/stub/bare-fastify",
    transfer: "single",
    requests: 32,
    calls: [60_000, 2000],
  },
];

const FRONTS = 2;

/** Calls for each second of CPU time of the server: what one core would carry. */
function perCore({ recorded, cpuMs }: LoadResult): number {
  return cpuMs === null ? Number.NaN : (recorded.answered * 1000) / cpuMs;
}

/** Seconds of CPU time of the process that has the queue, and of all fronts together. */
interface Split {
  readonly core: number;
  readonly fronts: number;
}

async function readSplit(service: Service): Promise<Split> {
  const metrics = parseMetrics((await scrape(service.url)) ?? "");
  const seconds = (name: string): number => metrics.get(name) ?? Number.NaN;
  return {
    core: seconds("process_cpu_seconds_total"),
    fronts: seconds("rollcall_front_cpu_seconds_total"),
  };
}

interface Round {
  readonly load: LoadResult;
  readonly cpu: Split;
}

/** Rounds of a way, on a server of its own that is warm. */
async function runWay(session: Session, way: Way, args: readonly string[] = []): Promise<Round[]> {
  const service = await session.startService({ entry: way.entry, args });
  const target = nativeTarget(session, service, way.transfer, way.requests);
  const calls = take(mixOf([TRIVIAL_PYTHON], session.random()), session.size(...way.calls));
  const batch = way.transfer === "single" ? 1 : BATCH;
  const send = (name: string, some: typeof calls) =>
    session.load(name, target, (options) =>
      sendClosed({ ...options, calls: some, requests: way.requests, batch }),
    );
  const label = args.length === 0 ? way.label : `${way.label}, ${FRONTS} fronts`;
  await send(`${label}, warming up`, calls.slice(0, calls.length / 4));
  const rounds: Round[] = [];
  for (let round = 0; round < session.size(3, 1); round += 1) {
    const before = await readSplit(service);
    const load = await send(label, calls);
    const after = await readSplit(service);
    rounds.push({ load, cpu: { core: after.core - before.core, fronts: after.fronts - before.fronts } });
  }
  await service.stop();
  return rounds;
}

async function measureWay(session: Session, way: Way): Promise<Measure[]> {
  const loads = (await runWay(session, way)).map(({ load }) => load);
  return [
    measured(
      {
        id: `${way.id}.per_core`,
        label: way.label,
        unit: "calls/s/core",
        better: "higher",
        ...(way.perCoreMin === undefined ? {} : { target: way.perCoreMin }),
      },
      ...loads.map(perCore),
    ),
    measured(
      {
        id: `${way.id}.rate`,
        label: "  calls/s as sent by one client process",
        unit: "calls/s",
        better: "higher",
      },
      ...loads.map(({ recorded }) => recorded.perSecond),
    ),
    completeness(`${way.id}.right`, "  answered rightly", loads.at(-1) as LoadResult),
  ];
}

/** The same service with fronts: what one call costs each kind of process is what one core of it would carry. */
async function measureFronts(session: Session, way: Way, alone: Measure | undefined): Promise<Measure[]> {
  const rounds = await runWay(session, way, ["--http.processes", String(FRONTS)]);
  const perSecond = (part: keyof Split) => rounds.map(({ load, cpu }) => load.recorded.answered / cpu[part]);
  const ceilings = perSecond("core");
  const unit = "calls/s/core";
  return [
    measured(
      {
        id: `${way.id}.fronts.front`,
        label: `${FRONTS} fronts, ${way.label}: one front`,
        unit,
        better: "higher",
      },
      ...perSecond("fronts"),
    ),
    measured(
      {
        id: `${way.id}.fronts.core`,
        label: "  the core process behind them: the ceiling",
        unit,
        better: "higher",
      },
      ...ceilings,
    ),
    measured(
      {
        id: `${way.id}.fronts.gain`,
        label: "  that ceiling against one process for all",
        unit: "x",
        better: "higher",
      },
      ...ceilings.map((ceiling) => ceiling / (alone?.value ?? Number.NaN)),
    ),
    completeness(`${way.id}.fronts.right`, "  answered rightly", (rounds.at(-1) as Round).load),
  ];
}

export const cores: Suite = {
  name: "cores",
  title: "HTTP and scheduling alone",
  async run(session) {
    const measures: Measure[] = [];
    for (const way of WAYS) measures.push(...(await measureWay(session, way)));
    for (const way of WAYS.filter(({ perCoreMin }) => perCoreMin !== undefined)) {
      const alone = measures.find(({ id }) => id === `${way.id}.per_core`);
      measures.push(...(await measureFronts(session, way, alone)));
    }
    return { measures };
  },
};
