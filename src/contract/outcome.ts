/**
 * Why a call ended. A closed union with a single author, `core/conclude.ts`.
 *
 * The four groups say whose doing it was; only outcomes of the program and of its limits may become a
 * reward. `cancelled` and `sandbox_failed` say nothing about the program.
 */
import { Type } from "typebox";

export const OUTCOMES = {
  /** The program ended by itself with exit code 0. */
  completed: "program",
  /** The program ended by itself with another exit code, an uncaught exception included. */
  failed: "program",
  /** The program was ended by a signal that was not ours. */
  signaled: "program",
  /** The compile stage of a compiled language ended with an error; the program never ran. */
  compile_failed: "program",
  /** Ended at `limits.wall_ms`. */
  wall_limit: "limit",
  /** Ended at `limits.cpu_ms`. */
  cpu_limit: "limit",
  /** The kernel ended a process of the call at `limits.memory_bytes`. */
  memory_limit: "limit",
  /** Wrote more than `limits.output_bytes` to stdout or to stderr. */
  output_limit: "limit",
  /** The kernel refused a process or thread at `limits.processes` and the program did not end well. */
  process_limit: "limit",
  /** The scratch file system was full at `limits.disk_bytes` and the program did not end well. */
  disk_limit: "limit",
  /** The caller went away, or the call's own `deadline_ms` passed. */
  cancelled: "caller",
  /** Our fault, after one repeat. Says nothing about the program. */
  sandbox_failed: "service",
} as const satisfies Record<string, "program" | "limit" | "caller" | "service">;

export type Outcome = keyof typeof OUTCOMES;

export const OUTCOME_NAMES = Object.keys(OUTCOMES) as Outcome[];

export const OutcomeSchema = Type.Enum(OUTCOME_NAMES, {
  type: "string",
  $id: "Outcome",
  description: "Why the call ended.",
});

/** True for outcomes that the program earned; a trainer must drop a rollout that holds any other. */
export function mayBecomeReward(outcome: Outcome): boolean {
  return OUTCOMES[outcome] === "program" || OUTCOMES[outcome] === "limit";
}
