/**
 * Calls by the id that their caller gave them, while they are in flight: the same call sent again joins the
 * first one, and the call is given up only when all who wait for it have gone.
 */
import { isDeepStrictEqual } from "node:util";
import type { Call } from "../contract/call.ts";
import { SandboxError } from "../contract/errors.ts";
import type { Result } from "../contract/result.ts";
import type { CallTicket } from "./call-ticket.ts";

interface Flight {
  readonly ticket: CallTicket;
  readonly call: Call;
  waiters: number;
}

export class InFlight {
  readonly #flights = new Map<string, Flight>();

  get size(): number {
    return this.#flights.size;
  }

  /**
   * The flight of an id, if it is in the air and has not been given up.
   * @throws SandboxError `id_conflict` when it is that of another call.
   */
  find(tenant: string, call: Call, pointer = ""): Flight | null {
    if (call.id === undefined) return null;
    const flight = this.#flights.get(key(tenant, call.id));
    // Whoever comes after the last one left has not given anything up: theirs is a new call.
    if (flight === undefined || flight.ticket.givenUp !== null) return null;
    if (!isDeepStrictEqual(flight.call, call)) {
      throw new SandboxError(
        "id_conflict",
        `a different call with id ${JSON.stringify(call.id)} is in flight`,
        { path: `${pointer}/id` },
      );
    }
    return flight;
  }

  /** Enters a ticket; it leaves when it settles. */
  enter(tenant: string, call: Call, ticket: CallTicket): Flight {
    const flight: Flight = { ticket, call, waiters: 0 };
    if (call.id !== undefined) {
      const name = key(tenant, call.id);
      this.#flights.set(name, flight);
      void ticket.result.then(() => {
        if (this.#flights.get(name) === flight) this.#flights.delete(name);
      });
    }
    return flight;
  }
}

function key(tenant: string, id: string): string {
  return `${tenant}\0${id}`;
}

/**
 * When waiters go: those of one request go together. One listener for all of them, because a signal walks through
 * its listeners for each that is added or removed.
 */
export class Departure {
  readonly #leaving = new Set<() => void>();
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = (): void => this.go();
  #gone = false;

  constructor(signal?: AbortSignal) {
    this.#signal = signal;
    if (signal?.aborted === true) this.#gone = true;
    else signal?.addEventListener("abort", this.#onAbort);
  }

  /** Has `leave` called when they go, at once when they have gone. */
  add(leave: () => void): void {
    if (this.#gone) leave();
    else this.#leaving.add(leave);
  }

  remove(leave: () => void): void {
    this.#leaving.delete(leave);
  }

  /** They go; the signal is let go of. */
  go(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#signal?.removeEventListener("abort", this.#onAbort);
    for (const leave of this.#leaving) leave();
    this.#leaving.clear();
  }
}

/** One waiter's answer: the flight's Result, or a cancelled one as soon as this waiter goes. */
export function waitFor(flight: Flight, departure: Departure, cancelled: () => Result): Promise<Result> {
  flight.waiters++;
  return new Promise((resolve) => {
    const leave = () => {
      flight.waiters--;
      if (flight.waiters === 0) flight.ticket.giveUp("caller");
      // The last one to go gets the call's own end, with what it printed so far.
      else resolve(cancelled());
    };
    departure.add(leave);
    void flight.ticket.result.then((result) => {
      departure.remove(leave);
      resolve(result);
    });
  });
}

export type { Flight };
