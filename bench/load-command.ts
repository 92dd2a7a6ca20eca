/** `rollcall bench --load`: one load that is put together from flags, as a suite of its own. */
import { burstArrivals, constantArrivals, poissonArrivals } from "./load/arrivals.ts";
import { createMix, only, take } from "./load/mixes.ts";
import { sendClosed, sendOpen, type SendOptions } from "./load/send.ts";
import { FlagError, type LoadFlags } from "./flags.ts";
import { createCommandTarget } from "./peers/command.ts";
import { coldEnvironment } from "./reference/fork-loop.ts";
import { measured } from "./results/schema.ts";
import { cpuPerCall } from "./suites/saturate.ts";
import { completeness, type Session, type Suite } from "./suites/suite.ts";
import { createDoorTarget, doorFlags, openDoor } from "./targets/door.ts";
import { createEmbeddedTarget } from "./targets/embedded.ts";
import { createNativeTarget } from "./targets/native.ts";
import type { Target } from "./targets/target.ts";

const CONNECTIONS = 4096;

async function makeTarget(flags: LoadFlags, session: Session): Promise<Target> {
  if (flags.target === "embedded") return createEmbeddedTarget();
  if (flags.target === "command") {
    const [name = "/usr/bin/python3", ...args] = flags.command.split(/\s+/);
    return createCommandTarget({ command: [name, ...args], env: coldEnvironment() });
  }
  if (flags.target !== "rollcall") {
    const make = session.peers.get(flags.target);
    if (make === undefined) throw new FlagError(`--target ${flags.target} needs --${flags.target} URL`);
    return make();
  }
  const shared = { connections: CONNECTIONS, ...(flags.key === null ? {} : { key: flags.key }) };
  const { api, url, pid, transfer } = flags;
  if (api !== "native") {
    if (url !== null) return openDoor(api, { ...shared, url, pid });
    const service = await session.startService({ args: doorFlags([api]) });
    return createDoorTarget(api, { ...shared, url: service.url, pid: service.pid });
  }
  const service = url === null ? await session.startService() : { url, pid };
  return createNativeTarget({ ...shared, url: service.url, pid: service.pid, transfer });
}

function arrivalsOf(flags: LoadFlags, random: () => number): Iterable<number> {
  const durationMs = flags.seconds * 1000;
  if (flags.arrivals === "constant") return constantArrivals(flags.rate, durationMs);
  if (flags.arrivals === "burst") return burstArrivals(flags.burst, flags.everyMs, durationMs);
  return poissonArrivals(flags.rate, durationMs, random);
}

function send(flags: LoadFlags, session: Session, target: Target, options: SendOptions): Promise<void> {
  const random = session.random();
  const draw = only(createMix(flags.mix, random), target.runs);
  const batch = Math.min(flags.batch, target.batchMax);
  if (flags.arrivals === "closed")
    return sendClosed({ ...options, calls: take(draw, flags.calls), requests: flags.requests, batch });
  return sendOpen({ ...options, draw, batch, arrivalsMs: arrivalsOf(flags, random) });
}

export function createLoadSuite(flags: LoadFlags): Suite {
  return {
    name: "load",
    title: `${flags.arrivals} arrivals, ${flags.mix} mix`,
    async run(session) {
      const target = session.use(await makeTarget(flags, session));
      const load = await session.load(flags.mix, target, (options) => send(flags, session, target, options));
      const { latency, perSecond, sendLag } = load.recorded;
      const tell = (
        id: string,
        label: string,
        unit: string,
        value: number,
        better: "lower" | "higher" = "lower",
      ) => measured({ id, label, unit, better }, value);
      return {
        measures: [
          completeness("right", "answered rightly", load),
          tell("rate", "calls/s", "calls/s", perSecond, "higher"),
          tell("p50", "p50 from the intended time", "ms", latency.p50Ms),
          tell("p90", "p90", "ms", latency.p90Ms),
          tell("p99", "p99", "ms", latency.p99Ms),
          tell("p999", "p99.9", "ms", latency.p999Ms),
          tell("max", "slowest", "ms", latency.maxMs),
          tell("send_lag", "p99 of the generator's own lateness", "ms", sendLag.p99Ms),
          tell("cpu", "CPU of the target and its children", "ms CPU/call", cpuPerCall(load)),
        ],
      };
    },
  };
}
