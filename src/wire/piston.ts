/** Piston's API v2: `/api/v2/runtimes` and `/api/v2/execute`. */
import { constants } from "node:os";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Call, RuntimeId } from "../contract/call.ts";
import { SandboxError } from "../contract/errors.ts";
import type { LimitPolicy } from "../contract/limits.ts";
import type { Outcome } from "../contract/outcome.ts";
import type { Result } from "../contract/result.ts";
import {
  compileMs,
  during,
  endedInRun,
  isOverload,
  memoryBytes,
  notCarriedOut,
  type Adapter,
  type WireParts,
} from "./adapter.ts";
import { satisfies } from "./version-range.ts";

type Status = "RE" | "SG" | "TO" | "OL" | "EL" | "XX" | null;

/** `overload`: nobody's program is judged, the client is told to come again. */
const STATUS: Readonly<Record<Outcome, Status | "overload">> = {
  completed: null,
  failed: "RE",
  signaled: "SG",
  compile_failed: "RE",
  wall_limit: "TO",
  cpu_limit: "TO",
  memory_limit: "SG",
  output_limit: "OL",
  process_limit: "RE",
  disk_limit: "RE",
  cancelled: "overload",
  sandbox_failed: "XX",
};

interface Language {
  readonly language: string;
  readonly id: RuntimeId;
  readonly aliases: readonly string[];
  /** What Piston calls the package that has the language, where it is not its name. */
  readonly runtime?: string;
}

const LANGUAGES: readonly Language[] = [
  { language: "python", id: "python", aliases: ["py", "py3", "python3"] },
  { language: "javascript", id: "node", aliases: ["node-javascript", "node-js", "js"], runtime: "node" },
  { language: "bash", id: "bash", aliases: ["sh"] },
  { language: "c++", id: "cpp", aliases: ["cpp", "g++"], runtime: "gcc" },
];

interface PistonRuntime extends Language {
  readonly version: string;
}

async function runtimesOf({ executor }: WireParts): Promise<PistonRuntime[]> {
  const { runtimes } = await executor.describe();
  return LANGUAGES.flatMap((language) => {
    const version = runtimes.find(({ id }) => id === language.id)?.version;
    return version === undefined ? [] : [{ ...language, version: version === "" ? "0.0.0" : version }];
  });
}

interface PistonFile {
  readonly name?: unknown;
  readonly content: string;
  readonly encoding?: unknown;
}

interface Asked {
  readonly language: string;
  readonly version: string;
  readonly files: readonly PistonFile[];
  readonly stdin?: unknown;
  readonly args?: unknown;
  readonly [constraint: string]: unknown;
}

