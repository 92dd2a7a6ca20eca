/** How cost grows: with calls in flight, source, output, files and slots. Told, not judged. */
import type { Call } from "../../src/contract/call.ts";
import { take, TRIVIAL_PYTHON, mixOf, type Planned } from "../load/mixes.ts";
import { sendClosed } from "../load/send.ts";
import { measured, type Curve, type LoadResult, type Measure } from "../results/schema.ts";
import type { Target } from "../targets/target.ts";
import { BATCH, cpuPerCall, nativeTarget, saturate } from "./saturate.ts";
import type { Session, Suite } from "./suite.ts";

interface Point {
  readonly x: number;
  readonly load: LoadResult;
}

interface Axis {
  readonly id: string;
  readonly title: string;
  readonly xLabel: string;
}

function planned(fields: Partial<Call>, stdout: string): Planned {
  const { expect } = TRIVIAL_PYTHON;
  const isLong = stdout.length > 1000;
  const output = isLong ? { stdout_bytes: stdout.length } : { stdout };
  return {
    program: { ...TRIVIAL_PYTHON, expect: { outcome: expect.outcome, exit_code: 0, ...output } },
    call: { runtime: "python", source: TRIVIAL_PYTHON.source, ...fields },
  };
}

const withSource = (bytes: number): Planned =>
  planned({ source: `${TRIVIAL_PYTHON.source}#${"x".repeat(Math.max(0, bytes - 16))}\n` }, "42\n");
const withOutput = (bytes: number): Planned =>
  planned({ source: `print("x" * ${bytes - 1})\n` }, `${"x".repeat(bytes - 1)}\n`);
const withFiles = (count: number): Planned =>
  planned(
    {
      files: Object.fromEntries(
        Array.from({ length: count }, (_, index) => [`file-${index}.txt`, "content\n"]),
      ),
    },
    "42\n",
  );

const IN_FLIGHT = [1, 16, 256, 2048, 45_000] as const;
const SIZES = [100, 10_000, 100_000, 1_000_000] as const;
const FILES = [0, 1, 16, 64, 256] as const;
const SLOTS = [1, 2, 4, 8, 16, 32, 64] as const;

async function inFlight(session: Session, target: Target): Promise<Point[]> {
  const points: Point[] = [];
  for (const x of session.quick ? IN_FLIGHT.slice(0, 3) : IN_FLIGHT) {
    const calls = take(
      mixOf([TRIVIAL_PYTHON], session.random()),
      session.size(Math.max(1500, x), Math.max(64, x)),
    );
    const batch = Math.min(BATCH, x);
    const requests = Math.ceil(x / batch);
    const load = await session.load(`${x} in flight`, target, (options) =>
      sendClosed({ ...options, calls, requests, batch }),
    );
    points.push({ x, load });
  }
  return points;
}

async function over(
  session: Session,
  target: Target,
  axis: Axis,
  xs: readonly number[],
  make: (x: number) => Planned,
): Promise<Point[]> {
  const points: Point[] = [];
  for (const x of session.quick ? xs.slice(0, 2) : xs) {
    const calls = Array.from({ length: session.size(512, 32) }, () => make(x));
    points.push({ x, load: await saturate(session, `${x} ${axis.xLabel}`, target, calls) });
  }
  return points;
}

async function slots(session: Session): Promise<Point[]> {
  const points: Point[] = [];
  for (const x of session.quick ? SLOTS.slice(0, 2) : SLOTS) {
    const service = await session.startService({ args: ["--python.slots", String(x)] });
    const target = nativeTarget(session, service, "ndjson");
    const calls = take(mixOf([TRIVIAL_PYTHON], session.random()), session.size(1500, 64));
    await saturate(session, "warming up", target, calls.slice(0, 200));
    points.push({ x, load: await saturate(session, `${x} slots`, target, calls) });
    await service.stop();
  }
  return points;
}

function measuresOf(axis: Axis, points: readonly Point[]): Measure[] {
  return points.flatMap(({ x, load }) => [
    measured(
      {
        id: `${axis.id}.${x}.cpu`,
        label: `${axis.title}, ${x} ${axis.xLabel}`,
        unit: "ms CPU/call",
        better: "lower",
      },
      cpuPerCall(load),
    ),
    measured(
      { id: `${axis.id}.${x}.rate`, label: "  rate", unit: "calls/s", better: "higher" },
      load.recorded.perSecond,
    ),
  ]);
}

function curvesOf(axis: Axis, points: readonly Point[]): Curve[] {
  const line = (name: string, pick: (load: LoadResult) => number) => ({
    name,
    points: points
      .map(({ x, load }) => [Math.max(1, x), pick(load)] as const)
      .filter(([, y]) => Number.isFinite(y)),
  });
  const shared = { xLabel: axis.xLabel, isLogarithmic: true };
  return [
    {
      ...shared,
      title: `${axis.title}: CPU`,
      yLabel: "ms CPU/call",
      lines: [line("CPU of a call", cpuPerCall)],
    },
    {
      ...shared,
      title: `${axis.title}: rate`,
      yLabel: "calls/s",
      lines: [line("calls/s", ({ recorded }) => recorded.perSecond)],
    },
  ];
}

export const sweep: Suite = {
  name: "sweep",
  title: "How cost grows",
  async run(session) {
    const service = await session.startService();
    const target = nativeTarget(session, service, "ndjson", 1024);
    await saturate(session, "warming up", target, take(mixOf([TRIVIAL_PYTHON], session.random()), 200));
    const axes: [Axis, () => Promise<Point[]>][] = [];
    const axis = (id: string, title: string, xLabel: string, run: (one: Axis) => Promise<Point[]>): void => {
      const one = { id, title, xLabel };
      axes.push([one, () => run(one)]);
    };
    axis("in_flight", "Calls in flight", "calls", () => inFlight(session, target));
    axis("source", "Source size", "bytes", (one) => over(session, target, one, SIZES, withSource));
    axis("output", "Output size", "bytes", (one) => over(session, target, one, SIZES, withOutput));
    axis("files", "Files", "files", (one) => over(session, target, one, FILES, withFiles));
    axis("slots", "Slots", "slots", () => slots(session));
    const measures: Measure[] = [];
    const curves: Curve[] = [];
    for (const [one, run] of axes) {
      const points = await run();
      measures.push(...measuresOf(one, points));
      curves.push(...curvesOf(one, points));
    }
    return { measures, curves };
  },
};
