/** An engine that answers at once, so that what is measured is the way of a call without its program. */
import type { Engine, Evidence, Sandbox } from "../../src/core/ports.ts";

const OUTPUT = { head: Buffer.from("42\n"), tail: Buffer.alloc(0), totalBytes: 3 };
const NO_OUTPUT = { head: Buffer.alloc(0), tail: Buffer.alloc(0), totalBytes: 0 };

const EVIDENCE: Evidence = {
  exitCode: 0,
  signal: null,
  endedBy: null,
  oomKills: 0,
  forksRefused: 0,
  diskFull: false,
  stdout: OUTPUT,
  stderr: NO_OUTPUT,
  files: [],
  report: {},
  usage: { wall_ms: 0.1, cpu_ms: 0.1, memory_peak_bytes: 0, processes: 1 },
  startMs: 0,
  runMs: 0.1,
};

export function createStubEngine(slots: number): Engine {
  const sandbox: Sandbox = { run: () => Promise.resolve(EVIDENCE), close: () => Promise.resolve() };
  return {
    name: "container",
    slots,
    start: () => Promise.resolve(),
    openSandbox: () => Promise.resolve(sandbox),
    describe: () => ({ engine: "container", tier: "none", layers: [], slots, detail: { kind: "stub" } }),
    close: () => Promise.resolve(),
  };
}
