/**
 * A soak: the real service as a child, a warm-up, then load in portions with a sample after each, taken when the
 * service is quiet. What it holds then is what earlier calls left behind.
 */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "../../src/client/index.ts";
import { remainsOf } from "../../test/support/leftovers.ts";
import { allForkServers } from "../../test/support/fork-servers.ts";
import { type Service, startService } from "../../test/support/service.ts";
import { createPoster } from "../../bench/peers/driver.ts";
import { createPlan, sendLoad, warmUp } from "./load.ts";
import { isQuiet, readMetrics } from "./metrics.ts";
import { type Sample, SERIES, type SeriesName, takeSample } from "./sample.ts";
import { newTally, type Tally } from "./tally.ts";
import { judgeTrend, type Trend } from "./trend.ts";

export interface SoakOptions {
  readonly calls: number;
  readonly inFlight: number;
  readonly samples: number;
  readonly seed: number;
  readonly signal: AbortSignal;
  readonly onProgress?: (tally: Tally, seconds: number) => void;
  readonly onSample?: (sample: Sample) => void;
}

export interface SoakReport {
  readonly tally: Tally;
  readonly samples: readonly Sample[];
  readonly trends: Readonly<Record<SeriesName, Trend>>;
  readonly seconds: number;
  /** By the service's own count: calls accepted and calls that got their Result. */
  readonly accepted: number;
  readonly concluded: number;
  /** By kind, as the service counted them. */
  readonly faults: number;
  readonly restarts: number;
  readonly exitCode: number | null;
  /** Cgroups and files that were there after the service ended. */
  readonly remains: readonly string[];
}

/** Calls of the same mix before the first sample: this share of what is asked for, at most so many. */
const WARM_SHARE = 0.2;
const WARM_CALLS_MAX = 400;
const PROGRESS_MS = 1000;
/** Of a submission to code-judge's door, on a machine however busy. Milliseconds. */
const JUDGE_WALL_MS = 60_000;
/** How long what a sandbox still has to clear away may take. Milliseconds. */
const QUIET_MS_MAX = 20_000;
const LOOK_MS = 50;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until no call is in flight, every slot is idle and there are no more processes than before. */
async function settle(take: () => Promise<Sample>, url: string, first: Sample | undefined): Promise<Sample> {
  let sample = await take();
  for (let waited = 0; waited < QUIET_MS_MAX; waited += LOOK_MS) {
    const same =
      first === undefined || (sample.processes === first.processes && sample.cgroups === first.cgroups);
    if (same && (await isQuiet(url))) break;
    await pause(LOOK_MS);
    sample = await take();
  }
  return sample;
}

export function trendsOf(samples: readonly Sample[]): Record<SeriesName, Trend> {
  const entries = SERIES.map(({ name, tolerance }) => {
    const points = samples.map((sample) => ({ calls: sample.calls, value: sample[name] }));
    return [name, judgeTrend(points, tolerance)] as const;
  });
  return Object.fromEntries(entries) as Record<SeriesName, Trend>;
}

/** The load and its samples. */
async function loadAndSample(
  service: Service,
  stateDirectory: string,
  options: SoakOptions,
): Promise<Pick<SoakReport, "tally" | "samples" | "seconds">> {
  const client = createClient({
    baseUrl: service.url,
    connections: options.inFlight,
    retry: { attemptsMax: 1 },
  });
  const poster = createPoster({ url: service.url, connections: options.inFlight, pid: null });
  const doors = { client, post: (path: string, body: unknown) => poster.post(path, body) };
  const tally = newTally();
  const plan = createPlan(options.seed);
  const { signal, inFlight } = options;
  await allForkServers(client);
  await warmUp(client, (await readMetrics(service.url)).value("rollcall_slots"));
  await sendLoad(doors, plan, tally, {
    sentMax: Math.min(WARM_CALLS_MAX, options.calls * WARM_SHARE),
    inFlight,
    signal,
  });
  const warmUpCalls = tally.sent;
  const startedMs = performance.now();
  const seconds = () => (performance.now() - startedMs) / 1000;
  const progress = setInterval(() => options.onProgress?.(tally, seconds()), PROGRESS_MS);
  const target = { pid: service.process.pid as number, url: service.url, stateDirectory };
  const samples: Sample[] = [];
  try {
    for (let number = 0; number <= options.samples && !signal.aborted; number++) {
      const due = Math.round((options.calls * number) / options.samples);
      await sendLoad(doors, plan, tally, { sentMax: warmUpCalls + due, inFlight, signal });
      const take = () => takeSample(target, tally.answered, seconds());
      const sample = await settle(take, service.url, samples[0]);
      samples.push(sample);
      options.onSample?.(sample);
    }
    return { tally, samples, seconds: seconds() };
  } finally {
    clearInterval(progress);
    await Promise.all([client.close(), poster.close()]);
  }
}

export async function soak(options: SoakOptions): Promise<SoakReport> {
  const stateDirectory = mkdtempSync(join(tmpdir(), "rollcall-soak-"));
  chmodSync(stateDirectory, 0o755);
  const service = await startService([
    `--container.stateDirectory=${stateDirectory}`,
    "--wire",
    "code-judge",
    `--wire.code-judge.wallMs=${JUDGE_WALL_MS}`,
  ]);
  const pid = service.process.pid as number;
  try {
    const done = await loadAndSample(service, stateDirectory, options);
    const metrics = await readMetrics(service.url);
    const exitCode = await service.stop();
    return {
      ...done,
      trends: trendsOf(done.samples),
      accepted: metrics.value("rollcall_calls_accepted_total"),
      concluded: metrics.value("rollcall_calls_total"),
      faults: metrics.value("rollcall_sandbox_faults_total"),
      restarts: metrics.value("rollcall_sandbox_restarts_total"),
      exitCode,
      remains: remainsOf(pid, stateDirectory),
    };
  } finally {
    service.process.kill("SIGKILL");
    rmSync(stateDirectory, { recursive: true, force: true });
  }
}

/** Everything that is not as promised, a sentence each; none when all is. */
export function complaints(report: SoakReport): string[] {
  const { tally, trends } = report;
  const grown = SERIES.filter(({ name }) => trends[name].grows);
  return [
    ...(tally.lost > 0 ? [`${tally.lost} calls were lost`] : []),
    ...(tally.wrong > 0 ? [`${tally.wrong} answers were wrong`] : []),
    ...(report.accepted === report.concluded
      ? []
      : [`${report.accepted} calls were accepted and ${report.concluded} concluded`]),
    ...grown.map(({ name, label }) => `${label} grows: ${trends[name].slope.toFixed(3)} per 1,000 calls`),
    ...(report.exitCode === 0 ? [] : [`the service ended with ${report.exitCode}`]),
    ...report.remains.map((what) => `left behind: ${what}`),
  ];
}
