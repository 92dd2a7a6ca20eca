/** Looks at a service while it is under load: CPU, memory, event-loop lag, queue. */
import { readTree } from "./cpu.ts";
import { parseBuckets, parseMetrics, quantileOfBuckets, scrape, type Bucket } from "./prometheus.ts";

/** One look; null for what could not be seen. */
export interface Sample {
  /** From the start of the load. Milliseconds. */
  readonly atMs: number;
  /** Cores kept busy since the look before, by the process and all its children. */
  readonly busyCores: number | null;
  readonly rssBytes: number | null;
  readonly treeRssBytes: number | null;
  readonly queuedCalls: number | null;
  readonly runningCalls: number | null;
  /** 99th percentile of the event loop's lag since the look before, up to the bound of its bucket. */
  readonly lagMs: number | null;
}

export interface Sampled {
  readonly samples: readonly Sample[];
  /** 99th percentile of the event loop's lag from the first look to the last, up to the bound of its bucket. */
  readonly lagMs: number | null;
}

export interface Sampler {
  /** Looks a last time and gives all that was seen. */
  stop(): Promise<Sampled>;
}

export interface SamplerOptions {
  readonly pid: number | null;
  readonly metricsUrl: string | null;
  readonly everyMs?: number;
}

const EVERY_MS = 1000;
const LAG_SHARE = 0.99;

/** 99th percentile of a histogram's observations between two looks at it; null when there is none. Milliseconds. */
function lagBetween(before: readonly Bucket[], after: readonly Bucket[]): number | null {
  const since = after.map(({ atMost, count }, index) => ({
    atMost,
    count: count - (before[index]?.count ?? 0),
  }));
  const seconds = quantileOfBuckets(since, LAG_SHARE);
  return Number.isNaN(seconds) ? null : seconds * 1000;
}

interface Before {
  readonly at: number;
  readonly cpuMs: number | null;
  readonly lag: readonly Bucket[];
}

async function look(
  { pid, metricsUrl }: SamplerOptions,
  startedAt: number,
  before: Before,
): Promise<{ sample: Sample; before: Before }> {
  const text = metricsUrl === null ? null : await scrape(metricsUrl);
  const metrics = text === null ? null : parseMetrics(text);
  const lag = text === null ? [] : parseBuckets(text, "rollcall_event_loop_lag_seconds");
  const tree = pid === null ? null : readTree(pid);
  const at = performance.now();
  const cpuMs = tree?.totalMs ?? null;
  const busy =
    cpuMs === null || before.cpuMs === null || at <= before.at
      ? null
      : (cpuMs - before.cpuMs) / (at - before.at);
  const sample: Sample = {
    atMs: at - startedAt,
    busyCores: busy,
    rssBytes: tree?.rssBytes ?? null,
    treeRssBytes: tree?.treeRssBytes ?? null,
    queuedCalls: metrics?.get("rollcall_queue_calls") ?? null,
    runningCalls: metrics?.get("rollcall_calls_running") ?? null,
    lagMs: lagBetween(before.lag, lag),
  };
  return { sample, before: { at, cpuMs, lag } };
}

/** Starts to look; the first look, from which the second counts, is not kept. */
export async function startSampler(options: SamplerOptions): Promise<Sampler> {
  const samples: Sample[] = [];
  const startedAt = performance.now();
  let { before } = await look(options, startedAt, { at: startedAt, cpuMs: null, lag: [] });
  const { lag: lagAtStart } = before;
  let looking: Promise<void> | null = null;
  const once = async (): Promise<void> => {
    const seen = await look(options, startedAt, before);
    before = seen.before;
    samples.push(seen.sample);
  };
  const timer = setInterval(() => {
    // A look that takes longer than the interval is not overtaken by the next.
    looking ??= once().finally(() => (looking = null));
  }, options.everyMs ?? EVERY_MS);
  return {
    async stop() {
      clearInterval(timer);
      await (looking ?? Promise.resolve());
      await once();
      return { samples, lagMs: lagBetween(lagAtStart, before.lag) };
    },
  };
}
