/** Result files as a run would write them. */
import { mixOf, take, TRIVIAL_PYTHON } from "../../bench/load/mixes.ts";
import { Recorder } from "../../bench/load/recorder.ts";
import { measured, notGiven, SCHEMA, type Measure, type ResultFile } from "../../bench/results/schema.ts";

export function ratio(id: string, ...rounds: number[]): Measure {
  return measured({ id, label: `ratio ${id}`, unit: "x", better: "higher", target: 2 }, ...rounds);
}

export function cost(id: string, ...rounds: number[]): Measure {
  return measured({ id, label: `cost ${id}`, unit: "ms CPU/call", better: "lower" }, ...rounds);
}

export function resultFile(measures: readonly Measure[]): ResultFile {
  const recorder = new Recorder();
  for (const [index, { program }] of take(
    mixOf([TRIVIAL_PYTHON], () => 0),
    3000,
  ).entries()) {
    recorder.sent(1, 0);
    const complaint = index === 7 ? "a <wrong> answer" : null;
    recorder.answer(
      program.kind,
      { outcome: "completed", complaint },
      index,
      index * 1.5,
      program.warm_cpu_ms,
    );
  }
  const sample = {
    busyCores: 1.5,
    rssBytes: 1 << 28,
    treeRssBytes: 1 << 29,
    queuedCalls: 10,
    runningCalls: 4,
    lagMs: 12,
  };
  return {
    schema: SCHEMA,
    date: "2026-01-02T03:04:05.000Z",
    origin: { commit: "0123456789abcdef", changed: false },
    machine: {
      cpu: 'A "CPU" <fast>',
      cores: 2,
      memoryBytes: 8 << 30,
      kernel: "Linux 6",
      node: "v24",
      python: "3.13",
      loadBefore: 0.1,
    },
    quick: true,
    flags: ["--suite", "all"],
    suites: [
      {
        name: "peers",
        title: "Peers & others",
        seconds: 3,
        measures: [
          ...measures,
          notGiven({ id: "absent", label: "absent", unit: "x", better: "higher", target: 2 }, "--piston URL"),
        ],
        loads: [
          {
            name: "light",
            target: "rollcall",
            recorded: recorder.report(),
            cpuMs: 100,
            containersCpuMs: null,
            lagMs: 4,
            samples: [
              { atMs: 0, ...sample },
              { atMs: 1000, ...sample },
            ],
          },
        ],
        curves: [
          {
            title: "Cost",
            xLabel: "calls",
            yLabel: "ms",
            isLogarithmic: true,
            lines: [
              {
                name: "cost",
                points: [
                  [1, 2],
                  [45_000, 3],
                ],
              },
            ],
          },
        ],
        failure: null,
      },
    ],
  };
}
