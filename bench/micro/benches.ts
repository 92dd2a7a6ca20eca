/** What is timed by itself: the pure functions that every call passes through. */
import { DEFAULT_LIMIT_POLICY } from "../../src/contract/limits.ts";
import type { Call } from "../../src/contract/call.ts";
import { acceptCall, type AcceptedCall, type AcceptOptions } from "../../src/core/accept.ts";
import { CallQueue } from "../../src/core/call-queue.ts";
import { conclude } from "../../src/core/conclude.ts";
import type { Evidence } from "../../src/core/ports.ts";
import { importedNames } from "../../src/engines/container/source-scan.ts";
import { chooseProfile } from "../../src/engines/container/import-profiles.ts";
import { frameHeader, FrameReader } from "../../src/lib/framing.ts";
import type { Linked } from "../../src/lib/linked-queue.ts";
import { RUNTIMES } from "../../src/runtimes/registry.ts";
import { callOf, loadPrograms } from "../../workload/mix.ts";
import type { MicroBench } from "./loop.ts";
import { Histogram } from "../load/histogram.ts";

const ACCEPT: AcceptOptions = {
  runtimes: RUNTIMES,
  limits: DEFAULT_LIMIT_POLICY,
  newId: () => "an-id",
};
const FRAME_BYTES = 512;
const FRAME_BYTES_MAX = 1 << 20;
const FRAMES_PER_CHUNK = 16;
const QUEUE_DEPTH = 1024;
const TENANTS = 8;

const SOURCE = "total = sum(i * i for i in range(100))\nprint(total)\n";
const CALL: Call = { runtime: "python", source: SOURCE, stdin: "1 2 3\n" };
const CALL_WITH_FILES: Call = {
  ...CALL,
  files: { "a.txt": "text\n", "b/c.txt": "more\n" },
  collect: ["a.txt"],
};

class Waiting implements Linked<Waiting> {
  next: Waiting | null = null;
  previous: Waiting | null = null;
  readonly priority = "normal";
  readonly bytes = 100;
  readonly tenant: string;
  constructor(tenant: string) {
    this.tenant = tenant;
  }
}

function evidence(stdout: Buffer): Evidence {
  const nothing = { head: Buffer.alloc(0), tail: Buffer.alloc(0), totalBytes: 0 };
  return {
    exitCode: 0,
    signal: null,
    endedBy: null,
    oomKills: 0,
    forksRefused: 0,
    diskFull: false,
    stdout: { head: stdout, tail: Buffer.alloc(0), totalBytes: stdout.length },
    stderr: nothing,
    files: [],
    report: {},
    usage: { wall_ms: 1, cpu_ms: 1, memory_peak_bytes: 0, processes: 1 },
    startMs: 0.1,
    runMs: 1.2,
  };
}

function concluding(stdoutBytes: number): () => unknown {
  const call: AcceptedCall = acceptCall(CALL, ACCEPT, "");
  const seen = evidence(Buffer.alloc(stdoutBytes, "x"));
  const times = { acceptedMs: 0, grantedMs: 0.5 };
  return () => conclude(call, seen, times);
}

function framing(): () => unknown {
  const body = Buffer.alloc(FRAME_BYTES, "x");
  const frame = Buffer.concat([frameHeader(FRAME_BYTES), body]);
  const chunk = Buffer.concat(Array.from({ length: FRAMES_PER_CHUNK }, () => frame));
  const reader = new FrameReader(FRAME_BYTES_MAX);
  return () => reader.push(chunk).length;
}

function queueing(tenants: number): () => unknown {
  const queue = new CallQueue<Waiting>();
  for (let index = 0; index < QUEUE_DEPTH; index += 1) queue.push(new Waiting(`tenant-${index % tenants}`));
  return () => {
    const taken = queue.take();
    if (taken !== null) queue.push(taken);
    return taken;
  };
}

function choosing(): () => unknown {
  const sources = loadPrograms()
    .filter(({ runtime }) => runtime === "python")
    .map(({ source }) => source);
  let next = 0;
  return () => chooseProfile(importedNames(sources[(next = (next + 1) % sources.length)] ?? ""));
}

function recording(): () => unknown {
  const histogram = new Histogram();
  let value = 0;
  return () => histogram.record((value = (value * 1.7 + 0.3) % 10_000));
}

function parsing(): () => unknown {
  const texts = loadPrograms().map((program) => JSON.stringify(callOf(program)));
  let next = 0;
  return () => JSON.parse(texts[(next = (next + 1) % texts.length)] ?? "{}") as unknown;
}

export const MICRO_BENCHES: readonly MicroBench[] = [
  { id: "accept", label: "accept a call", per: "call", make: () => () => acceptCall(CALL, ACCEPT, "") },
  {
    id: "accept_files",
    label: "accept a call with files",
    per: "call",
    make: () => () => acceptCall(CALL_WITH_FILES, ACCEPT, ""),
  },
  { id: "conclude", label: "conclude, 3 bytes of output", per: "call", make: () => concluding(3) },
  { id: "conclude_64k", label: "conclude, 64 KiB of output", per: "call", make: () => concluding(64 << 10) },
  {
    id: "framing",
    label: `read ${FRAMES_PER_CHUNK} frames of ${FRAME_BYTES} bytes`,
    per: "chunk",
    make: framing,
  },
  { id: "queue", label: "take and push, one tenant", per: "call", make: () => queueing(1) },
  {
    id: "queue_tenants",
    label: `take and push, ${TENANTS} tenants`,
    per: "call",
    make: () => queueing(TENANTS),
  },
  { id: "imports", label: "choose an import profile", per: "program", make: choosing },
  { id: "json", label: "parse a call", per: "call", make: parsing },
  { id: "histogram", label: "record one latency", per: "value", make: recording },
];
