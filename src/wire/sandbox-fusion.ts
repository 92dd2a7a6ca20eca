/**
 * SandboxFusion's HTTP API: `/run_code`, `/run_jupyter`, its online judge and what its clients ask besides. Everything
 * but a bad body, an unknown data set and overload is HTTP 200; overload is 504, the one status that its trainers'
 * clients come again for.
 */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Call } from "../contract/call.ts";
import { SandboxError } from "../contract/errors.ts";
import { during, isOverload, type Adapter, type WireParts } from "./adapter.ts";
import * as body from "./fastapi.ts";
import { type Cell, jupyterFiles, JUPYTER_SOURCE, OUTPUT_PATH, readCells } from "./jupyter-cells.ts";
import {
  codeCall,
  commandResult,
  DEADLINE_SLACK_MS,
  fetchedFiles,
  givenFiles,
  limitsOf,
  pathsToFetch,
  RunCode,
  runCodeAnswer,
  type SandboxFusionOptions,
} from "./sandbox-fusion-code.ts";
import { onlineJudge } from "./sandbox-fusion-judge.ts";

const RunJupyter = body.model({
  cells: body.required(body.list(body.text)),
  cell_timeout: body.optional(body.float, 0),
  total_timeout: body.optional(body.float, 45),
  memory_limit_MB: body.optional(body.integer, -1),
  kernel: body.optional(body.literal("python3"), "python3"),
  files: body.optional(body.dictionary(body.text), {}),
  fetch_files: body.optional(body.list(body.text), []),
});

/** The original ends its kernel's driver this much after `total_timeout`. */
const JUPYTER_GRACE_S = 10;

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

async function runCode(
  parts: WireParts,
  { waitMs }: SandboxFusionOptions,
  request: FastifyRequest,
  reply: FastifyReply,
) {
  const asked = body.readBody(RunCode, request.body);
  const none = { compile_result: null, run_result: null };
  const raised = (message: string) => ({
    ...sandboxError(`exception on running code ${asked.code}: ${message}`),
    ...none,
  });
  const call = codeCall(asked, waitMs, parts.limits);
  if (call === null) return raised(`there is no runner for '${asked.language}' here`);
  const result = await orSandboxError(
    during(parts, request, reply, (options) => parts.executor.execute(call, options)),
  );
  return typeof result === "string" ? raised(result) : runCodeAnswer(result, pathsToFetch(asked.fetch_files));
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

export function sandboxFusion(options: SandboxFusionOptions): Adapter {
  return {
    routes(app, parts) {
      app.get("/v1/ping", (_request, reply) => reply.type("application/json").send('"pong"'));
      app.post("/run_code", (request, reply) => runCode(parts, options, request, reply));
      app.post("/run_jupyter", (request, reply) => runJupyter(parts, options, request, reply));
      onlineJudge(app, parts, options);
    },
    sendError(error, reply) {
      body.sendFastapiError(error, reply, isOverload(error) ? 504 : error.status);
    },
  };
}

export type { SandboxFusionOptions };
