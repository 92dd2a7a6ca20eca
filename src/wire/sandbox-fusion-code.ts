/**
 * SandboxFusion's code and what became of it: languages, the body of `/run_code`, its call and its answer, which its
 * online judge gives for each test case too.
 */
import { constants } from "node:os";
import type { Call, RuntimeId } from "../contract/call.ts";
import type { LimitPolicy } from "../contract/limits.ts";
import type { Outcome } from "../contract/outcome.ts";
import type { CollectedFile, Result } from "../contract/result.ts";
import { compileMs, endedInRun, inSeconds, memoryBytes, notCarriedOut, wallMs } from "./adapter.ts";
import * as body from "./fastapi.ts";

export interface SandboxFusionOptions {
  /** Time that a request may wait for a slot. Milliseconds. */
  readonly waitMs: number;
}

type CommandStatus = "Finished" | "Error" | "TimeLimitExceeded";

/** `overload`: nobody's program is judged, the client is told to come again. */
const STATUS: Readonly<Record<Outcome, CommandStatus | "overload">> = {
  completed: "Finished",
  failed: "Finished",
  signaled: "Finished",
  compile_failed: "Finished",
  wall_limit: "TimeLimitExceeded",
  cpu_limit: "TimeLimitExceeded",
  memory_limit: "Finished",
  output_limit: "Finished",
  process_limit: "Finished",
  disk_limit: "Finished",
  cancelled: "overload",
  sandbox_failed: "Error",
};

