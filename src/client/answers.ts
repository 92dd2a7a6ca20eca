/** What comes back from a server, checked as far as a caller relies on it. */
import { ERROR_CODES, SandboxError, type ErrorCode, type SandboxErrorOptions } from "../contract/errors.ts";
import { OUTCOMES } from "../contract/outcome.ts";
import type { Result } from "../contract/result.ts";
import { VERDICTS, type Verdict } from "../contract/verdict.ts";
import type { Verification } from "../contract/verification.ts";

interface ErrorLike {
  readonly code?: unknown;
  readonly message?: unknown;
  readonly path?: unknown;
  readonly retry_after_ms?: unknown;
}

/** The server's `{error}` as a SandboxError, or null when it is none that is known. */
export function errorFrom(body: unknown): SandboxError | null {
  const error = (body as { error?: ErrorLike } | null)?.error;
  if (typeof error?.code !== "string" || !Object.hasOwn(ERROR_CODES, error.code)) return null;
  const options: SandboxErrorOptions = {
    ...(typeof error.path === "string" ? { path: error.path } : {}),
    ...(typeof error.retry_after_ms === "number" ? { retryAfterMs: error.retry_after_ms } : {}),
  };
  return new SandboxError(
    error.code as ErrorCode,
    typeof error.message === "string" ? error.message : error.code,
    options,
  );
}

/** The error of an answer that is not 200, whoever made it. */
export function errorFromAnswer(status: number, text: string, retryAfter: string | undefined): SandboxError {
  let body: unknown = null;
  try {
    body = JSON.parse(text);
  } catch {
    // Told below: something between us and the service answered in its place.
  }
  const known = errorFrom(body);
  if (known !== null) return known;
  const seconds = Number(retryAfter);
  const options =
    retryAfter !== undefined && Number.isFinite(seconds) ? { retryAfterMs: seconds * 1000 } : {};
  return new SandboxError(
    "unreachable",
    `something other than the service answered with status ${status}: ${text.slice(0, 200)}`,
    options,
  );
}

/** @throws SandboxError `unreachable` when the value is not a Result of this contract. */
export function resultFrom(value: unknown): Result {
  const result = value as Result | null;
  if (
    typeof result === "object" &&
    result !== null &&
    typeof result.id === "string" &&
    Object.hasOwn(OUTCOMES, result.outcome)
  )
    return result;
  throw new SandboxError("unreachable", "the answer is not a Result; is the service of another version?");
}

/** The Result of a call that its caller gave up: the server's own never arrives, as the connection is closed. */
export function cancelledResult(id: string): Result {
  return {
    id,
    outcome: "cancelled",
    exit_code: null,
    signal: null,
    stdout: "",
    stderr: "",
    output_encoding: "utf8",
    truncated: { stdout: 0, stderr: 0 },
    error: null,
    value: null,
    files: {},
    usage: { wall_ms: 0, cpu_ms: 0, memory_peak_bytes: 0, processes: 0 },
    timing: { queued_ms: 0, started_ms: 0, run_ms: 0 },
    detail: "the caller gave the call up",
  };
}

/** @throws SandboxError `unreachable` when the value is not a Verdict of this contract. */
export function verdictFrom(value: unknown): Verdict {
  const verdict = value as Verdict | null;
  if (
    typeof verdict === "object" &&
    verdict !== null &&
    typeof verdict.id === "string" &&
    Object.hasOwn(VERDICTS, verdict.verdict)
  )
    return verdict;
  throw new SandboxError("unreachable", "the answer is not a Verdict; is the service of another version?");
}

/** The Verdict on what its caller gave up: the server's own never arrives. */
export function excludedVerdict({ id, kind }: Verification): Verdict {
  return {
    id: id ?? "",
    kind,
    verdict: "excluded",
    reward: null,
    outcome: null,
    detail: "the caller gave the verification up",
    passed: 0,
    total: 1,
    cases: [],
    usage: { wall_ms: 0, cpu_ms: 0, memory_peak_bytes: 0, processes: 0 },
  };
}
