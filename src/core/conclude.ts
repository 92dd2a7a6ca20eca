/**
 * From evidence to Outcome and Result. The only author of an outcome; pure.
 *
 * Order matters: first who ended the program, then which limit the kernel enforced on one that did not end
 * well, then what was too much in spite of a good end, then how it ended by itself.
 */
import { isUtf8 } from "node:buffer";
import { constants } from "node:os";
import type { Limits } from "../contract/limits.ts";
import { type Outcome, OUTCOMES } from "../contract/outcome.ts";
import type { CollectedFile, CompileReport, Result } from "../contract/result.ts";
import type { AcceptedCall } from "./accept.ts";
import type { Compiled } from "./compiled.ts";
import { renderOutput } from "./output.ts";
import type { EndedBy, Evidence } from "./ports.ts";

const OUTCOME_OF_END: Readonly<Record<EndedBy, Outcome>> = {
  cancel: "cancelled",
  wall: "wall_limit",
  cpu: "cpu_limit",
  output: "output_limit",
  memory: "memory_limit",
};

const SIGNAL_NAMES = new Map<number, string>(
  Object.entries(constants.signals).map(([name, number]) => [number, name]),
);

/** Name of a signal by its number, e.g. SIGKILL for 9. */
export function signalName(signal: number): string {
  return SIGNAL_NAMES.get(signal) ?? `SIG${signal}`;
}

export function nameOutcome(evidence: Evidence, limits: Limits): Outcome {
  if (evidence.endedBy !== null) return OUTCOME_OF_END[evidence.endedBy];
  if (evidence.exitCode !== 0) {
    if (evidence.oomKills > 0) return "memory_limit";
    if (evidence.forksRefused > 0) return "process_limit";
    if (evidence.diskFull) return "disk_limit";
    if (isCpuSignal(evidence.signal) && evidence.usage.cpu_ms >= limits.cpu_ms) return "cpu_limit";
  }
  if (evidence.stdout.totalBytes > limits.output_bytes || evidence.stderr.totalBytes > limits.output_bytes)
    return "output_limit";
  if (evidence.signal !== null) return "signaled";
  return evidence.exitCode === 0 ? "completed" : "failed";
}

/** The kernel ends a process at RLIMIT_CPU by SIGXCPU or SIGKILL. */
function isCpuSignal(signal: number | null): boolean {
  return signal === constants.signals.SIGXCPU || signal === constants.signals.SIGKILL;
}

export interface Times {
  readonly acceptedMs: number;
  readonly grantedMs: number;
}

const round = (ms: number): number => Math.round(ms * 1000) / 1000;

/** What a compile stage that gave no program makes of its call. */
function nameCompileOutcome(evidence: Evidence, limits: Limits): Outcome {
  const outcome = nameOutcome(evidence, limits);
  return OUTCOMES[outcome] === "program" ? "compile_failed" : outcome;
}

function detailOf(outcome: Outcome, inCompile: boolean): string | null {
  if (outcome === "cancelled") return "the call was given up while it ran";
  return inCompile && outcome !== "compile_failed" ? "the compile stage came to this limit" : null;
}

/** @param evidence of the run stage, or of a compile stage that gave no program. */
export function conclude(
  call: AcceptedCall,
  evidence: Evidence,
  times: Times,
  compile: Compiled | null = null,
): Result {
  const stdout = renderOutput(evidence.stdout, call.encoding);
  const stderr = renderOutput(evidence.stderr, call.encoding);
  const queuedMs = times.grantedMs - times.acceptedMs;
  const inCompile = compile !== null && compile.program === null;
  const outcome = inCompile
    ? nameCompileOutcome(evidence, call.compile?.limits ?? call.spec.limits)
    : nameOutcome(evidence, call.spec.limits);
  return {
    id: call.id,
    outcome,
    exit_code: evidence.exitCode,
    signal: evidence.signal === null ? null : signalName(evidence.signal),
    stdout: stdout.text,
    stderr: stderr.text,
    output_encoding: call.encoding,
    truncated: { stdout: stdout.dropped, stderr: stderr.dropped },
    error: evidence.report.error ?? null,
    value: evidence.report.value ?? null,
    files: inCompile ? noFiles(call) : collectedFiles(evidence),
    ...(compile === null ? {} : { compile: compileReport(compile, call.encoding) }),
    usage: roundedUsage(evidence),
    timing: {
      queued_ms: round(queuedMs),
      started_ms: round(queuedMs + evidence.startMs),
      run_ms: round(evidence.runMs),
    },
    detail: detailOf(outcome, inCompile),
  };
}

function roundedUsage({ usage }: Evidence): Result["usage"] {
  return { ...usage, wall_ms: round(usage.wall_ms), cpu_ms: round(usage.cpu_ms) };
}

function compileReport({ evidence, cached }: Compiled, encoding: AcceptedCall["encoding"]): CompileReport {
  return {
    exit_code: evidence.exitCode,
    signal: evidence.signal === null ? null : signalName(evidence.signal),
    stdout: renderOutput(evidence.stdout, encoding).text,
    stderr: renderOutput(evidence.stderr, encoding).text,
    usage: roundedUsage(evidence),
    cached,
  };
}

/** Of a program that never ran. */
function noFiles({ spec }: AcceptedCall): Record<string, CollectedFile> {
  return Object.fromEntries(spec.collect.map((path) => [path, { error: "not_found" as const }]));
}

function collectedFiles(evidence: Evidence): Record<string, CollectedFile> {
  return Object.fromEntries(evidence.files.map(({ path, content }) => [path, collectedFile(content)]));
}

function collectedFile(content: Evidence["files"][number]["content"]): CollectedFile {
  if (typeof content === "string") return { error: content };
  return isUtf8(content)
    ? { content: content.toString("utf8"), encoding: "utf8" }
    : { content: content.toString("base64"), encoding: "base64" };
}

/** The Result of a call whose program left no evidence: given up before its start, or lost by our fault. */
export function concludeWithoutRun(
  call: AcceptedCall,
  outcome: "cancelled" | "sandbox_failed",
  detail: string,
  times: Times,
): Result {
  return {
    id: call.id,
    outcome,
    exit_code: null,
    signal: null,
    stdout: "",
    stderr: "",
    output_encoding: call.encoding,
    truncated: { stdout: 0, stderr: 0 },
    error: null,
    value: null,
    files: {},
    usage: { wall_ms: 0, cpu_ms: 0, memory_peak_bytes: 0, processes: 0 },
    timing: { queued_ms: round(times.grantedMs - times.acceptedMs), started_ms: 0, run_ms: 0 },
    detail,
  };
}
