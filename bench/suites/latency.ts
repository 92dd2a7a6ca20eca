/** Point 4: how long one call takes, alone, under an open-loop load, and over new connections. */
import { poissonArrivals } from "../load/arrivals.ts";
import { mixOf, take, TRIVIAL_JAVASCRIPT, TRIVIAL_PYTHON } from "../load/mixes.ts";
import { sendBurst, sendClosed, sendOpen } from "../load/send.ts";
import type { Service } from "../machine/service.ts";
import { INTERPRETER } from "../reference/fork-loop.ts";
import { timeBareStart } from "../reference/processes.ts";
import { measured, type LoadResult, type Measure } from "../results/schema.ts";
import { createNativeTarget } from "../targets/native.ts";
import { BATCH, nativeTarget, saturate } from "./saturate.ts";
import { completeness, type Session, type Suite } from "./suite.ts";

const LOAD_SHARE = 0.7;
const BURST = 2048;

async function alone(session: Session, service: Service): Promise<Measure[]> {
  const target = nativeTarget(session, service, "single", 1);
  const oneByOne = (program: typeof TRIVIAL_PYTHON, name: string, count: number) =>
    session.load(name, target, (options) =>
      sendClosed({ ...options, calls: take(mixOf([program], session.random()), count), requests: 1 }),
    );
  await oneByOne(TRIVIAL_PYTHON, "warming up", session.size(300, 20));
  await oneByOne(TRIVIAL_JAVASCRIPT, "warming up", session.size(300, 20));
  const rounds: { python: LoadResult; javascript: LoadResult; startMs: number }[] = [];
  for (let round = 0; round < session.size(3, 1); round += 1) {
    const startMs = timeBareStart(INTERPRETER, session.size(60, 10)).p50Ms;
    const python = await oneByOne(TRIVIAL_PYTHON, "plain Python, alone", session.size(500, 40));
    const javascript = await oneByOne(TRIVIAL_JAVASCRIPT, "JavaScript, alone", session.size(500, 40));
    rounds.push({ python, javascript, startMs });
  }
  const p50 = (load: LoadResult) => load.recorded.latency.p50Ms;
  return [
    measured(
      {
        id: "alone.python.ratio",
        label: "plain Python call alone: p50 against python3 -c pass",
        unit: "x",
        better: "lower",
        target: 0.25,
      },
      ...rounds.map(({ python, startMs }) => p50(python) / startMs),
    ),
    measured(
      { id: "alone.python.p50", label: "  p50", unit: "ms", better: "lower" },
      ...rounds.map(({ python }) => p50(python)),
    ),
    measured(
      { id: "alone.bare", label: "  python3 -c pass", unit: "ms", better: "lower" },
      ...rounds.map(({ startMs }) => startMs),
    ),
    measured(
      {
        id: "alone.python.tail",
        label: "plain Python call alone: p99 against p50",
        unit: "x",
        better: "lower",
        target: 2,
      },
      ...rounds.map(({ python }) => python.recorded.latency.p99Ms / p50(python)),
    ),
    measured(
      {
        id: "alone.javascript.p50",
        label: "JavaScript call alone: p50",
        unit: "ms",
        better: "lower",
        target: 5,
      },
      ...rounds.map(({ javascript }) => p50(javascript)),
    ),
    measured(
      { id: "alone.javascript.tail", label: "  p99 against p50", unit: "x", better: "lower" },
      ...rounds.map(({ javascript }) => javascript.recorded.latency.p99Ms / p50(javascript)),
    ),
  ];
}

/** Poisson arrivals at a share of what the service was just seen to manage. */
async function underLoad(session: Session, service: Service): Promise<Measure[]> {
  const target = nativeTarget(session, service, "single", 1024);
  const draw = mixOf([TRIVIAL_PYTHON], session.random());
  const loads: LoadResult[] = [];
  const saturation = () => saturate(session, "capacity", target, take(draw, session.size(2000, 100)));
  // What Node compiles on its hot path it compiles in the first ten thousand calls or so.
  for (let round = 0; round < session.size(6, 0); round += 1) await saturation();
  for (let round = 0; round < session.size(3, 1); round += 1) {
    const capacity = await saturation();
    const perSecond = capacity.recorded.perSecond * LOAD_SHARE;
    const arrivalsMs = poissonArrivals(perSecond, session.size(20_000, 2000), session.random());
    loads.push(
      await session.load(`open loop at ${perSecond.toFixed(0)} calls/s`, target, (options) =>
        sendOpen({ ...options, draw, arrivalsMs }),
      ),
    );
  }
  const last = loads.at(-1) as LoadResult;
  return [
    measured(
      {
        id: "open.tail",
        label: "open loop at 70 % of capacity: p99 against p50",
        unit: "x",
        better: "lower",
        target: 5,
      },
      ...loads.map(({ recorded }) => recorded.latency.p99Ms / recorded.latency.p50Ms),
    ),
    measured(
      { id: "open.p50", label: "  p50 from the intended time", unit: "ms", better: "lower" },
      ...loads.map(({ recorded }) => recorded.latency.p50Ms),
    ),
    measured(
      { id: "open.send_lag", label: "  p99 of the generator's own lateness", unit: "ms", better: "lower" },
      ...loads.map(({ recorded }) => recorded.sendLag.p99Ms),
    ),
    completeness("open.right", "  answered rightly", last),
  ];
}

/** The same burst over kept and over new connections, in turns. */
async function freshConnections(session: Session, service: Service): Promise<Measure[]> {
  const calls = take(mixOf([TRIVIAL_PYTHON], session.random()), session.size(BURST, 256));
  const { url, pid } = service;
  const connections = Math.ceil(calls.length / BATCH);
  const open = (freshConnections: boolean) =>
    session.use(createNativeTarget({ url, pid, transfer: "json", connections, freshConnections }));
  const kept = open(false);
  const fresh = open(true);
  const burst = async (name: string, target: typeof kept) => {
    const load = await session.load(name, target, (options) =>
      sendBurst({ ...options, calls, batch: BATCH }),
    );
    return load.recorded.elapsedMs;
  };
  await burst("burst, warming up", kept);
  const ratios: number[] = [];
  for (let round = 0; round < session.size(7, 1); round += 1) {
    const keptMs = await burst("burst, kept connections", kept);
    ratios.push((await burst("burst, new connections", fresh)) / keptMs);
  }
  return [
    measured(
      {
        id: "connections",
        label: "burst over new connections against kept ones: time",
        unit: "x",
        better: "lower",
        target: 1.1,
      },
      ...ratios,
    ),
  ];
}

export const latency: Suite = {
  name: "latency",
  title: "How long a call takes",
  async run(session) {
    const service = await session.startService();
    const measures = await alone(session, service);
    measures.push(...(await underLoad(session, service)), ...(await freshConnections(session, service)));
    return { measures };
  },
};
