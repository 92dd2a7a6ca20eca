/**
 * Metrics in the Prometheus text format. Implements core's CallObserver; core does not know this file.
 *
 * Hot path: each label set is resolved once and kept, its number bounded by the closed unions of the
 * contract and by the few words of engines. Present values are read when somebody scrapes.
 */
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from "prom-client";
import type { ErrorCode } from "../contract/errors.ts";
import type { CheckKind, VerdictName } from "../contract/verdict.ts";
import type { ReplayEnd } from "../contract/wire.ts";
import type { CallObserver, Observed } from "../core/observer.ts";
import { createLagHistogram } from "./event-loop-lag.ts";
import { createFrontMetrics, type FrontPresent } from "./front-metrics.ts";

/** What the HTTP server tells of itself. */
export interface HttpObserver {
  /** A request was answered with an error. */
  httpError(code: ErrorCode): void;
  /** A verification has its verdict. */
  judged(kind: CheckKind, verdict: VerdictName): void;
  /** A program that runs earlier cells again was answered. */
  replayed(end: ReplayEnd): void;
  /** Registers where present values are read. */
  watchHttp(source: () => HttpPresent | Promise<HttpPresent>): void;
}

export interface HttpPresent {
  readonly connections: number;
  readonly requests: number;
  readonly bodyBytes: number;
  /** The processes that answer HTTP, where they are not this one. */
  readonly fronts?: readonly FrontPresent[];
}

/** What the HTTP server needs of the metrics. */
export interface ServerMetrics {
  readonly observer: HttpObserver;
  /** Content type of {@link text}. */
  readonly contentType: string;
  /** All metrics as text. */
  text(): Promise<string>;
}

export interface Metrics extends ServerMetrics {
  readonly observer: CallObserver & HttpObserver;
  /** A process that answers HTTP ended and another takes its place. */
  frontRestarted(): void;
}

export const METRICS_CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

const SECONDS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 600,
];

/** The child of a label set, made at its first use. */
function remember<T>(make: (a: string, b: string) => T): (a: string, b?: string) => T {
  const children = new Map<string, Map<string, T>>();
  return (a, b = "") => {
    let row = children.get(a);
    if (row === undefined) children.set(a, (row = new Map()));
    let child = row.get(b);
    if (child === undefined) row.set(b, (child = make(a, b)));
    return child;
  };
}

function createFamilies(register: Registry) {
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Counter<L>({ name: `rollcall_${name}`, help, labelNames, registers: [register] });
  const histogram = (name: string, help: string) =>
    new Histogram({
      name: `rollcall_${name}`,
      help,
      labelNames: ["runtime"] as const,
      buckets: SECONDS,
      registers: [register],
    });
  return {
    accepted: counter("calls_accepted_total", "Calls accepted.", ["runtime"]),
    concluded: counter("calls_total", "Calls that have their result, by outcome.", ["runtime", "outcome"]),
    refused: counter("calls_refused_total", "Calls not accepted, by error code.", ["code"]),
    retried: counter("calls_retried_total", "Calls run again after a fault of the service.", ["runtime"]),
    forks: counter("forks_total", "Programs started by a fork of a preloaded interpreter.", ["engine"]),
    faults: counter("sandbox_faults_total", "Sandboxes that failed, by kind.", ["engine", "kind"]),
    restarts: counter("sandbox_restarts_total", "Sandboxes made anew, by reason.", ["engine", "why"]),
    sessionsOpened: counter("sessions_opened_total", "Sessions that came to be, opened or forked.", [
      "runtime",
      "origin",
    ]),
    sessionsEnded: counter("sessions_ended_total", "Sessions that are no more, by reason.", [
      "runtime",
      "why",
    ]),
    sessionOpen: histogram(
      "session_open_seconds",
      "From the request for a session or a fork until it was there.",
    ),
    verdicts: counter("verdicts_total", "Verifications that have their verdict.", ["kind", "verdict"]),
    replays: counter(
      "replays_total",
      "Programs of code-judge's clients that run earlier cells again, by what became of them.",
      ["end"],
    ),
    httpErrors: counter("http_errors_total", "Requests answered with an error, by code.", ["code"]),
    wait: histogram("queue_wait_seconds", "From acceptance of a call to the grant of a slot."),
    start: histogram("start_seconds", "From the grant of a slot to the start of the program."),
    run: histogram("run_seconds", "From the start of the program until its sandbox was clean again."),
  };
}

