/** Public entry of the HTTP client. */
export { createClient, type Client, type ClientOptions } from "./client.ts";
export type { RetryPolicy } from "./retry.ts";
export type { Call, FileContent, Priority, RuntimeId } from "../contract/call.ts";
export type { Description } from "../contract/description.ts";
export { SandboxError, type ErrorCode } from "../contract/errors.ts";
export type { BatchItem, ExecuteOptions, Executor } from "../contract/executor.ts";
export type { Limits, Usage } from "../contract/limits.ts";
export { mayBecomeReward, type Outcome } from "../contract/outcome.ts";
export type { Result } from "../contract/result.ts";
export { rewardOf, type CaseVerdict, type Verdict, type VerdictName } from "../contract/verdict.ts";
export type { Verification } from "../contract/verification.ts";
export type { VerdictItem, Verifier } from "../contract/verifier.ts";
export type { ForkSpec, Session, SessionCall, SessionDescription, SessionSpec } from "../contract/session.ts";
