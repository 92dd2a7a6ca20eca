/** Point 5: the calls of a whole step at once. */
import { createMix, take } from "../load/mixes.ts";
import { sendBurst } from "../load/send.ts";
import { measured, type LoadResult, type Measure } from "../results/schema.ts";
import type { Transfer } from "../targets/native.ts";
import { BATCH, cpuPerCall, nativeTarget } from "./saturate.ts";
import { completeness, highest, refusals, RSS_BYTES_MAX, sum, type Session, type Suite } from "./suite.ts";

const CALLS = 45_000;
const LAG_MS_MAX = 50;
/** Of the rate at the start, what is left at the end when nothing slows down but the noise. */
const SLOPE_MIN = 0.9;
/** Beyond these the client waits; the service admits 10,000 by default. */
const SINGLE_CONNECTIONS = 4096;
const TENTH = 0.1;

/** The rate over the last tenth of the answers against that over the first. */
export function slopeOf(thousandsMs: readonly number[]): number {
  const width = Math.max(1, Math.floor(thousandsMs.length * TENTH));
  const durations = thousandsMs.map((atMs, index) => atMs - (thousandsMs[index - 1] ?? 0));
  const first = sum(durations.slice(0, width));
  const last = sum(durations.slice(-width));
  return durations.length < 2 ? Number.NaN : first / last;
}

function tell(id: string, label: string, load: LoadResult): Measure[] {
  return [
    completeness(`${id}.right`, `${label}: answered rightly`, load),
    refusals(`${id}.refused`, load),
    measured(
      {
        id: `${id}.rss`,
        label: "  highest RSS of the server's process",
        unit: "MiB",
        better: "lower",
        target: RSS_BYTES_MAX / 2 ** 20,
      },
      highest(load, (sample) => sample.rssBytes) / 2 ** 20,
    ),
    measured(
      {
        id: `${id}.lag_p99`,
        label: "  event-loop lag, p99",
        unit: "ms",
        better: "lower",
        target: LAG_MS_MAX,
      },
      load.lagMs ?? Number.NaN,
    ),
    measured(
      {
        id: `${id}.lag_second`,
        label: "  the same of its worst second",
        unit: "ms",
        better: "lower",
      },
      highest(load, (sample) => sample.lagMs),
    ),
    measured(
      {
        id: `${id}.slope`,
        label: "  rate of the last tenth against the first",
        unit: "x",
        better: "higher",
        target: SLOPE_MIN,
      },
      slopeOf(load.recorded.thousandsMs),
    ),
    measured(
      { id: `${id}.rate`, label: "  calls/s", unit: "calls/s", better: "higher" },
      load.recorded.perSecond,
    ),
    measured({ id: `${id}.cpu`, label: "  CPU", unit: "ms CPU/call", better: "lower" }, cpuPerCall(load)),
  ];
}

async function burst(session: Session, transfer: Transfer, label: string): Promise<Measure[]> {
  // A service of its own, so that its memory is that of this burst.
  const service = await session.startService();
  const calls = take(createMix("light", session.random()), session.size(CALLS, 2000));
  const batch = transfer === "single" ? 1 : BATCH;
  const connections = Math.min(SINGLE_CONNECTIONS, Math.ceil(calls.length / batch));
  const target = nativeTarget(session, service, transfer, connections);
  const load = await session.load(label, target, (options) => sendBurst({ ...options, calls, batch }));
  await service.stop();
  return tell(transfer, label, load);
}

export const burstSuite: Suite = {
  name: "burst",
  title: "45,000 calls at once",
  async run(session) {
    const batches = await burst(session, "ndjson", "burst in batches");
    return { measures: [...batches, ...(await burst(session, "single", "burst of single calls"))] };
  },
};
