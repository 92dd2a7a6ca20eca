/**
 * OpenEnv's coding environment: an interpreter that is kept from step to step, its counters, and the original's reward
 * for how a program looks. Over a session of the Executor, so the programs are those of real Python.
 */
import { randomUUID } from "node:crypto";
import { SandboxError } from "../contract/errors.ts";
import type { ExecuteOptions, Executor } from "../contract/executor.ts";
import type { LimitPolicy } from "../contract/limits.ts";
import type { Outcome } from "../contract/outcome.ts";
import type { Result } from "../contract/result.ts";
import type { Session } from "../contract/session.ts";
import { wallMs } from "./adapter.ts";
import { firstCharacters, MEMORY_ERROR, strip } from "./python-text.ts";

export interface Observed {
  readonly observation: { readonly stdout: string; readonly stderr: string; readonly exit_code: number };
  readonly reward: number;
  readonly done: false;
}

export interface EnvironmentState {
  readonly episode_id: string | null;
  readonly step_count: number;
  readonly last_exit_code: number;
}

export interface Environment {
  /** Begins an episode in a new interpreter; one that has run nothing is as good as new. */
  reset(): Promise<Observed>;
  /**
   * @throws SandboxError when the program was not run, or nothing is known of it; the state is then what it was, or
   *   lost until the next `reset`, and the error says which.
   */
  step(code: string): Promise<Observed>;
  state(): EnvironmentState;
  close(): Promise<void>;
}

export interface EnvironmentParts {
  readonly executor: Executor;
  readonly limits: LimitPolicy;
  /** Wall time of a step. Milliseconds. */
  readonly wall: number;
  readonly options: ExecuteOptions;
}

/** What the last line of stderr is; `gone`: nothing is known of the program, so there is no observation. */
const TOLD_AS: Readonly<Record<Outcome, "output" | "timeout" | "memory" | "limit" | "gone">> = {
  completed: "output",
  failed: "output",
  signaled: "limit",
  compile_failed: "output",
  wall_limit: "timeout",
  cpu_limit: "timeout",
  memory_limit: "memory",
  output_limit: "limit",
  process_limit: "output",
  disk_limit: "output",
  cancelled: "gone",
  sandbox_failed: "gone",
};

/** What the original's interpreter knows without an import. */
const PRELUDE = `
from math import acos, asin, atan, atan2, ceil, cos, degrees, exp, floor, log, radians, sin, sqrt, tan
from traceback import format_exc

def safe_json_dumps(obj):
    import json
    return json.dumps(obj, default=repr)
`;

const DANGEROUS = /import\s+os|import\s+subprocess|eval\(|exec\(|__import__|open\(/;
const CONCISE_CHARACTERS = 100;
const SYNTAX_ERRORS: ReadonlySet<string> = new Set(["SyntaxError", "IndentationError", "TabError"]);

/** Of a program that could not be compiled Python shows the place and no traceback. */
function isUnreadable({ error, stderr }: Result): boolean {
  return error !== null && SYNTAX_ERRORS.has(error.type) && !stderr.startsWith("Traceback");
}

/** Added up as the original does, so that the same programs have the same floating point number. */
function rewardOf(code: string, result: Result): number {
  const safety = DANGEROUS.test(code) ? -1 : 0;
  const text = strip(code);
  let quality = 0;
  if (firstCharacters(text, CONCISE_CHARACTERS) === text) quality += 0.1;
  if (isUnreadable(result)) quality += -0.2;
  return safety + quality;
}

/** @throws SandboxError for what says nothing about the program. */
function observationOf(result: Result, wall: number): Observed["observation"] {
  const told = TOLD_AS[result.outcome];
  if (told === "gone") {
    const code = result.outcome === "cancelled" ? "draining" : "engine_unavailable";
    throw new SandboxError(code, result.detail ?? `the step ended with ${result.outcome}`);
  }
  if (result.exit_code === 0 && result.outcome === "completed") {
    const shown = [result.stdout, result.value ?? ""].filter((part) => part !== "");
    return { stdout: shown.join("\n"), stderr: result.stderr, exit_code: 0 };
  }
  const last = {
    output: "",
    timeout: `Code execution exceeded the maximum execution time of ${wall / 1000} seconds\n`,
    memory: MEMORY_ERROR,
    limit: `${result.detail ?? `the step ended with ${result.outcome}`}\n`,
  }[told];
  // As there, what a program printed before it failed is not shown.
  return { stdout: "", stderr: result.stderr + last, exit_code: result.exit_code || 1 };
}

async function openSession({ executor, options }: EnvironmentParts): Promise<Session> {
  const session = await executor.openSession({ runtime: "python" }, options);
  try {
    const { outcome, detail } = await session.execute({ source: PRELUDE, mode: "script" }, options);
    if (outcome === "completed") return session;
    throw new SandboxError("engine_unavailable", detail ?? `the interpreter's start ended with ${outcome}`);
  } catch (error) {
    await session.close();
    throw error;
  }
}

/** @throws SandboxError when there can be no session now. */
export async function openEnvironment(parts: EnvironmentParts): Promise<Environment> {
  const wall = wallMs(parts.wall / 1000, parts.limits);
  let session: Session | null = await openSession(parts);
  let fresh = true;
  let state: EnvironmentState = { episode_id: null, step_count: 0, last_exit_code: 0 };
  return {
    async reset() {
      if (!fresh || session === null) {
        await session?.close();
        session = null;
        session = await openSession(parts);
        fresh = true;
      }
      state = { episode_id: randomUUID(), step_count: 0, last_exit_code: 0 };
      return { observation: { stdout: "", stderr: "", exit_code: 0 }, reward: 0, done: false };
    },
    async step(code) {
      if (session === null) throw new SandboxError("session_lost", "the last reset failed: reset again");
      fresh = false;
      const result = await session.execute({ source: code, limits: { wall_ms: wall } }, parts.options);
      const observation = observationOf(result, wall);
      state = {
        episode_id: state.episode_id,
        step_count: state.step_count + 1,
        last_exit_code: observation.exit_code,
      };
      return { observation, reward: rewardOf(code, result), done: false };
    },
    state: () => state,
    async close() {
      await session?.close();
    },
  };
}
