/** The same calls through the native API and through each drop-in API of one service: what a door costs. */
import { createMix, only, take } from "../load/mixes.ts";
import { measured, type LoadResult, type Measure } from "../results/schema.ts";
import { API_NAMES, createDoorTarget, doorFlags } from "../targets/door.ts";
import type { Service } from "../machine/service.ts";
import type { Target } from "../targets/target.ts";
import { cpuPerCall, nativeTarget, saturate } from "./saturate.ts";
import { completeness, type Session, type Suite } from "./suite.ts";

const MIX = "light";
const CONNECTIONS = 64;

type Shape = "single" | "json";

interface Door {
  readonly id: string;
  readonly target: Target;
  /** How the native API is asked for the comparison: as many calls a request as here. */
  readonly shape: Shape;
  /** The original's own server, where it was given. */
  readonly peer: Target | null;
}

interface Loads {
  readonly load: LoadResult;
  readonly peer: LoadResult | null;
}

interface Round {
  readonly native: Readonly<Record<Shape, LoadResult>>;
  readonly doors: ReadonlyMap<Door, Loads>;
}

/** The calls of the mix that a target can be asked for; the same ones for two targets that run the same programs. */
function callsFor(session: Session, target: Target) {
  return take(only(createMix(MIX, session.random()), target.runs), session.size(600, 32));
}

function measureOnce(session: Session, target: Target): Promise<LoadResult> {
  return saturate(session, `${MIX} mix`, target, callsFor(session, target));
}

function tell(door: Door, rounds: readonly Round[]): Measure[] {
  const { id, target, shape } = door;
  const loads = rounds.flatMap(({ native, doors: all }) => {
    const seen = all.get(door);
    return seen === undefined ? [] : [{ ...seen, native: native[shape] }];
  });
  const rate = ({ recorded }: LoadResult) => recorded.perSecond;
  const peers = loads.flatMap(({ load, peer }) => (peer === null ? [] : [rate(load) / rate(peer)]));
  const against = { id: `${id}.peer`, label: "  calls/s against the original", unit: "x" } as const;
  return [
    completeness(`${id}.right`, `${target.name}: answered rightly`, (loads.at(-1) as Loads).load),
    measured(
      { id: `${id}.ratio`, label: "  calls/s against the native API", unit: "x", better: "higher" },
      ...loads.map(({ load, native }) => rate(load) / rate(native)),
    ),
    measured(
      { id: `${id}.cpu_ratio`, label: "  CPU of a call against the native API", unit: "x", better: "lower" },
      ...loads.map(({ load, native }) => cpuPerCall(load) / cpuPerCall(native)),
    ),
    measured(
      { id: `${id}.rate`, label: "  calls/s", unit: "calls/s", better: "higher" },
      ...loads.map(({ load }) => rate(load)),
    ),
    ...(peers.length === 0 ? [] : [measured({ ...against, better: "higher" }, ...peers)]),
  ];
}

function tellNative(shape: Shape, label: string, rounds: readonly Round[]): Measure[] {
  const loads = rounds.map(({ native }) => native[shape]);
  return [
    completeness(`native.${shape}.right`, `${label}: answered rightly`, loads.at(-1) as LoadResult),
    measured(
      { id: `native.${shape}.rate`, label: "  calls/s", unit: "calls/s", better: "higher" },
      ...loads.map(({ recorded }) => recorded.perSecond),
    ),
    measured(
      { id: `native.${shape}.cpu`, label: "  CPU", unit: "ms CPU/call", better: "lower" },
      ...loads.map(cpuPerCall),
    ),
  ];
}

function openAll(session: Session, { url, pid }: Service): Door[] {
  return API_NAMES.map((id) => {
    const target = session.use(createDoorTarget(id, { url, pid, connections: CONNECTIONS }));
    const peer = session.peers.get(id);
    return {
      id,
      target,
      shape: target.batchMax > 1 ? "json" : "single",
      peer: peer === undefined ? null : session.use(peer()),
    };
  });
}

export const doors: Suite = {
  name: "doors",
  title: "The drop-in APIs against the native one",
  async run(session) {
    const service = await session.startService({ args: doorFlags(API_NAMES) });
    const single = nativeTarget(session, service, "single", CONNECTIONS);
    const json = nativeTarget(session, service, "json", CONNECTIONS);
    const open = openAll(session, service);
    await saturate(session, "warming up", json, callsFor(session, json));
    const rounds: Round[] = [];
    for (let index = 0; index < session.size(3, 1); index += 1) {
      const native = { single: await measureOnce(session, single), json: await measureOnce(session, json) };
      const seen = new Map<Door, Loads>();
      for (const door of open) {
        const load = await measureOnce(session, door.target);
        seen.set(door, { load, peer: door.peer === null ? null : await measureOnce(session, door.peer) });
      }
      rounds.push({ native, doors: seen });
    }
    return {
      measures: [
        ...tellNative("json", "native API, batches", rounds),
        ...tellNative("single", "native API, single calls", rounds),
        ...open.flatMap((door) => tell(door, rounds)),
      ],
    };
  },
};
