/** The plots of one load: what its callers saw, and what the service did meanwhile. */
import { Histogram } from "../load/histogram.ts";
import type { Sample } from "../machine/sampler.ts";
import type { LoadResult } from "../results/schema.ts";
import { drawPlot } from "../../src/lib/line-plot.ts";

const MIB = 2 ** 20;
const TIME = "seconds";
const QUANTILES = [0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995, 0.9999] as const;

/** As many as there are colours. */
const LINES_MAX = 4;

type Points = (readonly [number, number])[];

function sampled(samples: readonly Sample[], pick: (sample: Sample) => number | null): Points {
  return samples.flatMap((sample) => {
    const value = pick(sample);
    return value === null ? [] : [[sample.atMs / 1000, value] as const];
  });
}

function percentiles({ recorded }: LoadResult): string {
  const histogram = Histogram.from(recorded.histogram);
  // As many nines as the number of answers can tell apart.
  const shown = QUANTILES.filter((share) => share === 0 || (1 - share) * histogram.count >= 1);
  const nines = (share: number): number => -Math.log10(1 - share);
  return drawPlot({
    title: "Latency by percentile",
    yLabel: "ms",
    xLabel: "percentile",
    lines: [
      { name: "latency", points: shown.map((share) => [nines(share), histogram.quantile(share)] as const) },
    ],
    xTicks: shown
      .filter((share) => [0, 0.5, 0.9, 0.99, 0.999, 0.9999].includes(share))
      .map((share) => [nines(share), share === 0 ? "min" : `p${Number((share * 100).toFixed(2))}`] as const),
  });
}

function callers(load: LoadResult): string[] {
  const { seconds } = load.recorded;
  const over = (pick: (second: (typeof seconds)[number]) => number): Points =>
    seconds.flatMap((second, index) => (second.answered === 0 ? [] : [[index, pick(second)] as const]));
  return [
    drawPlot({
      title: "Latency over time",
      yLabel: "ms from the intended time",
      xLabel: TIME,
      lines: [
        { name: "p50", points: over((second) => second.p50Ms) },
        { name: "p99", points: over((second) => second.p99Ms) },
        { name: "slowest", points: over((second) => second.maxMs ?? Number.NaN) },
      ],
    }),
    percentiles(load),
    drawPlot({
      title: "Throughput",
      yLabel: "answers each second",
      xLabel: TIME,
      lines: [{ name: "answers", points: seconds.map((second, index) => [index, second.answered] as const) }],
    }),
    outcomes(load),
  ];
}

/** The commonest outcomes by themselves, the rest as one line. */
function outcomes({ recorded }: LoadResult): string {
  const names = Object.entries(recorded.outcomes)
    .toSorted(([, one], [, two]) => two - one)
    .map(([name]) => name);
  const isMany = names.length > LINES_MAX;
  const shown = isMany ? names.slice(0, LINES_MAX - 1) : names;
  const lineOf = (name: string, members: readonly string[]) => ({
    name,
    points: recorded.seconds.flatMap(({ outcomes: counts }, index) =>
      counts === undefined
        ? []
        : [[index, members.reduce((sum, member) => sum + (counts[member] ?? 0), 0)] as const],
    ),
  });
  return drawPlot({
    title: "Outcomes",
    yLabel: "answers each second",
    xLabel: TIME,
    lines: [
      ...shown.map((name) => lineOf(name, [name])),
      ...(isMany ? [lineOf("others", names.slice(shown.length))] : []),
    ],
  });
}

function service({ samples }: LoadResult): string[] {
  return [
    drawPlot({
      title: "CPU",
      yLabel: "busy cores, all processes",
      xLabel: TIME,
      lines: [{ name: "busy cores", points: sampled(samples, (one) => one.busyCores) }],
    }),
    drawPlot({
      title: "Waiting",
      yLabel: "calls in the queue",
      xLabel: TIME,
      lines: [{ name: "waiting", points: sampled(samples, (one) => one.queuedCalls) }],
    }),
    drawPlot({
      title: "Running",
      yLabel: "calls that hold a slot",
      xLabel: TIME,
      lines: [{ name: "running", points: sampled(samples, (one) => one.runningCalls) }],
    }),
    drawPlot({
      title: "Memory",
      yLabel: "MiB resident, server process",
      xLabel: TIME,
      lines: [
        {
          name: "server",
          points: sampled(samples, (one) => (one.rssBytes === null ? null : one.rssBytes / MIB)),
        },
      ],
    }),
    drawPlot({
      title: "Event-loop lag",
      yLabel: "ms, p99 of each look",
      xLabel: TIME,
      lines: [{ name: "lag", points: sampled(samples, (one) => one.lagMs) }],
    }),
  ];
}

export function loadPlots(load: LoadResult): string {
  const plots = [...callers(load), ...service(load)].filter((plot) => plot !== "");
  return `<div class="plots">${plots.join("")}</div>`;
}
