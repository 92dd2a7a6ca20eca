/**
 * One accepted call on its way to its one Result.
 *
 * Invariant: `settle` takes effect once. Whatever comes after it, a late answer of a sandbox or a second abort, is
 * without effect.
 */
import type { Priority } from "../contract/call.ts";
import type { Result } from "../contract/result.ts";
import type { AcceptedCall } from "./accept.ts";
import type { Linked } from "../lib/linked-queue.ts";
import type { Queued } from "./call-queue.ts";

export type GivenUp = "caller" | "deadline" | "shutdown";

export class CallTicket implements Queued, Linked<CallTicket> {
  next: CallTicket | null = null;
  previous: CallTicket | null = null;
  readonly call: AcceptedCall;
  readonly tenant: string;
  readonly acceptedMs: number;
  readonly result: Promise<Result>;
  /** Runs begun so far; a second one only after a fault of ours. */
  runs = 0;
  /** In its pool's queue. */
  waiting = false;
  grantedMs: number;
  /** Told when the call is given up, once. */
  onGivenUp: (() => void) | null = null;
  readonly #abort = new AbortController();
  #givenUp: GivenUp | null = null;
  #resolve!: (result: Result) => void;
  #settled = false;

  constructor(call: AcceptedCall, tenant: string, acceptedMs: number) {
    this.call = call;
    this.tenant = tenant;
    this.acceptedMs = acceptedMs;
    this.grantedMs = acceptedMs;
    this.result = new Promise((resolve) => (this.#resolve = resolve));
  }

  get priority(): Priority {
    return this.call.priority;
  }

  get bytes(): number {
    return this.call.bytes;
  }

  get settled(): boolean {
    return this.#settled;
  }

  get givenUp(): GivenUp | null {
    return this.#givenUp;
  }

  /** Aborted when the call is given up. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  giveUp(why: GivenUp): void {
    if (this.#settled || this.#givenUp !== null) return;
    this.#givenUp = why;
    this.#abort.abort();
    this.onGivenUp?.();
  }

  settle(result: Result): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#resolve(result);
  }
}
