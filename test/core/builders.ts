/** The smallest calls, limits and evidence that tests of core begin with. */
import type { Call } from "../../src/contract/call.ts";
import { DEFAULT_LIMIT_POLICY } from "../../src/contract/limits.ts";
import type { Runtime } from "../../src/contract/runtime.ts";
import { type AcceptedCall, acceptCall, type AcceptOptions } from "../../src/core/accept.ts";
import type { QueueBounds } from "../../src/core/admission.ts";
import type { CallObserver } from "../../src/core/observer.ts";
import { SILENT_OBSERVER } from "../../src/core/observer.ts";
import { LocalExecutor, type LocalExecutorOptions } from "../../src/core/local-executor.ts";
import type { SessionBounds } from "../../src/core/sessions.ts";
import type { Captured, Engine, Evidence } from "../../src/core/ports.ts";

export const PYTHON: Runtime = {
  id: "python",
  engine: "container",
  compile: null,
  entry: { kind: "fork", interpreter: "python", fileName: "main.py" },
  modes: ["script", "cell"],
  sessions: {
    engine: "container",
    entry: { kind: "fork", interpreter: "python", fileName: "main.py" },
    programs: true,
  },
};

export const NODE: Runtime = {
  id: "node",
  engine: "container",
  compile: null,
  entry: { kind: "exec", fileName: "main.js", argv: ["node", "/work/main.js"] },
  modes: ["script"],
  sessions: null,
};

export const JAVASCRIPT: Runtime = {
  id: "javascript",
  engine: "isolate",
  compile: null,
  entry: { kind: "isolate", fileName: "main.js" },
  modes: ["script"],
  sessions: null,
};

export const ACCEPT: AcceptOptions = {
  runtimes: { python: PYTHON, node: NODE },
  limits: DEFAULT_LIMIT_POLICY,
  newId: () => "new-id",
};

export const LIMITS = DEFAULT_LIMIT_POLICY.default;

export function call(fields: Partial<Call> = {}): Call {
  return { runtime: "python", source: "", ...fields };
}

export function accepted(fields: Partial<Call> = {}): AcceptedCall {
  return acceptCall(call(fields), ACCEPT);
}

export function captured(text: string | Buffer = ""): Captured {
  const head = Buffer.from(text);
  return { head, tail: Buffer.alloc(0), totalBytes: head.length };
}

/** Evidence of a program that did nothing and ended well. */
export function evidence(fields: Partial<Evidence> = {}): Evidence {
  return {
    exitCode: 0,
    signal: null,
    endedBy: null,
    oomKills: 0,
    forksRefused: 0,
    diskFull: false,
    stdout: captured(),
    stderr: captured(),
    files: [],
    report: {},
    usage: { wall_ms: 1, cpu_ms: 1, memory_peak_bytes: 0, processes: 1 },
    startMs: 0,
    runMs: 1,
    ...fields,
  };
}

export interface Counts {
  accepted: number;
  refused: Map<string, number>;
  granted: number;
  concluded: Map<string, number>;
  faults: number;
  retried: number;
}

/** Counts what core tells. */
export function counting(): { readonly observer: CallObserver; readonly counts: Counts } {
  const counts: Counts = {
    accepted: 0,
    refused: new Map(),
    granted: 0,
    concluded: new Map(),
    faults: 0,
    retried: 0,
  };
  const add = (map: Map<string, number>, key: string, count: number): void => {
    map.set(key, (map.get(key) ?? 0) + count);
  };
  const observer: CallObserver = {
    ...SILENT_OBSERVER,
    accepted: () => void counts.accepted++,
    refused: (code, calls) => add(counts.refused, code, calls),
    granted: () => void counts.granted++,
    concluded: (_runtime, result) => add(counts.concluded, result.outcome, 1),
    fault: () => void counts.faults++,
    retried: () => void counts.retried++,
  };
  return { observer, counts };
}

export const ROOMY: QueueBounds = { callsMax: 10_000, bytesMax: 1 << 30, batchCallsMax: 10_000 };

export const SESSIONS: SessionBounds = {
  max: 100,
  tenantMax: 100,
  callsMax: 100,
  waitingMax: 100,
  idleMs: { default: 60_000, ceiling: 600_000 },
  totalMs: { default: 600_000, ceiling: 6_000_000 },
};

export function executorOf(engine: Engine, options: Partial<LocalExecutorOptions> = {}): LocalExecutor {
  let ids = 0;
  return new LocalExecutor({
    engines: [engine],
    runtimes: [PYTHON, NODE],
    limits: DEFAULT_LIMIT_POLICY,
    queue: ROOMY,
    sessions: SESSIONS,
    compiledBytesMax: 0,
    observer: SILENT_OBSERVER,
    version: "0",
    runtimeVersion: () => "0",
    now: () => performance.now(),
    newId: () => `new-${ids++}`,
    ...options,
  });
}

export function total(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}
