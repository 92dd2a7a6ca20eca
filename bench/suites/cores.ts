/** Point 7: HTTP and scheduling alone, in front of an engine that answers at once. */
import { mixOf, take, TRIVIAL_PYTHON } from "../load/mixes.ts";
import { sendClosed } from "../load/send.ts";
import { measured, notGiven, type LoadResult, type Measure } from "../results/schema.ts";
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

/** Calls for each second of CPU time of the server: what one core would carry. */
function perCore({ recorded, cpuMs }: LoadResult): number {
  return cpuMs === null ? Number.NaN : (recorded.answered * 1000) / cpuMs;
}

async function measureWay(session: Session, way: Way): Promise<Measure[]> {
  const service = await session.startService({ entry: way.entry });
  const target = nativeTarget(session, service, way.transfer, way.requests);
  const calls = take(mixOf([TRIVIAL_PYTHON], session.random()), session.size(...way.calls));
  const batch = way.transfer === "single" ? 1 : BATCH;
  const send = (name: string, some: typeof calls) =>
    session.load(name, target, (options) =>
      sendClosed({ ...options, calls: some, requests: way.requests, batch }),
    );
  await send(`${way.label}, warming up`, calls.slice(0, calls.length / 4));
  const loads: LoadResult[] = [];
  for (let round = 0; round < session.size(3, 1); round += 1) loads.push(await send(way.label, calls));
  await service.stop();
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

export const cores: Suite = {
  name: "cores",
  title: "HTTP and scheduling alone",
  async run(session) {
    const measures: Measure[] = [];
    for (const way of WAYS) measures.push(...(await measureWay(session, way)));
    measures.push(
      notGiven(
        { id: "processes", label: "server processes on one port, against one", unit: "x", better: "higher" },
        "the service is one process",
      ),
    );
    return { measures };
  },
};
