/**
 * SandboxFusion's HTTP API: `/run_code`, `/run_jupyter` and what its clients ask besides. Everything but a bad
 * body, an unknown data set and overload is HTTP 200; overload is 504, the one status that its trainers' clients
 * come again for.
 */
import { constants } from "node:os";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Call, RuntimeId } from "../contract/call.ts";
import { SandboxError } from "../contract/errors.ts";
import type { LimitPolicy } from "../contract/limits.ts";
import type { Outcome } from "../contract/outcome.ts";
import type { CollectedFile, Result } from "../contract/result.ts";
import {
  compileMs,
  during,
  endedInRun,
  inSeconds,
  isOverload,
  memoryBytes,
  wallMs,
  type Adapter,
  type WireParts,
} from "./adapter.ts";
import * as body from "./fastapi.ts";
import { type Cell, jupyterFiles, JUPYTER_SOURCE, OUTPUT_PATH, readCells } from "./jupyter-cells.ts";

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
const LANGUAGES = [
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

const RunCode = body.model({
  compile_timeout: body.optional(body.float, 10),
  run_timeout: body.optional(body.float, 10),
  memory_limit_MB: body.optional(body.integer, -1),
  code: body.required(body.text),
  stdin: body.optional(body.nullable(body.text), null),
  language: body.required(body.literal(...LANGUAGES)),
  files: body.optional(files, {}),
  fetch_files: body.optional(body.list(body.text), []),
});

const RunJupyter = body.model({
  cells: body.required(body.list(body.text)),
  cell_timeout: body.optional(body.float, 0),
  total_timeout: body.optional(body.float, 45),
  memory_limit_MB: body.optional(body.integer, -1),
  kernel: body.optional(body.literal("python3"), "python3"),
  files: body.optional(body.dictionary(body.text), {}),
  fetch_files: body.optional(body.list(body.text), []),
});

const DataSet = body.model({
  dataset: body.required(body.text),
  config: body.optional(body.anything, null),
});

const MiB = 1 << 20;
/** The original ends its kernel's driver this much after `total_timeout`. */
const JUPYTER_GRACE_S = 10;
/** From the end of the run to the answer. */
const DEADLINE_SLACK_MS = 2000;
const WORKING_DIRECTORY = /^\/work\/+/;

/** The files of a request that the original would write, below the working directory. */
function givenFiles(given: Readonly<Record<string, string | null>>): NonNullable<Call["files"]> {
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
function pathsToFetch(names: readonly string[]): Map<string, string> {
  const inside = names
    .map((name) => [name, name.replace(WORKING_DIRECTORY, "")] as const)
    .filter(([, path]) => path !== "" && !path.startsWith("/") && !path.split("/").includes(".."));
  return new Map(inside);
}

const isFile = (file: CollectedFile | undefined): file is CollectedFile & { content: string } =>
  file?.content !== undefined;

function fetchedFiles(paths: ReadonlyMap<string, string>, result: Result): Record<string, string> {
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
function commandResult(result: Result): CommandResult {
  const status = STATUS[result.outcome];
  if (status === "overload") throw new SandboxError("draining", result.detail ?? "the call was given up");
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

interface RunCodeAnswer {
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

function runCodeAnswer(result: Result, fetched: ReadonlyMap<string, string>): RunCodeAnswer {
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

/** What the original answers when its own code raises. */
function sandboxError(message: string) {
  return { status: "SandboxError" as const, message, executor_pod_name: null, files: {} };
}

/** What a request asks for that no call can be is told as the original tells an exception of its own. */
async function orSandboxError<T>(work: Promise<T>): Promise<T | string> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof SandboxError && error.fault === "caller") return error.message;
    throw error;
  }
}

function limitsOf(seconds: number, megabytes: number, limits: LimitPolicy) {
  return { wall_ms: wallMs(seconds, limits), memory_bytes: memoryBytes(megabytes * MiB, limits) };
}

async function runCode(
  parts: WireParts,
  { waitMs }: SandboxFusionOptions,
  request: FastifyRequest,
  reply: FastifyReply,
) {
  const asked = body.readBody(RunCode, request.body);
  const none = { compile_result: null, run_result: null };
  const runtime = RUNTIME_OF[asked.language];
  const raised = (message: string) => ({
    ...sandboxError(`exception on running code ${asked.code}: ${message}`),
    ...none,
  });
  if (runtime === undefined) return raised(`there is no runner for '${asked.language}' here`);
  const limits = limitsOf(asked.run_timeout, asked.memory_limit_MB, parts.limits);
  const fetched = pathsToFetch(asked.fetch_files);
  const isPytest = asked.language === "pytest";
  const given = { ...givenFiles(asked.files), ...(isPytest ? { [PYTEST_PROGRAM]: asked.code } : {}) };
  const compile = runtime === "cpp" ? { compile_ms: compileMs(asked.compile_timeout) } : {};
  const call: Call = {
    runtime,
    source: isPytest ? PYTEST_SOURCE : asked.code,
    limits,
    ...compile,
    deadline_ms: waitMs + (compile.compile_ms ?? 0) + limits.wall_ms + DEADLINE_SLACK_MS,
    ...(asked.stdin === null || asked.stdin === "" ? {} : { stdin: asked.stdin }),
    ...(Object.keys(given).length === 0 ? {} : { files: given }),
    ...(fetched.size === 0 ? {} : { collect: [...new Set(fetched.values())] }),
  };
  const result = await orSandboxError(
    during(parts, request, reply, (options) => parts.executor.execute(call, options)),
  );
  return typeof result === "string" ? raised(result) : runCodeAnswer(result, fetched);
}

async function runJupyter(
  parts: WireParts,
  { waitMs }: SandboxFusionOptions,
  request: FastifyRequest,
  reply: FastifyReply,
) {
  const asked = body.readBody(RunJupyter, request.body);
  const limits = limitsOf(asked.total_timeout + JUPYTER_GRACE_S, asked.memory_limit_MB, parts.limits);
  const fetched = pathsToFetch(asked.fetch_files);
  const call: Call = {
    runtime: "python",
    source: JUPYTER_SOURCE,
    limits,
    deadline_ms: waitMs + limits.wall_ms + DEADLINE_SLACK_MS,
    files: { ...givenFiles(asked.files), ...jupyterFiles(asked.cells) },
    collect: [...new Set([...fetched.values(), OUTPUT_PATH])],
  };
  const noCells: Cell[] = [];
  const result = await orSandboxError(
    during(parts, request, reply, (options) => parts.executor.execute(call, options)),
  );
  if (typeof result === "string") {
    const shown = asked.cells.join("\n").slice(0, 100);
    return {
      ...sandboxError(`exception on running jupyter ${shown}: ${result}`),
      driver: null,
      cells: noCells,
    };
  }
  const driver = commandResult(result);
  const answer = { message: "", driver, executor_pod_name: null };
  const cells = driver.status === "Finished" ? readCells(result.files[OUTPUT_PATH]?.content) : null;
  if (driver.status === "Error") return { ...sandboxError(driver.stderr), driver, cells: noCells };
  if (cells === null) return { status: "Failed", ...answer, cells: noCells, files: {} };
  return { status: "Success", ...answer, cells, files: fetchedFiles(fetched, result) };
}

const DATA_SET_ROUTES = [
  "/list_ids",
  "/get_prompts",
  "/get_prompt_by_id",
  "/submit",
  "/get_metrics",
  "/get_metrics_function",
];

export function sandboxFusion(options: SandboxFusionOptions): Adapter {
  return {
    routes(app, parts) {
      app.get("/v1/ping", (_request, reply) => reply.type("application/json").send('"pong"'));
      app.post("/run_code", (request, reply) => runCode(parts, options, request, reply));
      app.post("/run_jupyter", (request, reply) => runJupyter(parts, options, request, reply));
      app.get("/list_datasets", () => Promise.resolve([]));
      for (const path of DATA_SET_ROUTES) {
        app.post(path, (request, reply) => {
          const { dataset } = body.readBody(DataSet, request.body);
          return reply.code(400).send({ detail: `no eval class found for dataset ${dataset}` });
        });
      }
    },
    sendError(error, reply) {
      body.sendFastapiError(error, reply, isOverload(error) ? 504 : error.status);
    },
  };
}
