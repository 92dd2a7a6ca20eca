/** Again, after a while, what the service could not take now. */
import { setTimeout as sleep } from "node:timers/promises";
import { SandboxError, type ErrorCode } from "../contract/errors.ts";

export interface RetryPolicy {
  /** Times that a request is sent at most. */
  readonly attemptsMax: number;
  /** Longest wait before another attempt; a longer `retry-after` is waited for this long. Milliseconds. */
  readonly waitMsMax: number;
}

/**
 * A failure after which the request can be sent again without a second run of a call: nothing was sent, or
 * the connection broke before an answer began. Every call of a client has an id, so one that did arrive is
 * joined while it is in flight.
 */
export class NotAnswered extends Error {
  override readonly name = "NotAnswered";
}

const WAIT_MS_FIRST = 50;
const AGAIN: ReadonlySet<ErrorCode> = new Set(["queue_full", "deadline_unmeetable", "draining"]);

function mayRetry(error: unknown): boolean {
  return error instanceof NotAnswered || (error instanceof SandboxError && AGAIN.has(error.code));
}

function settle(error: unknown): unknown {
  return error instanceof NotAnswered
    ? new SandboxError("unreachable", error.message, { cause: error.cause })
    : error;
}

/** Between half and all of the wait, so that callers refused together do not come back together. */
function waitMs(error: unknown, attempt: number, policy: RetryPolicy): number {
  const asked = error instanceof SandboxError ? error.retryAfterMs : undefined;
  if (asked !== undefined) return Math.min(asked * (1 + Math.random() / 4), policy.waitMsMax);
  return Math.min(WAIT_MS_FIRST * 2 ** attempt, policy.waitMsMax) * (0.5 + Math.random() / 2);
}

/**
 * @param send one attempt
 * @throws SandboxError of the last attempt; the signal's reason when it aborts during a wait.
 */
export async function withRetries<T>(
  send: () => Promise<T>,
  policy: RetryPolicy,
  signal: AbortSignal | undefined,
): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await send();
    } catch (error) {
      if (signal?.aborted || attempt + 1 >= policy.attemptsMax || !mayRetry(error)) throw settle(error);
      await sleep(waitMs(error, attempt, policy), undefined, signal === undefined ? {} : { signal });
    }
  }
}
