/** What every route for calls is made of. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Call } from "../../contract/call.ts";
import type { ExecuteOptions, Executor } from "../../contract/executor.ts";
import { SandboxError } from "../../contract/errors.ts";
import type { Result } from "../../contract/result.ts";
import type { Log } from "../../observe/log.ts";
import { joinBatch, streamBatch, type Items } from "../batch-answer.ts";
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

/** Does work for a request that is in flight until the work is done, and that ends when its client goes. */
export async function during<T>(
  traffic: Traffic,
  request: FastifyRequest,
  reply: FastifyReply,
  work: (options: ExecuteOptions & { readonly signal: AbortSignal }) => Promise<T>,
): Promise<T> {
  const ticket = traffic.enter(reply.raw);
  try {
    return await work({ ...executeOptions(ticket.signal, request), signal: ticket.signal });
  } finally {
    ticket.leave();
  }
}

/** The one line of a call in the log, at debug. */
export function logCall(log: Log, call: Call, result: Result, tenant: string | null): void {
  logResult(log, { runtime: call.runtime }, result, tenant);
}

/** @param where what the call ran in, beside its id and outcome */
export function logResult(log: Log, where: object, result: Result, tenant: string | null): void {
  if (!log.isLevelEnabled("debug")) return;
  const { queued_ms, run_ms } = result.timing;
  log.debug(
    { id: result.id, ...where, outcome: result.outcome, queued_ms, run_ms, tenant, status: 200 },
    "call",
  );
}

export const NDJSON = "application/x-ndjson";

/** The serialiser of a shared schema. */
export function serializer(
  reply: FastifyReply,
  schema: { readonly $ref: string },
): (value: Record<string, unknown>) => string {
  return reply.getSerializationFunction(schema) ?? reply.compileSerializationSchema(schema);
}

/**
 * Answers a batch as its client asked for it.
 * @returns the whole document, or undefined when it was streamed.
 */
export async function answerBatch<T extends { readonly index: number }>(
  { log, answerBytesMax, route }: { log: Log; answerBytesMax: number; route: string },
  request: FastifyRequest,
  reply: FastifyReply,
  count: number,
  items: Items<T>,
): Promise<string | undefined> {
  if (!(request.headers.accept ?? "").includes(NDJSON)) {
    const document = await joinBatch(count, items, answerBytesMax);
    reply.type("application/json; charset=utf-8");
    return document;
  }
  reply.hijack();
  // Without `x-accel-buffering` an nginx in between would hold lines back.
  reply.raw.writeHead(200, {
    "content-type": NDJSON,
    "cache-control": "no-store",
    "x-accel-buffering": "no",
  });
  reply.raw.flushHeaders();
  const broken = await streamBatch(reply.raw, items);
  if (broken !== null && !(broken instanceof SandboxError)) log.error({ err: broken, route }, "stream broke");
  return undefined;
}
