/** What every route for calls is made of. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Call } from "../../contract/call.ts";
import type { ExecuteOptions, Executor } from "../../contract/executor.ts";
import type { Result } from "../../contract/result.ts";
import type { Log } from "../../observe/log.ts";
import type { Traffic } from "../traffic.ts";

export interface RouteParts {
  readonly app: FastifyInstance;
  readonly executor: Executor;
  readonly traffic: Traffic;
  readonly log: Log;
}

declare module "fastify" {
  interface FastifyRequest {
    /** Name of the key that the request came with; null when none is asked for. */
    tenant: string | null;
  }
  interface FastifyContextConfig {
    /** The route asks for no key. */
    readonly open?: boolean;
    /** The route is another system's: its clients may show their key in other ways. */
    readonly mounted?: boolean;
  }
}

export function executeOptions(signal: AbortSignal, request: FastifyRequest): ExecuteOptions {
  return request.tenant === null ? { signal } : { signal, tenant: request.tenant };
}

/** The one line of a call in the log, at debug. */
export function logCall(log: Log, call: Call, result: Result, tenant: string | null): void {
  if (!log.isLevelEnabled("debug")) return;
  const { queued_ms, run_ms } = result.timing;
  log.debug(
    { id: result.id, runtime: call.runtime, outcome: result.outcome, queued_ms, run_ms, tenant, status: 200 },
    "call",
  );
}
