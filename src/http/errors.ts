/** From whatever was thrown to the one error body, status and headers of contract/errors.ts. */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Socket } from "node:net";
import { SandboxError, type ErrorCode } from "../contract/errors.ts";
import type { HttpObserver } from "../observe/metrics.ts";
import type { Log } from "../observe/log.ts";
import type { Traffic } from "./traffic.ts";
import { validationError, type SchemaFailure } from "./validation.ts";

/** What Fastify throws of its own, by its code. */
const OF_FASTIFY: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: "body_too_large",
  FST_ERR_CTP_INVALID_MEDIA_TYPE: "unsupported_media_type",
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: "invalid_http",
  FST_ERR_BAD_URL: "invalid_http",
};

interface Thrown extends Error {
  readonly code?: string;
  readonly validation?: readonly SchemaFailure[];
}

/** Any thrown value as a SandboxError; `internal`, with nothing of the inside in it, when it is not one of ours. */
export function toSandboxError(thrown: Thrown, request: FastifyRequest): SandboxError {
  if (thrown instanceof SandboxError) return thrown;
  if (thrown.validation !== undefined) return validationError(thrown.validation);
  const code = OF_FASTIFY[thrown.code ?? ""];
  if (code === "unsupported_media_type") {
    const given = request.headers["content-type"];
    return new SandboxError(
      code,
      `the content type must be application/json, not ${given === undefined ? "absent" : JSON.stringify(given.slice(0, 100))}`,
    );
  }
  if (code !== undefined) return new SandboxError(code, thrown.message);
  return new SandboxError("internal", "a bug in the service; its log has more", { cause: thrown });
}

export interface ErrorParts {
  readonly log: Log;
  readonly observer: HttpObserver;
}

/** Fastify's error handler. */
export function createErrorHandler({ log, observer }: ErrorParts) {
  return (thrown: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    const error = toSandboxError(thrown as Thrown, request);
    if (error.code === "internal")
      log.error(
        { err: error.cause ?? error, method: request.method, route: request.routeOptions.url },
        "request failed",
      );
    observer.httpError(error.code);
    if (error.retryAfterMs !== undefined)
      reply.header("retry-after", Math.max(1, Math.ceil(error.retryAfterMs / 1000)));
    if (error.code === "unauthorized") reply.header("www-authenticate", "Bearer");
    if (error.code === "draining") reply.header("connection", "close");
    reply.code(error.status).type("application/json; charset=utf-8").send(error.toJSON());
  };
}

/** Methods of a route whose path has names in it, such as `/v1/sessions/:id`. */
function methodsOfPattern(
  methods: ReadonlyMap<string, ReadonlySet<string>>,
  path: string,
): ReadonlySet<string> | undefined {
  const parts = path.split("/");
  const matches = (pattern: string): boolean => {
    const names = pattern.split("/");
    return (
      names.length === parts.length && names.every((name, at) => name.startsWith(":") || name === parts[at])
    );
  };
  return [...methods].find(([pattern]) => pattern.includes("/:") && matches(pattern))?.[1];
}

/**
 * The error for a request that no route takes.
 * @param methods methods of the routes there are, by path
 */
export function noRouteError(
  methods: ReadonlyMap<string, ReadonlySet<string>>,
  request: FastifyRequest,
  reply: FastifyReply,
): SandboxError {
  const path = request.url.split("?", 1)[0] as string;
  const allowed = methods.get(path) ?? methodsOfPattern(methods, path);
  if (allowed === undefined)
    return new SandboxError("not_found", `there is no ${path.slice(0, 200)}; /docs lists what there is`);
  const list = [...allowed].join(", ");
  reply.header("allow", list);
  return new SandboxError("method_not_allowed", `${path} takes ${list}, not ${request.method}`);
}

const REASONS: Readonly<Record<number, string>> = {
  400: "Bad Request",
  408: "Request Timeout",
  431: "Request Header Fields Too Large",
};

function socketError(code: string | undefined): SandboxError {
  if (code === "HPE_HEADER_OVERFLOW")
    return new SandboxError("header_too_large", "the request's header is longer than the server reads");
  if (code === "ERR_HTTP_REQUEST_TIMEOUT")
    return new SandboxError("request_timeout", "the request did not arrive in time");
  return new SandboxError("invalid_http", "what came is not a well-formed HTTP/1.1 request");
}

/** Node's `clientError`: no request was parsed, so the answer is written by hand and the connection ends. */
export function createClientErrorHandler(parts: ErrorParts, traffic: () => Traffic) {
  return (thrown: Error & { code?: string }, socket: Socket): void => {
    // An answer under way would be corrupted by another in its middle.
    if (thrown.code === "ECONNRESET" || !socket.writable || traffic().inFlightOn(socket) > 0) {
      socket.destroy();
      return;
    }
    const error = socketError(thrown.code);
    parts.observer.httpError(error.code);
    const body = JSON.stringify(error);
    const head = `HTTP/1.1 ${error.status} ${REASONS[error.status] ?? ""}\r\ncontent-type: application/json; charset=utf-8\r\n`;
    socket.end(`${head}content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`, () =>
      socket.destroy(),
    );
  };
}
