/**
 * OpenEnv's server of its coding environment: a websocket with an environment of its own, which ends with it, and the
 * same messages over HTTP, where each request has a new environment as in the original.
 */
import { on } from "node:events";
import type { Socket } from "node:net";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { WebSocket } from "@fastify/websocket";
import { CALL_BOUNDS } from "../contract/call.ts";
import { SandboxError } from "../contract/errors.ts";
import type { ExecuteOptions } from "../contract/executor.ts";
import { during, type Adapter, type WireParts } from "./adapter.ts";
import * as body from "./fastapi.ts";
import { openEnvironment, type Environment } from "./openenv-environment.ts";

export interface OpenenvOptions {
  /** Wall time of a step. Milliseconds. */
  readonly wallMs: number;
}

/** Longest message: any source, its escapes in JSON included. */
const MESSAGE_BYTES_MAX = 6 * CALL_BOUNDS.sourceBytesMax + 65_536;
/** Messages that may wait behind a step; with more the connection is not read. */
const WAITING_MAX = 8;
/** For a handshake to be done, and for the other side to answer a close. */
const HANDSHAKE_MS_MAX = 5000;
const KEEP_ALIVE_MS = 20_000;
const SERVICE_RESTART = 1012;
/** `closeTimeout` is not among the options' types. */
const WEBSOCKET_OPTIONS = { maxPayload: MESSAGE_BYTES_MAX, closeTimeout: HANDSHAKE_MS_MAX };

const METADATA = {
  name: "PythonCodeActEnv",
  description: "PythonCodeActEnv environment",
  readme_content: null,
  version: "1.0.0",
  author: null,
  documentation_url: null,
};

const anyFields = body.dictionary(body.anything);
const Reset = body.closedModel({
  type: body.required(body.literal("reset")),
  data: body.optional(anyFields, {}),
});
const Step = body.closedModel({
  type: body.required(body.literal("step")),
  data: body.required(anyFields),
});
const Bare = body.closedModel({ type: body.required(body.literal("state", "close")) });
const Action = body.closedModel({
  metadata: body.optional(anyFields, {}),
  code: body.required(body.text),
});
const StepRequest = body.model({ action: body.required(anyFields) });

type ErrorName =
  | "INVALID_JSON"
  | "UNKNOWN_TYPE"
  | "VALIDATION_ERROR"
  | "EXECUTION_ERROR"
  | "CAPACITY_REACHED"
  | "FACTORY_ERROR"
  | "SESSION_ERROR";

const failure = (code: ErrorName, message: string, more: object = {}) => ({
  type: "error",
  data: { message, code, ...more },
});

/** What the message was, for the client; what is our own fault is for the log. */
function told(error: unknown, log: FastifyRequest["log"]): string {
  if (error instanceof SandboxError && error.code !== "internal") return error.message;
  log.error({ err: error }, "websocket message failed");
  return "the service failed";
}

/** The answer to one message; null: the client is done. */
async function answer(
  message: Readonly<Record<string, unknown>>,
  environment: Environment,
): Promise<object | null> {
  const { type = "" } = message;
  switch (type) {
    case "reset":
      body.readBody(Reset, message, []);
      return { type: "observation", data: await environment.reset() };
    case "step": {
      const { code } = body.readBody(Action, body.readBody(Step, message, []).data, []);
      return { type: "observation", data: await environment.step(code) };
    }
    case "state":
      body.readBody(Bare, message, []);
      return { type: "state", data: environment.state() };
    case "close":
      body.readBody(Bare, message, []);
      return null;
    default:
      return failure(
        "UNKNOWN_TYPE",
        `Unknown message type: ${typeof type === "string" ? type : JSON.stringify(type)}`,
      );
  }
}

async function answerOrFailure(
  text: string,
  environment: Environment,
  log: FastifyRequest["log"],
): Promise<object | null> {
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch (error) {
    return failure("INVALID_JSON", `Invalid JSON: ${(error as Error).message}`);
  }
  if (typeof message !== "object" || message === null || Array.isArray(message))
    throw new SandboxError("invalid_json", "a message is a JSON object");
  try {
    return await answer(message as Record<string, unknown>, environment);
  } catch (error) {
    const errors = body.issuesOf(error);
    if (errors !== null) return failure("VALIDATION_ERROR", "Invalid message", { errors });
    return failure("EXECUTION_ERROR", told(error, log));
  }
}

const say = (socket: WebSocket, message: object): void => socket.send(JSON.stringify(message));

