/** dify-sandbox's HTTP API: one program, one envelope of `code`, `message` and `data`. */
import { constants } from "node:os";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Call, RuntimeId } from "../contract/call.ts";
import type { Outcome } from "../contract/outcome.ts";
import type { Result } from "../contract/result.ts";
import { during, isOverload, notCarriedOut, wallMs, type Adapter, type WireParts } from "./adapter.ts";

export interface DifySandboxOptions {
  /** Wall time of a program. Milliseconds. */
  readonly wallMs: number;
  /** Whether a request's `preload` is put before its code. */
  readonly preload: boolean;
}

/** What the original writes between the exit code and stderr, or who must be told that there was no run. */
const DETAIL: Readonly<Record<Outcome, string | { readonly code: -500 | -503 }>> = {
  completed: "",
  failed: "",
  signaled: "",
  compile_failed: "",
  wall_limit: "error: timeout\n",
  cpu_limit: "error: timeout\n",
  memory_limit: "error: memory limit exceeded\n",
  output_limit: "error: output limit exceeded\n",
  process_limit: "",
  disk_limit: "",
  cancelled: { code: -503 },
  sandbox_failed: { code: -500 },
};

const RUNTIME_OF: Readonly<Partial<Record<string, RuntimeId>>> = { python3: "python", nodejs: "node" };

const failure = (code: number, message: string) => ({ code, message, data: null });
const success = (data: object) => ({ code: 0, message: "success", data });
const TOO_MANY = failure(-503, "Too many requests");

interface Asked {
  readonly language: string;
  readonly code: string;
  readonly preload: string;
  readonly enable_network: boolean;
}

const FIELDS = {
  language: { goName: "Language", type: "string", isRequired: true },
  code: { goName: "Code", type: "string", isRequired: true },
  preload: { goName: "Preload", type: "string", isRequired: false },
  enable_network: { goName: "EnableNetwork", type: "bool", isRequired: false },
} as const;

/** The request, or what the original's validator says of it. */
function readRequest(value: unknown): Asked | string {
  const given = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  const wrong: string[] = [];
  for (const [name, { goName, type, isRequired }] of Object.entries(FIELDS)) {
    const field = given[name] ?? (type === "bool" ? false : "");
    const kind = typeof field === "boolean" ? "bool" : typeof field;
    if (kind !== type) return `json: cannot unmarshal ${kind} into Go struct field .${name} of type ${type}`;
    if (isRequired && field === "")
      wrong.push(`Key: '${goName}' Error:Field validation for '${goName}' failed on the 'required' tag`);
  }
  if (wrong.length > 0) return wrong.join("\n");
  const { language, code, preload = "", enable_network = false } = given;
  return { language, code, preload, enable_network } as Asked;
}

/** -1 for what a signal ended, as Go's ProcessState has it. */
function exitCode(result: Result): number {
  return result.exit_code ?? -1;
}

function dataOf(result: Result, detail: string): object {
  const code = exitCode(result);
  const isBad = code !== 0 || detail !== "";
  const signal = constants.signals[result.signal as NodeJS.Signals];
  const isForbidden = signal === constants.signals.SIGSYS;
  const told = isForbidden ? "error: operation not permitted\n" : detail;
  return {
    stdout: result.stdout,
    stderr: result.stderr,
    error: isBad ? `process exited with code ${code}\n${told}${result.stderr}` : "",
    exit_code: code,
  };
}

async function run(
  parts: WireParts,
  options: DifySandboxOptions,
  request: FastifyRequest,
  reply: FastifyReply,
) {
  const asked = readRequest(request.body);
  if (typeof asked === "string") return reply.code(400).send(failure(-400, asked));
  const runtime = Object.hasOwn(RUNTIME_OF, asked.language) ? RUNTIME_OF[asked.language] : undefined;
  if (runtime === undefined) return reply.code(400).send(failure(-400, "unsupported language"));
  if (asked.enable_network)
    return failure(-400, "network is disabled, please enable it in the configuration");
  const preload = options.preload && asked.preload !== "" ? `${asked.preload}\n` : "";
  const call: Call = {
    runtime,
    source: preload + asked.code,
    limits: { wall_ms: wallMs(options.wallMs / 1000, parts.limits) },
  };
  const result = await during(parts, request, reply, (execute) => parts.executor.execute(call, execute));
  const detail = DETAIL[result.outcome];
  if (typeof detail === "string") return success(dataOf(result, detail));
  if (detail.code === -503) throw notCarriedOut(result);
  return failure(detail.code, result.detail ?? "the sandbox failed");
}

export function difySandbox(options: DifySandboxOptions): Adapter {
  return {
    routes(app, parts) {
      app.get("/health", { config: { open: true } }, (_request, reply) =>
        reply.type("application/json").send('"ok"'),
      );
      app.post("/v1/sandbox/run", (request, reply) => run(parts, options, request, reply));
    },
    sendError(error, reply) {
      if (error.code === "unauthorized") reply.code(401).send();
      else if (isOverload(error)) reply.code(503).send(TOO_MANY);
      else if (error.code === "internal") reply.code(500).send(failure(-500, error.message));
      else reply.code(error.code === "invalid_json" ? 400 : 200).send(failure(-400, error.message));
    },
  };
}
