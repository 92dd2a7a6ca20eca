/**
 * What a wire adapter is: another system's HTTP API over the Executor, in one file. An adapter translates and
 * decides nothing: the service reads bodies, asks for keys and cancels the calls of a client that goes.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { CALL_BOUNDS } from "../contract/call.ts";
import { type ErrorCode, SandboxError } from "../contract/errors.ts";
import type { ExecuteOptions, Executor } from "../contract/executor.ts";
import type { LimitPolicy } from "../contract/limits.ts";
import type { Result } from "../contract/result.ts";
import type { ReplayEnd } from "../contract/wire.ts";

export interface WireParts {
  readonly executor: Executor;
  readonly limits: LimitPolicy;
  /** Calls that wait for a slot. */
  readonly queued: () => Promise<number>;
  /** Counts a replay of earlier cells. */
  readonly replayed: (end: ReplayEnd) => void;
  /** Aborts when the service takes no more calls: what waits for more on an open connection is to end. */
  readonly closing: AbortSignal;
  /** Enters a request with calls; `end` is to be called once, when the answer is decided. */
  readonly begin: (
    request: FastifyRequest,
    reply: FastifyReply,
  ) => { readonly options: ExecuteOptions; end(): void };
}

export interface Adapter {
  routes(app: FastifyInstance, parts: WireParts): void;
  /** Answers a request whose calls were not carried out, in the original's own shape. */
  sendError(error: SandboxError, reply: FastifyReply): void;
}

/** Does a request's work so that its calls are cancelled when the client goes. */
export async function during<T>(
  parts: WireParts,
  request: FastifyRequest,
  reply: FastifyReply,
  work: (options: ExecuteOptions) => Promise<T>,
): Promise<T> {
  const entered = parts.begin(request, reply);
  try {
    return await work(entered.options);
  } finally {
    entered.end();
  }
}

/** Codes that say: not now, but the same request may succeed later. */
const NOT_NOW: ReadonlySet<ErrorCode> = new Set([
  "queue_full",
  "deadline_unmeetable",
  "draining",
  "engine_unavailable",
]);

export function isOverload(error: SandboxError): boolean {
  return NOT_NOW.has(error.code);
}

/** For a run that says nothing about its program: its request is answered as one that came when the service drained. */
export function notCarriedOut({ detail }: Pick<Result, "detail">): SandboxError {
  return new SandboxError("draining", detail ?? "the call was not carried out to its end");
}

/** Seconds to the microsecond. */
export function inSeconds(ms: number): number {
  return Math.round(ms * 1000) / 1e6;
}

/** Milliseconds of a time in seconds as a client states it, within what the service allows. */
export function wallMs(seconds: number, limits: LimitPolicy): number {
  return Math.max(1, Math.min(Math.ceil(seconds * 1000), limits.ceiling.wall_ms));
}

/** Milliseconds of a compile stage as a client states them in seconds, within what a call may ask for. */
export function compileMs(seconds: number): number {
  return Math.max(1, Math.min(Math.ceil(seconds * 1000), CALL_BOUNDS.compileMsMax));
}

/** False when the call ended in its compile stage: what it gave is then the compiler's. */
export function endedInRun({ outcome, compile }: Result): boolean {
  return outcome !== "compile_failed" && (compile === undefined || compile.exit_code === 0);
}

/** The least memory that a call may ask for. */
const MEMORY_BYTES_MIN = 16 << 20;

/** Bytes of memory within what the service allows; the service's default for a number that sets no bound. */
export function memoryBytes(bytes: number, limits: LimitPolicy): number {
  if (bytes <= 0) return limits.default.memory_bytes;
  return Math.max(MEMORY_BYTES_MIN, Math.min(Math.floor(bytes), limits.ceiling.memory_bytes));
}
