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

/** One waiter's answer: the flight's Result, or a cancelled one as soon as this waiter goes. */
export function waitFor(
  flight: Flight,
  signal: AbortSignal | undefined,
  cancelled: () => Result,
): Promise<Result> {
  flight.waiters++;
  if (signal === undefined) return flight.ticket.result;
  return new Promise((resolve) => {
    const leave = () => {
      flight.waiters--;
      if (flight.waiters === 0) flight.ticket.giveUp("caller");
      // The last one to go gets the call's own end, with what it printed so far.
      else resolve(cancelled());
    };
    if (signal.aborted) leave();
    else signal.addEventListener("abort", leave, { once: true });
    void flight.ticket.result.then((result) => {
      signal.removeEventListener("abort", leave);
      resolve(result);
    });
  });
}

export type { Flight };
