/**
 * What the engine and a host say to each other: frames of a 32-bit length, JSON of that length, then the raw
 * bytes of the message's blobs one after another; the JSON lists their lengths.
 *
 * Invariant: the host runs hostile programs, so the engine believes no frame of it. `parseFromHost` checks
 * the shape and the bounds of every field or throws; nothing behind it sees an unchecked value.
 */
import type { CollectedBytes, ProgramReport, RunSpec } from "../../core/ports.ts";
import { frameHeader } from "../../lib/framing.ts";

/** To the host: one run. Blobs: source, stdin, then each file. */
export interface RunMessage {
  readonly kind: "run";
  readonly call: number;
  readonly fileName: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly filePaths: readonly string[];
  readonly collect: readonly string[];
  readonly cell: boolean;
  readonly limits: {
    readonly wallMs: number;
    readonly cpuMs: number;
    readonly memoryBytes: number;
    readonly outputBytes: number;
  };
}

/** To the host: end the run. */
export interface CancelMessage {
  readonly kind: "cancel";
  readonly call: number;
}

export type ToHost = RunMessage | CancelMessage;

/** From the host, once, when it can run. */
export interface ReadyMessage {
  readonly kind: "ready";
  readonly versions: Readonly<Record<string, string>>;
}

/** From the host while a run goes on, the first soon after its start. Blobs: new bytes of stdout's head, its last bytes, the same of stderr. */
export interface ProgressMessage {
  readonly kind: "progress";
  readonly call: number;
  readonly totals: readonly [number, number];
  /** Memory of the host beyond what it had before the run. Bytes. */
  readonly memoryBytes: number;
  /** Since the program started. */
  readonly ranMs: number;
}

/** Why a run ended: by itself with an exit code, or ended by the host. */
export type HostEnding = "exit" | "wall" | "cpu" | "output" | "memory" | "cancel";

/** From the host: the run is over. Blobs: stdout head, tail, stderr head, tail, then each file. */
export interface EndedMessage {
  readonly kind: "ended";
  readonly call: number;
  readonly ending: HostEnding;
  readonly exitCode: number;
  readonly totals: readonly [number, number];
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly memoryPeakBytes: number;
  readonly report: ProgramReport;
  readonly files: readonly {
    readonly path: string;
    readonly state: "content" | Exclude<CollectedBytes["content"], Buffer>;
  }[];
  /** The isolate would not end: this host must be killed. */
  readonly isStuck: boolean;
  /** Resident memory of the idle host. Bytes. */
  readonly residentBytes: number;
}

/** From the host: it, not the program, could not carry the run out. */
export interface FaultMessage {
  readonly kind: "fault";
  readonly call: number;
  readonly message: string;
}

export type FromHost = ReadyMessage | ProgressMessage | EndedMessage | FaultMessage;

export interface Received<T> {
  readonly message: T;
  readonly blobs: readonly Buffer[];
}

export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}

/** The longest frame to a host: a call's source, input, files, arguments and environment. */
export const TO_HOST_BYTES_MAX = 128 << 20;
/** The longest frame from a host: both streams at the most that a service may allow, collected files, a report. */
export const FROM_HOST_BYTES_MAX = 208 << 20;
const LENGTH_BYTES = 4;
/** Frames up to this length are one piece: copying so little is less than writing each part for itself. */
const ONE_PIECE_BYTES_MAX = 16 << 10;

/** The parts of one frame, to be written one after another. */
export function encode(message: ToHost | FromHost, blobs: readonly Uint8Array[] = []): Uint8Array[] {
  const json = Buffer.from(JSON.stringify({ ...message, blobs: blobs.map((blob) => blob.length) }));
  const bytes = LENGTH_BYTES + json.length + blobs.reduce((sum, blob) => sum + blob.length, 0);
  const parts = [
    frameHeader(bytes),
    frameHeader(json.length),
    json,
    ...blobs.filter((blob) => blob.length > 0),
  ];
  return bytes > ONE_PIECE_BYTES_MAX ? parts : [Buffer.concat(parts)];
}

export function encodeRun(call: number, spec: RunSpec): Uint8Array[] {
  const { limits } = spec;
  const message: RunMessage = {
    kind: "run",
    call,
    fileName: spec.entry.fileName,
    args: spec.args,
    env: spec.env,
    filePaths: spec.files.map((file) => file.path),
    collect: spec.collect,
    cell: spec.cell,
    limits: {
      wallMs: limits.wall_ms,
      cpuMs: limits.cpu_ms,
      memoryBytes: limits.memory_bytes,
      outputBytes: limits.output_bytes,
    },
  };
  return encode(message, [spec.source, spec.stdin, ...spec.files.map((file) => file.content)]);
}

