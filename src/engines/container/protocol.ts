/**
 * Frames between the engine and what runs in its containers. The other side is C
 * (sandbox-images/python/forkserver/frame.c) for slots and Python (fork_server.py) for the fork server.
 *
 * A frame is a 32-bit length, a kind byte and a body; numbers are little-endian.
 */
import type {
  CollectedBytes,
  EndedBy,
  Evidence,
  ProgramReport,
  RunSpec,
  SessionEvidence,
} from "../../core/ports.ts";

export const FRAME = {
  /** Engine to slot: carry out one call. */
  run: 1,
  /** Engine to slot: end the call that is running. */
  cancel: 2,
  /** Slot to engine: how the call ended. */
  evidence: 3,
  /** Slot to engine, first frame of its connection. */
  hello: 4,
  /** Slot to engine, last frame: it found itself not fit to go on. */
  fault: 5,
  /** Engine to fork server. */
  open: 16,
  resize: 17,
  /** Fork server to engine. */
  ready: 18,
  failed: 19,
  done: 20,
  /** Engine to fork server: root directories of sessions. */
  branch: 21,
  prune: 22,
  /** Engine to a family's slot; each begins with the session's number. */
  sessionOpen: 32,
  sessionCall: 33,
  sessionCancel: 34,
  sessionFork: 35,
  sessionClose: 36,
  /** A family's slot to the engine, the same; all but the evidence go on with words where something went wrong. */
  sessionOpened: 40,
  sessionEvidence: 41,
  sessionForked: 42,
  sessionEnded: 43,
  sessionClosed: 44,
} as const;

/** Longest frame either side takes. Bytes. */
export const FRAME_BYTES_MAX = 256 << 20;

/** A program may write this many times what is kept before it is ended. */
const FLOOD_FACTOR = 4;
const COLLECT_BYTES_MAX = 64 << 20;
const RUN_FLAG = { cell: 1, exec: 2, freshRandom: 4, finish: 8, parts: 32, last: 64 } as const;

/** What a Python program needs beside being run; see `source-scan.ts`. */
export interface ProgramNeeds {
  readonly freshRandom: boolean;
  readonly finish: boolean;
}

class FrameWriter {
  readonly #parts: Buffer[] = [];
  #numbers: number[] = [];

  u8(value: number): this {
    this.#numbers.push(value & 0xff);
    return this;
  }

  u32(value: number): this {
    this.#numbers.push(value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24);
    return this;
  }

  u64(value: number): this {
    return this.u32(value % 2 ** 32).u32(Math.floor(value / 2 ** 32));
  }

  bytes(value: Buffer | string): this {
    const data = typeof value === "string" ? Buffer.from(value, "utf8") : value;
    this.u32(data.length);
    this.#flush();
    this.#parts.push(data);
    return this;
  }

  strings(values: readonly (Buffer | string)[]): this {
    this.u32(values.length);
    for (const value of values) this.bytes(value);
    return this;
  }

