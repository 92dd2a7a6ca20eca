/**
 * The way of one request's calls to the executor: so many at once and no more, in the order in which they come. A
 * request of any size so takes a bounded part of the queue, where tenants and priorities have their turns.
 *
 * Invariant: a place that was taken is given back.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Call } from "../contract/call.ts";
import { SandboxError, type ErrorCode } from "../contract/errors.ts";
import type { ExecuteOptions, Executor } from "../contract/executor.ts";
import type { Result } from "../contract/result.ts";
import type { RunCall } from "./run-cases.ts";

/** Refusals that pass: a request that has begun waits for a place in the queue. */
const PASSING: ReadonlySet<ErrorCode> = new Set(["queue_full", "engine_unavailable"]);
const RETRY_MS = 1000;

export class CallLane {
  readonly #executor: Executor;
  readonly #tenant: string | undefined;
  readonly #hasBegun: () => boolean;
  readonly #waiters: (() => void)[] = [];
  #places: number;
  /** Whether a call went out already: those after it wait for those before it. */
  #isUsed = false;

  /** @param hasBegun whether the request can no longer be refused as a whole. */
  constructor(
    executor: Executor,
    options: {
      readonly places: number;
      readonly tenant: string | undefined;
      readonly hasBegun: () => boolean;
    },
  ) {
    this.#executor = executor;
    this.#places = options.places;
    this.#tenant = options.tenant;
    this.#hasBegun = options.hasBegun;
  }

  readonly run: RunCall = async (call, pointerOf, signal) => {
    await this.#enter();
    try {
      return signal.aborted ? null : await this.#execute(call, pointerOf, signal);
    } finally {
      this.#leave();
    }
  };

  async #execute(
    call: () => Call,
    pointerOf: (pointer: string) => string,
    signal: AbortSignal,
  ): Promise<Result | null> {
    const isFirst = !this.#isUsed;
    this.#isUsed = true;
    const options: ExecuteOptions = {
      signal,
      ...(this.#tenant === undefined ? {} : { tenant: this.#tenant }),
    };
    for (;;) {
      try {
        return await this.#executor.execute(call(), options);
      } catch (error) {
        if (!(error instanceof SandboxError)) throw error;
        // It is this request's own calls that the deadline is not enough for.
        if (error.code === "deadline_unmeetable" && !isFirst) return null;
        if (!PASSING.has(error.code) || !this.#hasBegun()) throw pointed(error, pointerOf);
        await sleep(error.retryAfterMs ?? RETRY_MS, undefined, { signal }).catch(() => undefined);
        if (signal.aborted) return null;
      }
    }
  }

  async #enter(): Promise<void> {
    if (this.#places > 0) this.#places -= 1;
    // The place is handed over by whoever leaves.
    else await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }

  #leave(): void {
    const next = this.#waiters.shift();
    if (next === undefined) this.#places += 1;
    else next();
  }
}

/** The same refusal, with the field's place in what was handed over. */
export function pointed(error: SandboxError, pointerOf: (pointer: string) => string): SandboxError {
  if (error.path === undefined) return error;
  const { code, message, retryAfterMs, cause } = error;
  return new SandboxError(code, message, {
    path: pointerOf(error.path),
    cause,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}