interface CommandResult {
  readonly status: CommandStatus;
  readonly execution_time: number | null;
  readonly return_code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

// prettier-ignore
export const LANGUAGES = [
  "python", "cpp", "nodejs", "go", "go_test", "java", "php", "csharp", "bash", "typescript", "sql", "rust",
  "cuda", "lua", "R", "perl", "D_ut", "ruby", "scala", "julia", "pytest", "junit", "kotlin_script", "jest",
  "verilog", "python_gpu", "lean", "swift", "racket",
] as const;

/** Languages that can be run; the others are answered as the original answers one that it has no runner for. */
const RUNTIME_OF: Partial<Record<(typeof LANGUAGES)[number], RuntimeId>> = {
  python: "python",
  nodejs: "node",
  bash: "bash",
  cpp: "cpp",
  pytest: "python",
};

/** What runs the code of language `pytest`, which lies beside it. */
const PYTEST_PROGRAM = "test_program.py";
const PYTEST_SOURCE = `import sys, pytest\nsys.exit(pytest.main([${JSON.stringify(PYTEST_PROGRAM)}]))\n`;

const files = body.dictionary(body.nullable(body.text));

export const RunCode = body.model({
  compile_timeout: body.optional(body.float, 10),
  run_timeout: body.optional(body.float, 10),
  memory_limit_MB: body.optional(body.integer, -1),
  code: body.required(body.text),
  stdin: body.optional(body.nullable(body.text), null),
  language: body.required(body.literal(...LANGUAGES)),
  files: body.optional(files, {}),
  fetch_files: body.optional(body.list(body.text), []),
});

const MiB = 1 << 20;
/** From the end of the run to the answer. */
export const DEADLINE_SLACK_MS = 2000;
const WORKING_DIRECTORY = /^\/work\/+/;

/** The files of a request that the original would write, below the working directory. */
export function givenFiles(given: Readonly<Record<string, string | null>>): NonNullable<Call["files"]> {
  const named = Object.entries(given).flatMap(([name, content]) =>
    content === null || name.includes("IGNORE_THIS_FILE")
      ? []
      : [
          [
            name.replace(WORKING_DIRECTORY, ""),
            // Python decodes what is base64 in a text and steps over the rest; so does Buffer.
            { content: Buffer.from(content, "base64").toString("base64"), encoding: "base64" as const },
          ] as const,
        ],
  );
  return Object.fromEntries(named);
}

/** The paths to fetch that lie in the working directory, by the name that the client asked for. */
export function pathsToFetch(names: readonly string[]): Map<string, string> {
  const inside = names
    .map((name) => [name, name.replace(WORKING_DIRECTORY, "")] as const)
    .filter(([, path]) => path !== "" && !path.startsWith("/") && !path.split("/").includes(".."));
  return new Map(inside);
}

const isFile = (file: CollectedFile | undefined): file is CollectedFile & { content: string } =>
  file?.content !== undefined;

export function fetchedFiles(paths: ReadonlyMap<string, string>, result: Result): Record<string, string> {
  const byPath = new Map(
    Object.entries(result.files).map(([path, file]) => [path.split("/").filter(isName).join("/"), file]),
  );
  return Object.fromEntries(
    [...paths].flatMap(([name, path]) => {
      const file = byPath.get(path.split("/").filter(isName).join("/"));
      return isFile(file) ? [[name, Buffer.from(file.content, file.encoding).toString("base64")]] : [];
    }),
  );
}

const isName = (segment: string): boolean => segment !== "" && segment !== ".";

/** As Python's subprocess has it: a signal is its number, negative. */
function returnCode({ exit_code, signal }: Result): number | null {
  if (exit_code !== null || signal === null) return exit_code;
  return -(constants.signals[signal as NodeJS.Signals] ?? constants.signals.SIGKILL);
}

/** @throws SandboxError for what says nothing about the program and is worth another try. */
export function commandResult(result: Result): CommandResult {
  const status = STATUS[result.outcome];
  if (status === "overload") throw notCarriedOut(result);
  const { stdout, stderr, usage } = result;
  if (status === "Error")
    return {
      status,
      execution_time: null,
      return_code: null,
      stdout,
      stderr: `${stderr}${result.detail ?? ""}`,
    };
  return {
    status,
    execution_time: inSeconds(usage.wall_ms),
    return_code: status === "Finished" ? returnCode(result) : null,
    stdout,
    stderr,
  };
}

function runStatus({ status, return_code }: CommandResult): "Success" | "Failed" | "SandboxError" {
  if (status === "Error") return "SandboxError";
  return status === "Finished" && return_code === 0 ? "Success" : "Failed";
}

export interface RunCodeAnswer {
  readonly status: "Success" | "Failed" | "SandboxError";
  readonly message: string;
  readonly compile_result: CommandResult | null;
  readonly run_result: CommandResult | null;
  readonly executor_pod_name: string | null;
  readonly files: Readonly<Record<string, string>>;
}

/** Of a compile stage that gave a program; null for a language that has no such stage. */
function compileResult({ compile }: Result): CommandResult | null {
  if (compile === undefined) return null;
  const { exit_code, stdout, stderr, usage } = compile;
  return {
    status: "Finished",
    execution_time: inSeconds(usage.wall_ms),
    return_code: exit_code,
    stdout,
    stderr,
  };
}

export function runCodeAnswer(result: Result, fetched: ReadonlyMap<string, string>): RunCodeAnswer {
  const command = commandResult(result);
  const status = runStatus(command);
  const ran = endedInRun(result);
  return {
    status,
    message: status === "SandboxError" ? command.stderr : "",
    compile_result: ran ? compileResult(result) : command,
    run_result: ran ? command : null,
    executor_pod_name: null,
    files: fetchedFiles(fetched, result),
  };
}

export function limitsOf(seconds: number, megabytes: number, limits: LimitPolicy) {
  return { wall_ms: wallMs(seconds, limits), memory_bytes: memoryBytes(megabytes * MiB, limits) };
}

/** @returns the call of a request's code; null for a language that has no runner here. */
export function codeCall(
  asked: ReturnType<typeof RunCode>,
  waitMs: number,
  policy: LimitPolicy,
): Call | null {
  const runtime = RUNTIME_OF[asked.language];
  if (runtime === undefined) return null;
  const limits = limitsOf(asked.run_timeout, asked.memory_limit_MB, policy);
  const fetched = pathsToFetch(asked.fetch_files);
  const isPytest = asked.language === "pytest";
  const given = { ...givenFiles(asked.files), ...(isPytest ? { [PYTEST_PROGRAM]: asked.code } : {}) };
  const compile = runtime === "cpp" ? { compile_ms: compileMs(asked.compile_timeout) } : {};
  return {
    runtime,
    source: isPytest ? PYTEST_SOURCE : asked.code,
    limits,
    ...compile,
    deadline_ms: waitMs + (compile.compile_ms ?? 0) + limits.wall_ms + DEADLINE_SLACK_MS,
    ...(asked.stdin === null || asked.stdin === "" ? {} : { stdin: asked.stdin }),
    ...(Object.keys(given).length === 0 ? {} : { files: given }),
    ...(fetched.size === 0 ? {} : { collect: [...new Set(fetched.values())] }),
  };
}
