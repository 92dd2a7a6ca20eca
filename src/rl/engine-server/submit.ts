/** The answer to a request whose result is asked for later. */
import type { Futures, Result } from "./futures.ts";

export interface Submitted {
  readonly request_id: string;
  readonly future_id: string;
  readonly status: "pending";
}

export type Submit = (owner: string, work: (signal: AbortSignal) => Promise<Result>) => Submitted;

export const submittedAs = (id: string): Submitted => ({ request_id: id, future_id: id, status: "pending" });

export function createSubmit(futures: Futures): Submit {
  return (owner, work) => submittedAs(futures.submit(owner, work));
}
