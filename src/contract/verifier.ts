/** The port for verifications: what judges them on an Executor here, and the client of a service that does. */
import type { ExecuteOptions } from "./executor.ts";
import type { Verdict } from "./verdict.ts";
import type { Verification } from "./verification.ts";

export interface Verifier {
  /**
   * Judges one answer or program and answers with its one Verdict.
   * @throws SandboxError when it was not accepted; never for anything a program did.
   */
  verify(verification: Verification, options?: ExecuteOptions): Promise<Verdict>;
  /**
   * Accepts all or none by their shape, then yields each Verdict with its place the moment it is ready. One whose
   * program turns out to be no acceptable call is `excluded`, and keeps no other from its verdict.
   * @throws SandboxError before the first Verdict when the batch was not accepted.
   */
  verifyBatch(
    verifications: readonly Verification[],
    options?: ExecuteOptions,
  ): Promise<AsyncIterable<VerdictItem>>;
}

export interface VerdictItem {
  /** Place of the verification in the batch, from 0. */
  readonly index: number;
  readonly verdict: Verdict;
}
