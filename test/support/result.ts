/** A Result for tests that need one and do not care where it is from. */
import type { Result } from "../../src/contract/result.ts";

/** `fields` over the Result of a call that completed and printed nothing. Times in ms, memory in bytes. */
export function resultOf(fields: Partial<Result>): Result {
  return {
    id: "1",
    outcome: "completed",
    exit_code: 0,
    signal: null,
    stdout: "",
    stderr: "",
    output_encoding: "utf8",
    truncated: { stdout: 0, stderr: 0 },
    error: null,
    value: null,
    files: {},
    usage: { wall_ms: 1.5, cpu_ms: 1, memory_peak_bytes: 4096, processes: 1 },
    timing: { queued_ms: 0.1, started_ms: 0.4, run_ms: 1.5 },
    detail: null,
    ...fields,
  };
}
