/**
 * Rollcall as a library: the same core as the service, with no HTTP in it.
 *
 * @example
 * const executor = await createExecutor();
 * const result = await executor.execute({ runtime: "python", source: "print(6 * 7)" });
 * console.log(result.outcome, result.stdout);
 * await executor.close();
 */
import { type CallObserver, composeEmbedded, type PartialConfig } from "./compose.ts";
import type { Executor } from "./contract/executor.ts";

export interface CreateExecutorOptions {
  /** Told about every call, for metrics. */
  readonly observer?: CallObserver;
  /** Told about faults of sandboxes. Default: nobody. */
  readonly log?: { warn(fields: object, message: string): void };
}

/**
 * Starts the engines on this machine and returns their executor. Needs root and an OCI runtime, as the service
 * does; rejects with a message that says what is missing.
 *
 * @param config any part of the service's configuration; the `http`, `log` and `drain` parts are not used.
 */
export function createExecutor(
  config: PartialConfig = {},
  options: CreateExecutorOptions = {},
): Promise<Executor> {
  return composeEmbedded(config, options);
}

export type { Call, FileContent, Priority, RuntimeId } from "./contract/call.ts";
export type { Description, EngineDescription, IsolationTier } from "./contract/description.ts";
export { ERROR_CODES, type ErrorCode, SandboxError } from "./contract/errors.ts";
export type { BatchItem, ExecuteOptions, Executor } from "./contract/executor.ts";
export { DEFAULT_LIMIT_POLICY, type LimitPolicy, type Limits, type Usage } from "./contract/limits.ts";
export { mayBecomeReward, type Outcome, OUTCOME_NAMES, OUTCOMES } from "./contract/outcome.ts";
export {
  rewardOf,
  VERDICT_NAMES,
  type CaseVerdict,
  type Verdict,
  type VerdictName,
} from "./contract/verdict.ts";
export type { Verification } from "./contract/verification.ts";
export type { VerdictItem, Verifier } from "./contract/verifier.ts";
export { createVerifier, type VerifierOptions } from "./compose.ts";
export type { CollectedFile, ProgramError, Result, SessionState } from "./contract/result.ts";
export type { ForkSpec, Session, SessionCall, SessionDescription, SessionSpec } from "./contract/session.ts";
export type { CallObserver, Observed, PartialConfig } from "./compose.ts";