async function converse(
  socket: WebSocket,
  environment: Environment,
  messages: AsyncIterable<unknown>,
  log: FastifyRequest["log"],
): Promise<void> {
  for await (const [bytes, isBinary] of messages as AsyncIterable<[Buffer, boolean]>) {
    if (isBinary) throw new SandboxError("invalid_json", "a message is text");
    const reply = await answerOrFailure(bytes.toString("utf8"), environment, log);
    if (reply === null) return;
    say(socket, reply);
  }
}

/** Holds the environment of a connection from its first moment to its end. */
async function attend(
  socket: WebSocket,
  request: FastifyRequest,
  parts: WireParts,
  options: ExecuteOptions,
  wall: number,
): Promise<void> {
  const until = AbortSignal.any([options.signal, parts.closing].filter((one) => one !== undefined));
  // From here on no message is missed, though there is nobody to answer yet.
  const messages = on(socket, "message", { signal: until, close: ["close"], highWaterMark: WAITING_MAX });
  let environment: Environment | null = null;
  try {
    environment = await openEnvironment({ ...parts, wall, options });
    await converse(socket, environment, messages, request.log);
  } catch (error) {
    if (!until.aborted) {
      const isFull = error instanceof SandboxError && error.code === "sessions_full";
      const name = isFull ? "CAPACITY_REACHED" : environment === null ? "FACTORY_ERROR" : "SESSION_ERROR";
      say(socket, failure(name, told(error, request.log)));
    }
  } finally {
    await environment?.close();
    if (parts.closing.aborted) socket.close(SERVICE_RESTART, "the service is shutting down");
    else socket.close();
  }
}

/** A page in somebody's browser may open a websocket to any address, and needs nobody's leave. */
async function refusePages(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  if (request.headers.origin !== undefined)
    await reply.code(403).send({ detail: "requests from web pages are refused" });
}

async function once<T>(
  parts: WireParts,
  wall: number,
  request: FastifyRequest,
  reply: FastifyReply,
  work: (environment: Environment) => Promise<T>,
): Promise<T> {
  return during(parts, request, reply, async (options) => {
    const environment = await openEnvironment({ ...parts, wall, options });
    try {
      return await work(environment);
    } finally {
      await environment.close();
    }
  });
}

export function openenv({ wallMs: wall }: OpenenvOptions): Adapter {
  return {
    routes(app, parts) {
      app.get("/health", { config: { open: true } }, () => Promise.resolve({ status: "healthy" }));
      app.get("/metadata", () => Promise.resolve(METADATA));
      app.get("/state", () => Promise.resolve({ episode_id: null, step_count: 0 }));
      app.post("/reset", (request, reply) =>
        once(parts, wall, request, reply, (environment) => environment.reset()),
      );
      app.post("/step", (request, reply) => {
        const { action } = body.readBody(StepRequest, request.body);
        const { code } = body.readBody(Action, action, []);
        return once(parts, wall, request, reply, (environment) => environment.step(code));
      });

      // A connection that asks for another protocol leaves the HTTP server's deadlines; one that becomes a websocket
      // has no use for this one and takes it away.
      app.server.on("upgrade", (_request, socket: Socket) => {
        socket.setTimeout(HANDSHAKE_MS_MAX, () => socket.destroy());
        socket.setKeepAlive(true, KEEP_ALIVE_MS);
      });
      app.register(import("@fastify/websocket"), {
        options: WEBSOCKET_OPTIONS,
        // What a client does to its connection is no failure of the service.
        errorHandler: (_error, socket) => socket.terminate(),
        preClose(done) {
          for (const client of this.websocketServer.clients) client.terminate();
          this.websocketServer.close();
          done();
        },
      });
      const entered = new WeakMap<FastifyRequest, ReturnType<WireParts["begin"]>>();
      app.register(async (scope) => {
        scope.get(
          "/ws",
          {
            websocket: true,
            onRequest: refusePages,
            preHandler: async (request, reply) =>
              void (request.ws && entered.set(request, parts.begin(request, reply))),
          },
          async (socket, request) => {
            const connection = entered.get(request) as ReturnType<WireParts["begin"]>;
            try {
              await attend(socket, request, parts, connection.options, wall);
            } finally {
              connection.end();
            }
          },
        );
      });
    },
    sendError(error, reply) {
      body.sendFastapiError(error, reply, error.retryable ? 503 : error.status);
    },
  };
}