function decode(frame: Buffer): Received<Record<string, unknown>> {
  const jsonEnd = LENGTH_BYTES + (frame.length < LENGTH_BYTES ? Infinity : frame.readUInt32LE(0));
  if (jsonEnd > frame.length) throw new ProtocolError("a frame is shorter than its header says");
  const value: unknown = JSON.parse(frame.toString("utf8", LENGTH_BYTES, jsonEnd));
  if (typeof value !== "object" || value === null) throw new ProtocolError("a message is not an object");
  const message = value as Record<string, unknown>;
  const blobs: Buffer[] = [];
  let at = jsonEnd;
  for (const length of list(message["blobs"])) {
    const end = at + count(length);
    if (end > frame.length) throw new ProtocolError("a frame is shorter than its blobs");
    blobs.push(frame.subarray(at, end));
    at = end;
  }
  return { message, blobs };
}

/** What the engine sent; the host trusts it. */
export function parseToHost(frame: Buffer): Received<ToHost> {
  return decode(frame) as unknown as Received<ToHost>;
}

/** @throws ProtocolError (or SyntaxError) when the frame is not what a sound host sends. */
export function parseFromHost(frame: Buffer): Received<FromHost> {
  const { message, blobs } = decode(frame);
  return { message: checked(message), blobs };
}

function checked(message: Record<string, unknown>): FromHost {
  switch (message["kind"]) {
    case "ready":
      return { kind: "ready", versions: strings(message["versions"]) };
    case "progress":
      return {
        kind: "progress",
        call: count(message["call"]),
        totals: totals(message["totals"]),
        memoryBytes: count(message["memoryBytes"]),
        ranMs: amount(message["ranMs"]),
      };
    case "fault":
      return { kind: "fault", call: count(message["call"]), message: text(message["message"], 4096) };
    case "ended":
      return checkedEnd(message);
    default:
      throw new ProtocolError(`a message of unknown kind ${String(message["kind"]).slice(0, 64)}`);
  }
}

const ENDINGS: readonly unknown[] = [
  "exit",
  "wall",
  "cpu",
  "output",
  "memory",
  "cancel",
] satisfies HostEnding[];
const FILE_STATES: readonly unknown[] = [
  "content",
  "not_found",
  "not_a_regular_file",
  "too_large",
  "unreadable",
];
const REPORT_TEXT_MAX = 1 << 20;

function checkedEnd(message: Record<string, unknown>): EndedMessage {
  if (!ENDINGS.includes(message["ending"])) throw new ProtocolError("an unknown ending");
  return {
    kind: "ended",
    call: count(message["call"]),
    ending: message["ending"] as HostEnding,
    exitCode: count(message["exitCode"]) & 255,
    totals: totals(message["totals"]),
    wallMs: amount(message["wallMs"]),
    cpuMs: amount(message["cpuMs"]),
    memoryPeakBytes: count(message["memoryPeakBytes"]),
    report: checkedReport(message["report"]),
    files: list(message["files"]).map((file) => {
      const { path, state } = object(file);
      if (!FILE_STATES.includes(state)) throw new ProtocolError("an unknown state of a file");
      return { path: text(path, 4096), state: state as EndedMessage["files"][number]["state"] };
    }),
    isStuck: message["isStuck"] === true,
    residentBytes: count(message["residentBytes"]),
  };
}

function checkedReport(value: unknown): ProgramReport {
  const { error, value: shown } = object(value);
  const report: { error?: ProgramReport["error"] & object; value?: string } = {};
  if (error !== undefined) {
    const { type, message, line } = object(error);
    report.error = {
      type: text(type, 256),
      message: text(message, REPORT_TEXT_MAX),
      line: line === null ? null : count(line),
    };
  }
  if (shown !== undefined) report.value = text(shown, REPORT_TEXT_MAX);
  return report;
}

function object(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new ProtocolError("an object was expected");
  return value as Record<string, unknown>;
}

function list(value: unknown): unknown[] {
  if (!Array.isArray(value) || value.length > 4096) throw new ProtocolError("a short list was expected");
  return value;
}

function text(value: unknown, lengthMax: number): string {
  if (typeof value !== "string" || value.length > lengthMax)
    throw new ProtocolError("a short text was expected");
  return value;
}

function amount(value: unknown): number {
  if (typeof value !== "number" || !(value >= 0) || value > Number.MAX_SAFE_INTEGER)
    throw new ProtocolError("an amount was expected");
  return value;
}

function count(value: unknown): number {
  if (!Number.isInteger(value)) throw new ProtocolError("a count was expected");
  return amount(value);
}

function totals(value: unknown): readonly [number, number] {
  const [stdout, stderr, ...more] = list(value);
  if (more.length > 0) throw new ProtocolError("two totals were expected");
  return [count(stdout), count(stderr)];
}

function strings(value: unknown): Record<string, string> {
  return Object.fromEntries(
    Object.entries(object(value)).map(([key, item]) => [key.slice(0, 64), text(item, 256)]),
  );
}
