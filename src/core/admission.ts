/**
 * Who may enter the queue. Refuses at once, with the time after which a retry makes sense, rather than let a
 * queue grow without bound or a call wait past its own deadline.
 */
import { SandboxError } from "../contract/errors.ts";
import type { AcceptedCall } from "./accept.ts";
import type { Pool } from "./pool.ts";

export interface QueueBounds {
  /** Calls that may wait, over all pools. */
  readonly callsMax: number;
  /** Bytes of calls that may wait, over all pools. */
  readonly bytesMax: number;
  /** Calls in one batch. */
  readonly batchCallsMax: number;
}

const RETRY_MS_MIN = 1_000;
const RETRY_MS_MAX = 60_000;
/** A full queue is worth another try when this part of it has gone. */
const ROOM_SHARE = 0.1;

/**
 * @param pools every pool, and `poolOf` the one that each call goes to.
 * @throws SandboxError `queue_full` or `deadline_unmeetable`, or, for what could never fit, `batch_too_long` or
 *   `call_too_large`; then none of the calls was admitted.
 */
export function admit(
  calls: readonly AcceptedCall[],
  pools: readonly Pool[],
  poolOf: (call: AcceptedCall) => Pool,
  bounds: QueueBounds,
): void {
  const waiting = pools.reduce((sum, pool) => sum + pool.queue.length, 0);
  const waitingBytes = pools.reduce((sum, pool) => sum + pool.queue.bytes, 0);
  const bytes = calls.reduce((sum, call) => sum + call.bytes, 0);
  if (calls.length > bounds.callsMax) {
    throw new SandboxError(
      "batch_too_long",
      `${calls.length} calls came at once, the queue holds ${bounds.callsMax} at most`,
    );
  }
  if (bytes > bounds.bytesMax) {
    throw new SandboxError(
      "call_too_large",
      `${bytes} bytes of calls came at once, the queue holds ${bounds.bytesMax} at most`,
    );
  }
  if (waiting + calls.length > bounds.callsMax) {
    throw new SandboxError(
      "queue_full",
      `${waiting} calls are waiting and ${calls.length} more came, the most is ${bounds.callsMax}`,
      { retryAfterMs: retryAfter(pools) },
    );
  }
  if (waitingBytes + bytes > bounds.bytesMax) {
    throw new SandboxError(
      "queue_full",
      `${waitingBytes} bytes of calls are waiting and ${bytes} more came, the most is ${bounds.bytesMax}`,
      { retryAfterMs: retryAfter(pools) },
    );
  }
  const ahead = new Map<Pool, number>();
  for (const call of calls) {
    const pool = poolOf(call);
    const before = ahead.get(pool) ?? pool.queue.length;
    ahead.set(pool, before + 1);
    if (!pool.available)
      throw new SandboxError(
        "engine_unavailable",
        `the ${pool.engineName} engine has no sandbox at present`,
        { retryAfterMs: RETRY_MS_MIN },
      );
    const wait = pool.expectedWaitMs(before);
    if (call.deadlineMs !== null && wait > call.deadlineMs) {
      throw new SandboxError(
        "deadline_unmeetable",
        `the wait for a slot is about ${Math.round(wait)} ms, the call's deadline_ms is ${call.deadlineMs}`,
        { retryAfterMs: clamp(wait - call.deadlineMs) },
      );
    }
  }
}

function retryAfter(pools: readonly Pool[]): number {
  return clamp(Math.max(...pools.map((pool) => pool.expectedWaitMs(pool.queue.length * ROOM_SHARE))));
}

function clamp(ms: number): number {
  return Math.round(Math.min(RETRY_MS_MAX, Math.max(RETRY_MS_MIN, ms)));
}