/** Gauges that are read, never pushed. `registerOn` metrics call back at each scrape. */
function createGauges(
  register: Registry,
  observed: () => Observed | null,
  http: () => HttpPresent | null,
): void {
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name: `rollcall_${name}`,
      help,
      registers: [register],
      collect() {
        this.set(read());
      },
    });
  gauge("queue_calls", "Calls that wait for a slot.", () => observed()?.queuedCalls ?? 0);
  gauge("queue_bytes", "Bytes of the calls that wait for a slot.", () => observed()?.queuedBytes ?? 0);
  gauge("calls_running", "Calls that hold a slot.", () => observed()?.runningCalls ?? 0);
  gauge("http_connections", "Open connections.", () => http()?.connections ?? 0);
  gauge(
    "http_requests",
    "Requests for calls and batches that are being answered.",
    () => http()?.requests ?? 0,
  );
  gauge("http_body_bytes", "Bytes of request bodies that are being received.", () => http()?.bodyBytes ?? 0);
  const sessions = new Gauge({
    name: "rollcall_sessions",
    help: "Sessions that are open.",
    labelNames: ["runtime"] as const,
    registers: [register],
    collect() {
      sessions.reset();
      for (const { runtime, count } of observed()?.sessions ?? []) sessions.set({ runtime }, count);
    },
  });
  const isolation = new Gauge({
    name: "rollcall_isolation_info",
    help: "The tier of isolation of each engine; the value is always 1.",
    labelNames: ["engine", "tier"] as const,
    registers: [register],
    collect() {
      isolation.reset();
      for (const labels of observed()?.tiers ?? []) isolation.set(labels, 1);
    },
  });
  const slots = new Gauge({
    name: "rollcall_slots",
    help: "Slots by engine and state.",
    labelNames: ["engine", "state"] as const,
    registers: [register],
    collect() {
      slots.reset();
      for (const { engine, state, count } of observed()?.slots ?? []) slots.inc({ engine, state }, count);
    },
  });
}

/** A registry of its own, with the process's metrics beside Rollcall's. */
export function createMetrics(): Metrics {
  const register = new Registry();
  collectDefaultMetrics({ register });
  createLagHistogram(register);
  const family = createFamilies(register);
  let observedSource: (() => Observed) | null = null;
  let httpSource: Parameters<HttpObserver["watchHttp"]>[0] | null = null;
  /** As of the scrape at hand. */
  let http: HttpPresent | null = null;
  createGauges(
    register,
    () => observedSource?.() ?? null,
    () => http,
  );
  const frontRestarted = createFrontMetrics(register, () => http?.fronts ?? []);

  const accepted = remember((runtime) => family.accepted.labels(runtime));
  const concluded = remember((runtime, outcome) => family.concluded.labels(runtime, outcome));
  const wait = remember((runtime) => family.wait.labels(runtime));
  const start = remember((runtime) => family.start.labels(runtime));
  const run = remember((runtime) => family.run.labels(runtime));
  const verdicts = remember((kind, verdict) => family.verdicts.labels(kind, verdict));
  const forks = remember((engine) => family.forks.labels(engine));

  return {
    contentType: METRICS_CONTENT_TYPE,
    async text() {
      http = (await httpSource?.()) ?? null;
      return register.metrics();
    },
    frontRestarted,
    observer: {
      accepted: (runtime) => accepted(runtime).inc(),
      refused: (code, calls) => family.refused.inc({ code }, calls),
      granted: (runtime, waitMs) => wait(runtime).observe(waitMs / 1000),
      concluded(runtime, result) {
        concluded(runtime, result.outcome).inc();
        // A call that never started has no start and no run to tell of.
        if (result.timing.started_ms <= 0) return;
        start(runtime).observe(Math.max(0, result.timing.started_ms - result.timing.queued_ms) / 1000);
        run(runtime).observe(result.timing.run_ms / 1000);
      },
      forked: (engine) => forks(engine).inc(),
      fault: (engine, kind) => family.faults.inc({ engine, kind }),
      restarted: (engine, why) => family.restarts.inc({ engine, why }),
      retried: (runtime) => family.retried.inc({ runtime }),
      sessionOpened(runtime, origin, openMs) {
        family.sessionsOpened.inc({ runtime, origin });
        family.sessionOpen.labels(runtime).observe(openMs / 1000);
      },
      sessionEnded: (runtime, why) => family.sessionsEnded.inc({ runtime, why }),
      watch: (source) => void (observedSource = source),
      judged: (kind, verdict) => verdicts(kind, verdict).inc(),
      replayed: (end) => family.replays.inc({ end }),
      httpError: (code) => family.httpErrors.inc({ code }),
      watchHttp: (source) => void (httpSource = source),
    },
  };
}