  frame(kind: number): Buffer {
    this.#flush();
    const length = this.#parts.reduce((sum, part) => sum + part.length, 0);
    const header = Buffer.allocUnsafe(5);
    header.writeUInt32LE(length + 1, 0);
    header[4] = kind;
    return Buffer.concat([header, ...this.#parts], length + 5);
  }

  #flush(): void {
    if (this.#numbers.length === 0) return;
    this.#parts.push(Buffer.from(this.#numbers));
    this.#numbers = [];
  }
}

/** A frame whose body is a JSON object, as the fork server takes them. */
export function encodeObject(kind: number, value: object): Buffer {
  const body = Buffer.from(JSON.stringify(value), "utf8");
  const header = Buffer.allocUnsafe(5);
  header.writeUInt32LE(body.length + 1, 0);
  header[4] = kind;
  return Buffer.concat([header, body]);
}

export function encodeCancel(): Buffer {
  return new FrameWriter().frame(FRAME.cancel);
}

export function encodeRun(spec: RunSpec, needs: ProgramNeeds): Buffer {
  return writeRun(new FrameWriter(), spec, needs).frame(FRAME.run);
}

function writeRun(
  writer: FrameWriter,
  spec: RunSpec,
  needs: ProgramNeeds & { readonly parts?: boolean },
): FrameWriter {
  const { entry, limits } = spec;
  const flags =
    (needs.parts === true ? RUN_FLAG.parts : 0) |
    (spec.last === true ? RUN_FLAG.last : 0) |
    (spec.cell ? RUN_FLAG.cell : 0) |
    (entry.kind === "exec" ? RUN_FLAG.exec : 0) |
    (needs.freshRandom ? RUN_FLAG.freshRandom : 0) |
    (needs.finish ? RUN_FLAG.finish : 0);
  return writer
    .u8(flags)
    .u64(limits.wall_ms)
    .u64(limits.cpu_ms)
    .u64(limits.memory_bytes)
    .u64(limits.output_bytes)
    .u64(limits.output_bytes * FLOOD_FACTOR)
    .u64(limits.processes)
    .u64(COLLECT_BYTES_MAX)
    .bytes(entry.fileName)
    .bytes(spec.source)
    .bytes(spec.stdin)
    .strings(entry.kind === "exec" ? [...entry.argv, ...spec.args] : spec.args)
    .strings(Object.entries(spec.env).map(([name, value]) => `${name}=${value}`))
    .strings(spec.files.flatMap((file) => [file.path, file.content]))
    .strings(spec.collect);
}

/** A session's cell is no whole program: it has nothing to finish, and random state of its own from the start. */
const SESSION_NEEDS = { freshRandom: false, finish: false };
/** Nobody knows what the parts of a program will be. */
const PARTS_NEEDS = { freshRandom: true, finish: true, parts: true };

/** @param program whether the session is one program that comes in parts */
export function encodeSessionOpen(session: number, leaf: string, program: boolean, spec: RunSpec): Buffer {
  const needs = program ? PARTS_NEEDS : SESSION_NEEDS;
  return writeRun(new FrameWriter().u32(session).bytes(leaf), spec, needs).frame(FRAME.sessionOpen);
}

export function encodeSessionCall(session: number, spec: RunSpec): Buffer {
  return writeRun(new FrameWriter().u32(session), spec, SESSION_NEEDS).frame(FRAME.sessionCall);
}

/** @param forks number and cgroup leaf of each of the new sessions */
export function encodeSessionFork(
  session: number,
  reseed: boolean,
  forks: readonly { readonly session: number; readonly leaf: string }[],
): Buffer {
  const writer = new FrameWriter()
    .u32(session)
    .u8(reseed ? 1 : 0)
    .u32(forks.length);
  for (const fork of forks) writer.u32(fork.session).bytes(fork.leaf);
  return writer.frame(FRAME.sessionFork);
}

export function encodeSession(kind: number, session: number): Buffer {
  return new FrameWriter().u32(session).frame(kind);
}

/** Reads a body; a read past its end throws RangeError, which the connection takes for a broken slot. */
class FrameParser {
  readonly #body: Buffer;
  #at = 0;

  constructor(body: Buffer) {
    this.#body = body;
  }

  u8(): number {
    this.#at += 1;
    return this.#body.readUInt8(this.#at - 1);
  }

  u32(): number {
    this.#at += 4;
    return this.#body.readUInt32LE(this.#at - 4);
  }

  u64(): number {
    const low = this.u32();
    return low + this.u32() * 2 ** 32;
  }

  bytes(): Buffer {
    const length = this.u32();
    if (this.#at + length > this.#body.length) throw new RangeError("a frame ends within a field");
    this.#at += length;
    return this.#body.subarray(this.#at - length, this.#at);
  }
}

const ENDED_BY: readonly (EndedBy | null)[] = [null, "wall", "cpu", "output", "cancel"];
const COLLECT_STATUS = ["ok", "not_found", "not_a_regular_file", "too_large", "unreadable"] as const;
const REPORT_TEXT_MAX = 64 << 10;

export interface DecodedEvidence {
  readonly evidence: Evidence;
  /** False when the slot should be replaced before its next call. */
  readonly reusable: boolean;
}

/** @throws RangeError or SyntaxError when the frame is not evidence. */
export function decodeEvidence(body: Buffer, spec: RunSpec): DecodedEvidence {
  const parser = new FrameParser(body);
  const status = parser.u32();
  const endedBy = ENDED_BY[parser.u8()] ?? null;
  const diskFull = parser.u8() === 1;
  const oomKills = parser.u32();
  const forksRefused = parser.u32();
  const processes = parser.u32();
  const cpuUs = parser.u64();
  const memoryPeakBytes = parser.u64();
  const startUs = parser.u64();
  const wallUs = parser.u64();
  const stdout = { totalBytes: parser.u64(), head: parser.bytes(), tail: parser.bytes() };
  const stderr = { totalBytes: parser.u64(), head: parser.bytes(), tail: parser.bytes() };
  const report = decodeReport(parser.bytes());
  const files = decodeFiles(parser, spec);
  const reusable = parser.u8() === 1;
  const runUs = parser.u64();
  const signal = status & 0x7f;
  return {
    reusable,
    evidence: {
      exitCode: signal === 0 ? (status >>> 8) & 0xff : null,
      signal: signal === 0 ? null : signal,
      endedBy,
      oomKills,
      forksRefused,
      diskFull,
      stdout,
      stderr,
      files,
      report,
      usage: { wall_ms: wallUs / 1000, cpu_ms: cpuUs / 1000, memory_peak_bytes: memoryPeakBytes, processes },
      startMs: startUs / 1000,
      runMs: runUs / 1000,
    },
  };
}

/** The session of a frame of a family's slot, and what follows. */
export function decodeSession(body: Buffer): { readonly session: number; readonly rest: Buffer } {
  return { session: body.readUInt32LE(0), rest: body.subarray(4) };
}

/**
 * @param body what follows the session's number
 * @throws RangeError or SyntaxError when the frame is not evidence.
 */
export function decodeSessionEvidence(body: Buffer, spec: RunSpec): SessionEvidence {
  const kept = body.readUInt8(0) === 1;
  const { evidence } = decodeEvidence(body.subarray(1), spec);
  // An interpreter that was interrupted and came back has not ended.
  return kept && evidence.endedBy !== null ? { ...evidence, exitCode: null, kept } : { ...evidence, kept };
}

function decodeFiles(parser: FrameParser, spec: RunSpec): CollectedBytes[] {
  const count = parser.u32();
  if (count !== spec.collect.length)
    throw new RangeError(`${count} files came back, ${spec.collect.length} were asked for`);
  return spec.collect.map((path) => {
    const status = COLLECT_STATUS[parser.u8()] ?? "unreadable";
    const content = parser.bytes();
    return { path, content: status === "ok" ? content : status };
  });
}

/** The report comes from the program's own process: whatever is not of the agreed shape is dropped. */
function decodeReport(body: Buffer): ProgramReport {
  if (body.length === 0) return {};
  let value: unknown;
  try {
    value = JSON.parse(body.toString("utf8"));
  } catch {
    return {};
  }
  if (typeof value !== "object" || value === null) return {};
  const fields = value as { error?: unknown; value?: unknown };
  if (typeof fields.value === "string") return { value: fields.value.slice(0, REPORT_TEXT_MAX) };
  if (typeof fields.error !== "object" || fields.error === null) return {};
  const { type, message, line } = fields.error as Record<string, unknown>;
  if (typeof type !== "string" || typeof message !== "string") return {};
  return {
    error: {
      type: type.slice(0, 512),
      message: message.slice(0, REPORT_TEXT_MAX),
      line: Number.isSafeInteger(line) ? (line as number) : null,
    },
  };
}