/** Refused with a message as the original words it. */
class Refused extends Error {
  override readonly name = "Refused";
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function readRequest(value: unknown): Asked {
  const asked = (typeof value === "object" && value !== null ? value : {}) as Asked;
  if (!isText(asked.language)) throw new Refused("language is required as a string");
  if (!isText(asked.version)) throw new Refused("version is required as a string");
  if (!Array.isArray(asked.files)) throw new Refused("files is required as an array");
  for (const [index, file] of asked.files.entries()) {
    if (typeof (file as PistonFile | null)?.content !== "string")
      throw new Refused(`files[${index}].content is required as a string`);
  }
  return asked;
}

function chooseRuntime(runtimes: readonly PistonRuntime[], { language, version }: Asked): PistonRuntime {
  const chosen = runtimes.find(
    (one) => (one.language === language || one.aliases.includes(language)) && satisfies(one.version, version),
  );
  if (chosen === undefined) throw new Refused(`${language}-${version} runtime is unknown`);
  return chosen;
}

const isUtf8 = ({ encoding }: PistonFile): boolean => encoding !== "base64" && encoding !== "hex";

/** What a request gets that does not ask. Milliseconds. */
const RUN_MS = 3000;
const COMPILE_MS = 10_000;

function checkConstraints(asked: Asked, { ceiling }: LimitPolicy): void {
  const configured = {
    memory_limit: ceiling.memory_bytes,
    timeout: ceiling.wall_ms,
    cpu_time: ceiling.cpu_ms,
  };
  for (const [constraint, limit] of Object.entries(configured)) {
    for (const stage of ["compile", "run"]) {
      const name = `${stage}_${constraint}`;
      const value = asked[name];
      // The original's default for memory is -1, no bound: clients send it.
      if (!value || (constraint === "memory_limit" && value === -1)) continue;
      if (typeof value !== "number") throw new Refused(`If specified, ${name} must be a number`);
      if (value > limit) throw new Refused(`${name} cannot exceed the configured limit of ${limit}`);
      if (value < 0) throw new Refused(`${name} must be non-negative`);
    }
  }
}

const millis = (value: unknown, fallback: number): number =>
  typeof value === "number" && value > 0 ? Math.max(1, Math.ceil(value)) : fallback;

function fileContent({ content, encoding }: PistonFile): NonNullable<Call["files"]>[string] {
  if (encoding === "base64" || encoding === "hex")
    return { content: Buffer.from(content, encoding).toString("base64"), encoding: "base64" };
  return content;
}

const PROGRAM_NAMES: Readonly<Partial<Record<RuntimeId, string>>> = {
  python: "main.py",
  node: "main.js",
  bash: "main.sh",
  cpp: "main.cpp",
};

/** The first text is the program; every file is there by its name too, for files that read each other. */
function filesOf(files: readonly PistonFile[], main: PistonFile, id: RuntimeId): NonNullable<Call["files"]> {
  const named = files.map(
    (file, index) => [isText(file.name) ? file.name : `file${index}.code`, file] as const,
  );
  const beside = named.filter(
    ([name, file]) => file !== main || (files.length > 1 && name !== PROGRAM_NAMES[id]),
  );
  return Object.fromEntries(beside.map(([name, file]) => [name, fileContent(file)]));
}

function callOf(asked: Asked, { id }: PistonRuntime, limits: LimitPolicy): Call {
  const main = asked.files.find(isUtf8);
  if (main === undefined) throw new Refused("files must include at least one utf8 encoded file");
  checkConstraints(asked, limits);
  const stdin = typeof asked.stdin === "string" ? asked.stdin : "";
  const args = Array.isArray(asked.args) ? asked.args.map(String) : [];
  const beside = filesOf(asked.files, main, id);
  const memory = asked["run_memory_limit"];
  return {
    runtime: id,
    source: main.content,
    stdin: stdin.endsWith("\n") ? stdin : `${stdin}\n`,
    ...(args.length === 0 ? {} : { args }),
    ...(Object.keys(beside).length === 0 ? {} : { files: beside }),
    ...(id === "cpp" ? { compile_ms: compileMs(millis(asked["compile_timeout"], COMPILE_MS) / 1000) } : {}),
    limits: {
      wall_ms: Math.min(millis(asked["run_timeout"], RUN_MS), limits.ceiling.wall_ms),
      cpu_ms: Math.min(millis(asked["run_cpu_time"], RUN_MS), limits.ceiling.cpu_ms),
      memory_bytes: memoryBytes(typeof memory === "number" ? memory : -1, limits),
    },
  };
}

/** In the words of isolate, which the original hands on. */
function messageOf(result: Result, status: Exclude<Status, "XX">): string | null {
  if (status === null) return null;
  if (status === "RE") return `Exited with error status ${result.exit_code}`;
  if (status === "TO")
    return result.outcome === "cpu_limit" ? "Time limit exceeded" : "Time limit exceeded (wall clock)";
  if (status === "SG")
    return result.outcome === "memory_limit"
      ? "Memory limit exceeded"
      : `Caught fatal signal ${constants.signals[result.signal as NodeJS.Signals] ?? ""}`.trimEnd();
  return `${status === "OL" ? "stdout" : "stderr"} length exceeded`;
}

/** @throws SandboxError for what says nothing about the program. */
function statusOf(result: Result): Exclude<Status, "XX"> {
  const status = STATUS[result.outcome];
  if (status === "overload") throw notCarriedOut(result);
  if (status === "XX") throw new SandboxError("internal", result.detail ?? "the sandbox failed");
  if (status === "RE" && result.exit_code === null) return "SG";
  return status === "OL" && result.truncated.stdout === 0 ? "EL" : status;
}

function stageOf(result: Result) {
  const status = statusOf(result);
  const isEnded = status === "TO" || status === "OL" || status === "EL";
  const { stdout, stderr, usage } = result;
  return {
    stdout,
    stderr,
    output: stdout + stderr,
    code: isEnded ? null : result.exit_code,
    signal: isEnded ? "SIGKILL" : result.signal,
    message: messageOf(result, status),
    status,
    cpu_time: Math.round(usage.cpu_ms),
    wall_time: Math.round(usage.wall_ms),
    memory: usage.memory_peak_bytes,
  };
}

/** Of a language that is compiled; null for others. */
function compileStageOf(result: Result) {
  const { compile } = result;
  if (compile === undefined) return null;
  if (!endedInRun(result)) return stageOf(result);
  const { stdout, stderr, usage } = compile;
  return {
    stdout,
    stderr,
    output: stdout + stderr,
    code: compile.exit_code,
    signal: compile.signal,
    message: null,
    status: null,
    cpu_time: Math.round(usage.cpu_ms),
    wall_time: Math.round(usage.wall_ms),
    memory: usage.memory_peak_bytes,
  };
}

async function execute(parts: WireParts, request: FastifyRequest, reply: FastifyReply) {
  try {
    const asked = readRequest(request.body);
    const runtime = chooseRuntime(await runtimesOf(parts), asked);
    const call = callOf(asked, runtime, parts.limits);
    const result = await during(parts, request, reply, (options) => parts.executor.execute(call, options));
    const compile = compileStageOf(result);
    return {
      ...(compile === null ? {} : { compile }),
      // The original repeats a compile stage that failed where the run would be.
      run: stageOf(result),
      language: runtime.language,
      version: runtime.version,
    };
  } catch (error) {
    if (error instanceof Refused) return reply.code(400).send({ message: error.message });
    throw error;
  }
}

export function piston(): Adapter {
  return {
    routes(app, parts) {
      app.get("/api/v2/runtimes", async () => {
        const runtimes = await runtimesOf(parts);
        return runtimes.map(({ id: _id, ...shown }) => shown);
      });
      app.post("/api/v2/execute", (request, reply) => execute(parts, request, reply));
    },
    sendError(error, reply) {
      if (error.code === "unsupported_media_type")
        reply.code(415).send({ message: "requests must be of type application/json" });
      else if (error.code === "internal") reply.code(500).send();
      else if (error.code === "invalid_json")
        reply.code(400).send({ stack: `SyntaxError: ${error.message}` });
      else reply.code(isOverload(error) ? 503 : error.status).send({ message: error.message });
    },
  };
}
