/**
 * What core asks of an engine. An engine makes sandboxes; a sandbox carries out one run at a time and
 * answers with evidence. Evidence holds only what the kernel (or the engine's own parent side) saw;
 * what the program says about itself is in `report` and is never believed about an outcome.
 */
import type { EngineDescription } from "../contract/description.ts";
import type { Limits, Usage } from "../contract/limits.ts";
import type { Entry } from "../contract/runtime.ts";

export interface SandboxFile {
  /** Relative to the working directory, normalised. */
  readonly path: string;
  readonly content: Buffer;
}

/** One run, fully decided: nothing is left for an engine to default or clamp. */
export interface RunSpec {
  readonly entry: Entry;
  readonly source: Buffer;
  readonly stdin: Buffer;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly files: readonly SandboxFile[];
  readonly collect: readonly string[];
  readonly cell: boolean;
  /** Of a session that is one program: its last part. */
  readonly last?: boolean;
  readonly limits: Limits;
}

/** One output stream: the first and the last bytes, and how many the program wrote in all. */
export interface Captured {
  readonly head: Buffer;
  readonly tail: Buffer;
  /** Bytes written; `totalBytes - head.length - tail.length` are missing between head and tail. */
  readonly totalBytes: number;
}

/** Who ended the program, when it was us. */
export type EndedBy = "wall" | "cpu" | "output" | "memory" | "cancel";

export interface CollectedBytes {
  readonly path: string;
  /** The content, or why there is none. */
  readonly content: Buffer | "not_found" | "not_a_regular_file" | "too_large" | "unreadable";
}

/** What the program said about itself, unchecked; shape-checked and capped by the engine. */
export interface ProgramReport {
  readonly error?: { readonly type: string; readonly message: string; readonly line: number | null };
  readonly value?: string;
}

export interface Evidence {
  /** Exit code as `wait` reports it, or null when a signal ended the program. */
  readonly exitCode: number | null;
  /** Signal number that ended the program, or null. */
  readonly signal: number | null;
  /** Set when the engine ended it, and why. */
  readonly endedBy: EndedBy | null;
  /** Processes of the call that the kernel killed for memory. */
  readonly oomKills: number;
  /** Forks that the kernel refused at the process limit. */
  readonly forksRefused: number;
  /** The scratch file system had no room left at the end. */
  readonly diskFull: boolean;
  readonly stdout: Captured;
  readonly stderr: Captured;
  readonly files: readonly CollectedBytes[];
  readonly report: ProgramReport;
  readonly usage: Usage;
  /** Milliseconds from `run()` to the start of the program. */
  readonly startMs: number;
  /** Milliseconds from the start of the program until the sandbox was clean again. */
  readonly runMs: number;
}

/** The sandbox, not the program, failed: the run says nothing about the program and may be repeated. */
export class SandboxFault extends Error {
  override readonly name = "SandboxFault";
  /** A stable word for metrics, e.g. `fork_server_died`. */
  readonly kind: string;
  constructor(kind: string, message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.kind = kind;
  }
}

export interface Sandbox {
  /**
   * Carries one run out. At most one at a time. Aborting the signal ends the program with
   * `endedBy: "cancel"`.
   * @throws SandboxFault when the sandbox failed; it is then of no more use and must be closed.
   */
  run(spec: RunSpec, signal: AbortSignal): Promise<Evidence>;
  /** Ends the sandbox and everything in it. Never rejects. */
  close(): Promise<void>;
}

/** A session's sandbox, fully decided. */
export interface SessionSandboxSpec {
  readonly entry: Entry;
  /** Its calls are the parts of one program, which ends with the last, with one that raises, and at a limit. */
  readonly program: boolean;
  /** Names of modules that its calls will import. A hint. */
  readonly imports: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Put into the working directory before the first call. */
  readonly files: readonly SandboxFile[];
  /** `memory_bytes`, `processes` and `disk_bytes` hold for the sandbox as a whole. */
  readonly limits: Limits;
}

/** Evidence of one call in a session, and whether the interpreter is there for the next. */
export interface SessionEvidence extends Evidence {
  /** False: the interpreter is gone and the sandbox with it. `exitCode` or `signal` then tell how it ended. */
  readonly kept: boolean;
}

export interface SessionForkSpec {
  readonly count: number;
  /** Whether random state differs from that of the session that is forked. */
  readonly reseed: boolean;
}

/** The session could not be forked and goes on as it was: nothing failed but the fork. */
export class ForkRefused extends Error {
  override readonly name = "ForkRefused";
}

/** A live interpreter in its sandbox. At most one of `run` and `fork` at a time. */
export interface SessionSandbox {
  /**
   * Runs one call. At its wall or CPU limit, or when the signal aborts, the interpreter is interrupted; it is kept
   * when it comes back within the engine's grace.
   * @throws SandboxFault when the sandbox failed; it is then of no more use and must be closed.
   */
  run(spec: RunSpec, signal: AbortSignal): Promise<SessionEvidence>;
  /**
   * All of the new sandboxes, or none.
   * @throws ForkRefused, or SandboxFault as `run` does.
   */
  fork(spec: SessionForkSpec): Promise<readonly SessionSandbox[]>;
  /** Settles with why, when the interpreter is gone while nothing ran. Never settles otherwise. */
  readonly lost: Promise<SandboxFault>;
  /** Ends the interpreter and everything in its sandbox. Never rejects. */
  close(): Promise<void>;
}

export interface Engine {
  readonly name: string;
  /** Sandboxes that may be open at once. */
  readonly slots: number;
  /** Makes ready what all sandboxes share. Rejects, saying what is missing, when this machine cannot. */
  start(): Promise<void>;
  /** A warm sandbox for slot `index`, 0 <= index < slots. Rejects with SandboxFault when it cannot now. */
  openSandbox(index: number): Promise<Sandbox>;
  /** A sandbox with a live interpreter, beside the slots. Absent where an engine has no sessions. Rejects as `openSandbox`. */
  openSession?(spec: SessionSandboxSpec): Promise<SessionSandbox>;
  describe(): EngineDescription;
  /** Ends all sandboxes and leaves nothing behind. */
  close(): Promise<void>;
}
