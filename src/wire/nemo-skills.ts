/**
 * The sandbox of NeMo-Skills: cells in sessions that the client names, and programs by themselves.
 *
 * A client that is told `new_session_created` of a session it knows replays all its cells, so that field is true only
 * when the state is gone. It takes HTTP 502 for "not answered in time", and any other status for an answer: what says
 * nothing about a program is 502.
 */
import type { Call } from "../contract/call.ts";
import type { ExecuteOptions } from "../contract/executor.ts";
import type { Outcome } from "../contract/outcome.ts";
import type { Result } from "../contract/result.ts";
import { during, notCarriedOut, wallMs, type Adapter, type WireParts } from "./adapter.ts";
import * as body from "./fastapi.ts";
import { namedSessions, type NamedSessions } from "./named-sessions.ts";
import { firstCharacters, MEMORY_ERROR, stripEnd } from "./python-text.ts";

/** `gone`: nobody's program is told of, the client is to come again. */
const TOLD_AS: Readonly<Record<Outcome, "completed" | "error" | "timeout" | "gone">> = {
  completed: "completed",
  failed: "error",
  signaled: "error",
  compile_failed: "error",
  wall_limit: "timeout",
  cpu_limit: "timeout",
  memory_limit: "error",
  output_limit: "error",
  process_limit: "error",
  disk_limit: "error",
  cancelled: "gone",
  sandbox_failed: "gone",
};

const Execution = body.model({
  generated_code: body.required(body.text),
  timeout: body.required(body.float),
  language: body.optional(body.text, "ipython"),
  std_input: body.optional(body.text, ""),
  max_output_characters: body.optional(body.integer, 1000),
  traceback_verbosity: body.optional(body.text, "Plain"),
});
type Execution = ReturnType<typeof Execution>;

interface Answer {
  readonly process_status: "completed" | "error" | "timeout";
  readonly stdout: string;
  readonly stderr: string;
  readonly new_session_created?: boolean;
}

const timedOut = (timeout: number): string => `Execution timed out after ${timeout} seconds\n`;

/** @throws SandboxError for what says nothing about the program. */
function statusOf(result: Result): Answer["process_status"] {
  const told = TOLD_AS[result.outcome];
  if (told === "gone") throw notCarriedOut(result);
  return told;
}

/** A program by itself. In Python it has `completed`, whatever its exit code; what it printed before a time limit is lost. */
function programAnswer(result: Result, { language, timeout }: Execution): Answer {
  const process_status = statusOf(result);
  if (process_status === "timeout") return { process_status, stdout: "", stderr: timedOut(timeout) };
  const { stdout } = result;
  const stderr = result.stderr + (result.outcome === "memory_limit" ? MEMORY_ERROR : "");
  return { process_status: language === "shell" ? process_status : "completed", stdout, stderr };
}

