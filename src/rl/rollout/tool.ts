/**
 * The Python tool: from what the model wrote to what it is shown. There are four kinds of response: what was printed;
 * the value of the last expression, when nothing was printed; an error with its traceback; a limit that was met.
 */
import {
  SandboxError,
  mayBecomeReward,
  type ErrorCode,
  type Outcome,
  type Result,
} from "../../client/index.ts";
import type { ToolCall, Turn } from "../ports.ts";
import type { Service } from "./service.ts";

/** How the tool is told to a model, in the form that chat templates take. */
export const PYTHON_TOOL = {
  type: "function",
  function: {
    name: "python",
    description: "Runs Python code and returns what it printed, or the value of its last expression.",
    parameters: {
      type: "object",
      properties: { code: { type: "string", description: "The program." } },
      required: ["code"],
    },
  },
} as const;

export interface ToolOptions {
  /** Python that runs before the model's code, on one line; empty for none. */
  readonly prelude: string;
  /** Wall time of one call. Milliseconds. */
  readonly wallMs: number;
  /** `full` shows a traceback as it is, `compact` a mark and a letter for it: `!n` is a NameError, `!w` the time limit. */
  readonly format: "full" | "compact";
  /** Longest response, in characters; the middle of a longer one is left out. */
  readonly responseCharactersMax: number;
}

/** One call as it went, for transcripts and metrics. */
export interface ToolRecord {
  /** The program without the prelude; of a call that did not parse, nothing. */
  readonly code: string;
  /** `unparsed` never reached the service. */
  readonly outcome: Outcome | "unparsed" | "refused";
  readonly isError: boolean;
  readonly response: string;
  /** From dispatch to result, waits for a service that was away included. Milliseconds. */
  readonly latencyMs: number;
  /** Of it in the service's queue. Milliseconds. */
  readonly queuedMs: number;
}

/** Refusals that the model's own text earned; all others are for the operator and end the run. */
const REFUSED_BY_CONTENT: ReadonlySet<ErrorCode> = new Set([
  "call_too_large",
  "body_too_large",
  "invalid_call",
]);

function shorten(text: string, charactersMax: number): string {
  if (text.length <= charactersMax) return text;
  const half = Math.floor((charactersMax - 5) / 2);
  return half <= 0 ? text.slice(0, charactersMax) : `${text.slice(0, half)}\n...\n${text.slice(-half)}`;
}

function limitText({ outcome }: Result, { wallMs }: ToolOptions): string {
  return outcome === "wall_limit" || outcome === "cpu_limit"
    ? `TimeoutError: the program ran longer than ${wallMs / 1000} seconds`
    : `ResourceError: the program met its ${outcome.replace("_", " ")}`;
}

function fullText(result: Result, options: ToolOptions): string {
  if (result.outcome === "completed") {
    return result.stdout.trim() === "" ? (result.value ?? "") : result.stdout.trimEnd();
  }
  const told = result.outcome.endsWith("_limit")
    ? limitText(result, options)
    : result.stderr.trimEnd() || `the program ended by ${result.signal ?? `exit code ${result.exit_code}`}`;
  return [result.stdout.trimEnd(), told].filter((part) => part !== "").join("\n");
}

function compactText(result: Result): string {
  if (result.outcome === "completed") return result.stdout.trim() || (result.value ?? "");
  const name = result.outcome === "failed" ? (result.error?.type ?? "exit") : result.outcome;
  return `!${name.charAt(0).toLowerCase()}`;
}

/** What the model is shown of a Result. */
export function responseText(result: Result, options: ToolOptions): string {
  const text = options.format === "compact" ? compactText(result) : fullText(result, options);
  return shorten(text, options.responseCharactersMax);
}

function unparsed(message: string, { format }: ToolOptions, outcome: "unparsed" | "refused"): ToolRecord {
  const response = format === "compact" ? "!p" : `Error: ${message}`;
  return { code: "", outcome, isError: true, response, latencyMs: 0, queuedMs: 0 };
}

function codeOf(call: Turn["toolCalls"][number]): { readonly code: string } | { readonly problem: string } {
  if ("parseError" in call) return { problem: `the tool call does not parse: ${call.parseError}` };
  const { name, arguments: given } = call satisfies ToolCall;
  if (name !== PYTHON_TOOL.function.name) return { problem: `there is no tool "${name}"; there is "python"` };
  const code = given["code"];
  return typeof code === "string" ? { code } : { problem: 'the argument "code" must be a text' };
}

/**
 * Carries one tool call out. One that does not parse gets its response without touching the service.
 * @returns the record, and whether the service failed the call, in which case it says nothing about the model
 * @throws SandboxError when the service refuses for a reason that is not in the code, e.g. a wrong key
 */
export async function runTool(
  call: Turn["toolCalls"][number],
  service: Service,
  options: ToolOptions,
  signal?: AbortSignal,
): Promise<{ readonly record: ToolRecord; readonly serviceFailed: string | null }> {
  const said = codeOf(call);
  if ("problem" in said) return { record: unparsed(said.problem, options, "unparsed"), serviceFailed: null };
  const { code } = said;
  const startedAt = performance.now();
  const source = options.prelude === "" ? code : `${options.prelude}\n${code}`;
  try {
    const result = await service.execute(
      { runtime: "python", source, mode: "cell", limits: { wall_ms: options.wallMs } },
      signal === undefined ? {} : { signal },
    );
    const isOurs = !mayBecomeReward(result.outcome);
    return {
      record: {
        code,
        outcome: result.outcome,
        isError: result.outcome !== "completed",
        response: isOurs ? "" : responseText(result, options),
        latencyMs: performance.now() - startedAt,
        queuedMs: result.timing.queued_ms,
      },
      serviceFailed: isOurs ? (result.detail ?? result.outcome) : null,
    };
  } catch (error) {
    if (!(error instanceof SandboxError)) throw error;
    if (REFUSED_BY_CONTENT.has(error.code))
      return { record: { ...unparsed(error.message, options, "refused"), code }, serviceFailed: null };
    if (error.code === "internal")
      return { record: { ...unparsed("", options, "refused"), code }, serviceFailed: error.message };
    throw error;
  }
}
