/**
 * The port in the middle of the house. An embedding program, the HTTP routes, the wire adapters, benches
 * and the conformance suite take an Executor and do not know which one they have.
 */
import type { Call } from "./call.ts";
import type { Description } from "./description.ts";
import type { Result } from "./result.ts";
import type { Session, SessionDescription, SessionOptions, SessionSpec } from "./session.ts";

export interface ExecuteOptions {
  /** Gives the call up: a waiting one leaves the queue, a running one is ended. The Result is `cancelled`. */
  readonly signal?: AbortSignal;
  /** For whom the call is; the queue is fair between tenants. Default: one anonymous tenant. */
  readonly tenant?: string;
}

export interface Executor {
  /**
   * Carries one call out and answers with its one Result.
   * @throws SandboxError when the call was not accepted; never for anything the program did.
   */
  execute(call: Call, options?: ExecuteOptions): Promise<Result>;
  /**
   * Accepts all calls or none, then yields each Result with the call's index the moment it is ready.
   * @throws SandboxError before the first Result when the batch was not accepted.
   */
  executeBatch(calls: readonly Call[], options?: ExecuteOptions): Promise<AsyncIterable<BatchItem>>;
  /**
   * Opens a session: a live interpreter that keeps its state between calls. It has a sandbox of its own beside the
   * slots of calls, until it is closed, is lost, or one of its deadlines passes.
   * Aborting the signal before it is open gives it up.
   * @throws SandboxError `sessions_full`, `id_conflict`, `engine_unavailable`, or what makes the spec not acceptable.
   */
  openSession(spec: SessionSpec, options?: SessionOptions): Promise<Session>;
  /**
   * An open session of this tenant by its id; also one that was lost or closed a while ago, which says so when used.
   * @throws SandboxError `session_not_found`.
   */
  findSession(id: string, options?: SessionOptions): Promise<Session>;
  /** This tenant's open sessions, the oldest first. */
  listSessions(options?: SessionOptions): Promise<readonly SessionDescription[]>;
  /** What this executor is, can run and how it isolates. */
  describe(): Promise<Description>;
  /** Takes no more calls, finishes those it has and leaves nothing behind. */
  close(): Promise<void>;
}

export interface BatchItem {
  /** Place of the call in the batch, from 0. */
  readonly index: number;
  readonly result: Result;
}
