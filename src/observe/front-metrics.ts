/** Metrics of the front processes, which the process that has this registry asks for at each scrape. */
import { Counter, Gauge, type Registry } from "prom-client";

export interface FrontPresent {
  /** Its place among them, from 0; another that takes its place has its name. */
  readonly name: string;
  readonly connections: number;
  /** CPU time since its start. Seconds. */
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  /** 99th percentile of the event loop's lag since the last scrape. Seconds. */
  readonly lagSeconds: number;
}

/** @returns what counts a front that ended and was replaced. */
export function createFrontMetrics(register: Registry, fronts: () => readonly FrontPresent[]): () => void {
  const gauge = (name: string, help: string, read: (front: FrontPresent) => number): void => {
    const one = new Gauge({
      name: `rollcall_front_${name}`,
      help,
      labelNames: ["front"] as const,
      registers: [register],
      collect() {
        one.reset();
        for (const front of fronts()) one.set({ front: front.name }, read(front));
      },
    });
  };
  gauge("connections", "Open connections of a front process.", ({ connections }) => connections);
  gauge("resident_memory_bytes", "Resident memory of a front process.", ({ residentBytes }) => residentBytes);
  gauge(
    "eventloop_lag_p99_seconds",
    "99th percentile of the event loop's lag of a front process since the last scrape.",
    ({ lagSeconds }) => lagSeconds,
  );
  const cpu = new Counter({
    name: "rollcall_front_cpu_seconds_total",
    help: "CPU time of a front process.",
    labelNames: ["front"] as const,
    registers: [register],
    collect() {
      cpu.reset();
      for (const { name, cpuSeconds } of fronts()) cpu.inc({ front: name }, cpuSeconds);
    },
  });
  const restarts = new Counter({
    name: "rollcall_front_restarts_total",
    help: "Front processes that ended and were replaced.",
    registers: [register],
  });
  return () => restarts.inc();
}