// oxlint-disable-next-line no-control-regex -- escape sequences of terminals begin with one
const ANSI = /\u001b(?:[@-Z\\-_]|\[[0-?]*[ -/]*[@-~])/g;
const CELL_FILE = /^\s*File "<cell /;
const TRACEBACK = /^(?:Traceback \(most recent call last\):\n| {2}File "<cell [^\n]*\n)/gm;

/** Where the traceback begins with which a cell ended. */
function tracebackStart(stderr: string): number {
  const starts = [...stderr.matchAll(TRACEBACK)];
  const heads = starts.filter(([text]) => text.startsWith("Traceback"));
  // A syntax error has no head, only the line that names its file.
  return (heads.at(-1) ?? starts.at(-1))?.index ?? stderr.length;
}

/** As the original cleans what IPython prints. */
function tidied(text: string, verbosity: string): string {
  if (verbosity !== "Plain" && verbosity !== "Minimal") return text;
  const lines = text
    .replaceAll(ANSI, "")
    .split("\n")
    .filter((line) => !CELL_FILE.test(line));
  const whole = stripEnd(lines.join("\n").replace(/^\n+/, ""));
  return whole === "" ? "" : `${whole}\n`;
}

/** A cell: its value and its traceback are on stdout. */
function cellAnswer(result: Result, { timeout, traceback_verbosity: verbosity }: Execution): Answer {
  const process_status = statusOf(result);
  const start = result.error === null ? result.stderr.length : tracebackStart(result.stderr);
  const own = result.stderr.slice(0, start);
  if (process_status === "timeout") {
    const stdout = tidied(result.stdout, verbosity);
    return { process_status, stdout, stderr: tidied(own + timedOut(timeout), verbosity) };
  }
  const value = result.value === null ? "" : `${result.value}\n`;
  const stdout = tidied(result.stdout + value + result.stderr.slice(start), verbosity);
  const stderr = own + (result.outcome === "memory_limit" ? MEMORY_ERROR : "");
  return { process_status, stdout, stderr: tidied(stderr, verbosity) };
}

async function runCell(
  sessions: NamedSessions,
  parts: WireParts,
  name: string,
  execution: Execution,
  options: ExecuteOptions,
): Promise<Answer> {
  const limits = { wall_ms: wallMs(execution.timeout, parts.limits) };
  const call = { source: execution.generated_code, limits };
  const { result, opened } = await sessions.execute(name, call, options);
  // Of one that is lost the next call will find nothing.
  return {
    ...cellAnswer(result, execution),
    new_session_created: opened || result.session?.state === "lost",
  };
}

const RUNTIME_OF = { python: "python", python3: "python", shell: "bash" } as const;

async function runProgram(parts: WireParts, execution: Execution, options: ExecuteOptions): Promise<Answer> {
  const runtime = (RUNTIME_OF as Partial<Record<string, Call["runtime"]>>)[execution.language];
  if (runtime === undefined)
    return { process_status: "error", stdout: "", stderr: `${execution.language} is not there\n` };
  const call: Call = {
    runtime,
    source: execution.generated_code,
    limits: { wall_ms: wallMs(execution.timeout, parts.limits) },
    ...(execution.std_input === "" ? {} : { stdin: execution.std_input }),
  };
  return programAnswer(await parts.executor.execute(call, options), execution);
}

function cut(text: string, characters: number): string {
  const head = firstCharacters(text, characters);
  return head.length < text.length ? `${head}<output cut>` : text;
}

export function nemoSkills(): Adapter {
  return {
    routes(app, parts) {
      const sessions = namedSessions(parts.executor, "nemo-skills");

      app.get("/health", { config: { open: true } }, () =>
        Promise.resolve({ status: "healthy", worker: "rollcall" }),
      );
      app.post("/execute", async (request, reply) => {
        const execution = body.readBody(Execution, request.body);
        const name = request.headers["x-session-id"];
        if (execution.language === "ipython" && typeof name !== "string")
          return reply.code(400).send({ error: "X-Session-ID header required for ipython sessions" });
        const answer = await during(parts, request, reply, (options) =>
          execution.language === "ipython"
            ? runCell(sessions, parts, name as string, execution, options)
            : runProgram(parts, execution, options),
        );
        const { max_output_characters: most } = execution;
        return { ...answer, stdout: cut(answer.stdout, most), stderr: cut(answer.stderr, most) };
      });
      app.get("/sessions", async (request, reply) => {
        const open = await during(parts, request, reply, (options) => sessions.list(options));
        const ago = (ms: number): number => (Date.now() - ms) / 1000;
        const told = [...open].map(([name, { age_ms, unused_ms }]) => {
          const times = { created: ago(age_ms), last_used: ago(unused_ms) };
          return [name, { backend: "ipython", ...times, alive: true }] as const;
        });
        return { sessions: Object.fromEntries(told), backend: "ipython" };
      });
      app.delete<{ Params: { id: string } }>("/sessions/:id", async (request, reply) => {
        const { id } = request.params;
        const closed = await during(parts, request, reply, (options) => sessions.close(id, options));
        if (closed) return { message: `IPython session ${id} deleted successfully` };
        return reply.code(404).send({ error: `IPython session ${id} not found` });
      });
    },
    sendError(error, reply) {
      body.sendFastapiError(error, reply, error.retryable ? 502 : error.status);
    },
  };
}
