/**
 * How late the event loop is, as a histogram: of any span of time it tells which share of what came in had to wait, and
 * those of several processes can be added. (The percentiles among Node's own metrics count the 10 ms between two looks
 * as lag, and cannot be added.)
 */
import { Histogram, type Registry } from "prom-client";

const EVERY_MS = 10;
const SECONDS = [
  0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.075, 0.1, 0.25, 0.5, 1,
];
/** Looks that one standstill is counted for: ten seconds of it. */
const LOOKS_MAX = 1000;

/** Looks from now on, for as long as the process runs; keeps no process from ending. */
export function createLagHistogram(register: Registry): void {
  const histogram = new Histogram({
    name: "rollcall_event_loop_lag_seconds",
    help: "How late the event loop of this process came to its work, looked at every 10 ms.",
    buckets: SECONDS,
    registers: [register],
  });
  let dueMs = performance.now() + EVERY_MS;
  const look = (): void => {
    const lateMs = Math.max(0, performance.now() - dueMs);
    // Looks that were due while the loop stood still would have been late too, each by less.
    const looks = Math.min(LOOKS_MAX, Math.floor(lateMs / EVERY_MS) + 1);
    for (let missed = 0; missed < looks; missed += 1) histogram.observe((lateMs - missed * EVERY_MS) / 1000);
    dueMs = performance.now() + EVERY_MS;
    timer.refresh();
  };
  const timer = setTimeout(look, EVERY_MS).unref();
}
