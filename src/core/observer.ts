/**
 * What core tells about its work, for metrics. Core knows this interface only; `observe/` implements it.
 *
 * Every hook is called on the hot path: an implementation must neither throw nor do I/O. What has a
 * present value (depths, slot states) is not pushed but read, when someone asks, from the one source that
 * core registers.
 */
import type { RuntimeId } from "../contract/call.ts";
import type { IsolationTier } from "../contract/description.ts";
import type { ErrorCode } from "../contract/errors.ts";
import type { Result } from "../contract/result.ts";

export type SlotState = "starting" | "idle" | "busy" | "resetting" | "down";

/** Present values of an executor; cheap to read. */
export interface Observed {
  /** Calls that wait for a slot. */
  readonly queuedCalls: number;
  /** Bytes of the calls that wait. */
  readonly queuedBytes: number;
  /** Calls that hold a slot. */
  readonly runningCalls: number;
  /** Slots of each engine by state. */
  readonly slots: readonly { readonly engine: string; readonly state: SlotState; readonly count: number }[];
  /** What stands around the programs of each engine. */
  readonly tiers: readonly { readonly engine: string; readonly tier: IsolationTier }[];
  /** Sessions of each runtime that are open. */
  readonly sessions: readonly { readonly runtime: RuntimeId; readonly count: number }[];
}

/** How a session came to be. */
export type SessionOrigin = "opened" | "forked";
/** Why a session is no more: closed by its caller, one of its deadlines, its interpreter lost, the service's end. */
export type SessionEnd = "closed" | "idle" | "total" | "lost" | "shutdown";

export interface CallObserver {
  /** A call was accepted; exactly one `concluded` follows. */
  accepted(runtime: RuntimeId): void;
  /** Calls were not accepted: one for a single call, the whole number for a batch. */
  refused(code: ErrorCode, calls: number): void;
  /** A call got its slot `waitMs` after acceptance. */
  granted(runtime: RuntimeId, waitMs: number): void;
  /** A call has its Result. */
  concluded(runtime: RuntimeId, result: Result): void;
  /** A program was started by a fork of a preloaded interpreter. */
  forked(engine: string): void;
  /** A sandbox failed; `kind` is the SandboxFault's stable word. */
  fault(engine: string, kind: string): void;
  /** A sandbox was made anew after a fault or at the end of its life; `why` is a stable word. */
  restarted(engine: string, why: string): void;
  /** A call is run again after a fault of ours. */
  retried(runtime: RuntimeId): void;
  /** A session is open, `openMs` after it was asked for. */
  sessionOpened(runtime: RuntimeId, origin: SessionOrigin, openMs: number): void;
  /** A session is no more. Exactly one for each that was opened. */
  sessionEnded(runtime: RuntimeId, why: SessionEnd): void;
  /** Registers where present values are read. Called once, when the executor is ready to be asked. */
  watch(source: () => Observed): void;
}

/** For those who do not measure. */
export const SILENT_OBSERVER: CallObserver = {
  accepted() {},
  refused() {},
  granted() {},
  concluded() {},
  forked() {},
  fault() {},
  restarted() {},
  retried() {},
  sessionOpened() {},
  sessionEnded() {},
  watch() {},
};
