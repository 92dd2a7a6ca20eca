/**
 * The batch router of open-r1. Its client does not look at the HTTP status and takes any answer for a list, so
 * each script has an entry whatever happens, and one that was not run has `execution: null`, which the reward
 * takes for "unknown" and not for "wrong".
 */
import type { Call, RuntimeId } from "../contract/call.ts";
import { SandboxError } from "../contract/errors.ts";
import type { ExecuteOptions } from "../contract/executor.ts";
import type { LimitPolicy } from "../contract/limits.ts";
import type { Outcome } from "../contract/outcome.ts";
import type { Result } from "../contract/result.ts";
import { during, isOverload, wallMs, type Adapter, type WireParts } from "./adapter.ts";
import * as body from "./fastapi.ts";

/** Whether there is an execution to tell of, or only why there is none. */
const TOLD_AS: Readonly<Record<Outcome, "execution" | "exception">> = {
  completed: "execution",
  failed: "execution",
  signaled: "exception",
  compile_failed: "execution",
  wall_limit: "exception",
  cpu_limit: "exception",
  memory_limit: "exception",
  output_limit: "execution",
  process_limit: "execution",
  disk_limit: "execution",
  cancelled: "exception",
  sandbox_failed: "exception",
};

const Batch = body.model({
  scripts: body.required(body.list(body.text)),
  languages: body.required(body.list(body.text)),
  timeout: body.required(body.integer),
  request_timeout: body.required(body.integer),
});
type Batch = ReturnType<typeof Batch>;

const RUNTIME_OF: Readonly<Partial<Record<string, RuntimeId>>> = {
  python: "python",
  javascript: "javascript",
  js: "javascript",
};

interface ScriptResult {
  readonly execution: object | null;
  readonly exception_str: string | null;
}

const exception = (exception_str: string): ScriptResult => ({ execution: null, exception_str });

/** As the original's notebook reads a cell: the first line's indentation is that of all. */
function dedent(script: string): string {
  const indent = /^(?:[ \t]*\r?\n)*([ \t]+)\S/.exec(script)?.[1];
  if (indent === undefined) return script;
  return script
    .split("\n")
    .map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line))
    .join("\n");
}

const NO_FORMS = {
  html: null,
  markdown: null,
  svg: null,
  png: null,
  jpeg: null,
  pdf: null,
  latex: null,
  json: null,
  javascript: null,
  data: null,
  chart: null,
  extra: null,
};

const lines = (text: string): string[] => (text === "" ? [] : [text]);

function executionOf({ value, stdout, stderr, error, exit_code }: Result): object {
  const failed = exit_code !== 0;
  return {
    results: value === null ? [] : [{ text: value, ...NO_FORMS, is_main_result: true }],
    logs: { stdout: lines(stdout), stderr: lines(error === null ? stderr : "") },
    error: failed
      ? {
          name: error?.type ?? "SystemExit",
          value: error?.message ?? String(exit_code),
          traceback: stderr,
        }
      : null,
    execution_count: 1,
  };
}

function scriptResult(result: Result): ScriptResult {
  if (TOLD_AS[result.outcome] === "execution") return { execution: executionOf(result), exception_str: null };
  return exception(result.detail ?? `the script ended with ${result.outcome}`);
}

function callOf(script: string, language: string, timeout: number, limits: LimitPolicy): Call | null {
  const runtime = RUNTIME_OF[language];
  if (runtime === undefined) return null;
  return {
    runtime,
    source: runtime === "python" ? dedent(script) : script,
    mode: "cell",
    limits: { wall_ms: wallMs(timeout, limits) },
  };
}

async function runOne(
  parts: WireParts,
  call: Call | null,
  language: string,
  options: ExecuteOptions,
): Promise<ScriptResult> {
  if (call === null) return exception(`there is no runtime for ${JSON.stringify(language)} here`);
  try {
    return scriptResult(await parts.executor.execute(call, options));
  } catch (error) {
    if (error instanceof SandboxError && error.code !== "internal") return exception(error.message);
    throw error;
  }
}

/** As many scripts as there are languages, like the original. */
function scriptsOf({ scripts, languages }: Batch): (readonly [string, string])[] {
  return scripts.slice(0, languages.length).map((script, index) => [script, languages[index] as string]);
}

async function runBatch(parts: WireParts, batch: Batch, options: ExecuteOptions): Promise<ScriptResult[]> {
  return Promise.all(
    scriptsOf(batch).map(([script, language]) =>
      runOne(parts, callOf(script, language, batch.timeout, parts.limits), language, options),
    ),
  );
}

export function openR1(): Adapter {
  return {
    routes(app, parts) {
      app.get("/health", () => Promise.resolve({ status: "ok" }));
      app.post("/execute_batch", async (request, reply) => {
        const batch = body.readBody(Batch, request.body);
        try {
          return await during(parts, request, reply, (options) => runBatch(parts, batch, options));
        } catch (error) {
          if (!(error instanceof SandboxError) || !isOverload(error)) throw error;
          return scriptsOf(batch).map(() => exception(error.message));
        }
      });
    },
    sendError: (error, reply) => body.sendFastapiError(error, reply),
  };
}
