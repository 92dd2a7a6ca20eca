/** APIs of other systems beside our own: put below a prefix, on the service's port or on one of their own. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { SandboxError } from "../contract/errors.ts";
import type { ExecuteOptions, Executor } from "../contract/executor.ts";
import type { LimitPolicy } from "../contract/limits.ts";
import type { ReplayEnd } from "../contract/wire.ts";
import { toSandboxError, type ErrorParts } from "./errors.ts";
import { executeOptions } from "./routes/parts.ts";
import type { Traffic } from "./traffic.ts";

interface MountParts {
  readonly executor: Executor;
  readonly limits: LimitPolicy;
  readonly queued: () => Promise<number>;
  readonly replayed: (end: ReplayEnd) => void;
  readonly closing: AbortSignal;
  readonly begin: (
    request: FastifyRequest,
    reply: FastifyReply,
  ) => { readonly options: ExecuteOptions; end(): void };
}

export interface Mount {
  readonly name: string;
  /** Put before the routes' paths; empty for none. */
  readonly prefix: string;
  /** A port of its own, or 0 for the service's. */
  readonly port: number;
  /** Whether no key is asked for. */
  readonly open: boolean;
  readonly api: {
    routes(app: FastifyInstance, parts: MountParts): void;
    sendError(error: SandboxError, reply: FastifyReply): void;
  };
}

export function registerMount(
  app: FastifyInstance,
  { prefix, open, api }: Mount,
  parts: Omit<MountParts, "begin" | "closing" | "replayed"> & ErrorParts & { readonly traffic: Traffic },
): void {
  const { log, observer, traffic } = parts;
  app.register(
    async (scope) => {
      scope.addHook("onRoute", (route) => {
        // The OpenAPI document is of our own API.
        route.schema = { ...route.schema, hide: true };
        route.config = { ...route.config, mounted: true, open: open || route.config?.open === true };
      });
      scope.setErrorHandler((thrown, request, reply) => {
        const error = toSandboxError(thrown as Error, request);
        if (error.code === "internal")
          log.error({ err: error.cause ?? error, route: request.routeOptions.url }, "request failed");
        observer.httpError(error.code);
        if (error.code === "draining") reply.header("connection", "close");
        if (error.code === "unauthorized") reply.header("www-authenticate", "Bearer");
        api.sendError(error, reply);
      });
      api.routes(scope, {
        ...parts,
        closing: traffic.closing,
        replayed: (end) => observer.replayed(end),
        begin(request, reply) {
          const ticket = traffic.enter(reply.raw);
          return { options: executeOptions(ticket.signal, request), end: () => ticket.leave() };
        },
      });
    },
    { prefix },
  );
}

/** @returns the failure to put routes together in words for the operator, when two APIs take the same path. */
export function asCollision(error: unknown): unknown {
  if ((error as { code?: string }).code !== "FST_ERR_DUPLICATED_ROUTE") return error;
  return new Error(
    `${(error as Error).message}. Two APIs take the same path: give one of them a wire.<name>.prefix or a wire.<name>.port`,
    { cause: error },
  );
}
