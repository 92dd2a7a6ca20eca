/** The routes of sessions: open, look, call, fork, close. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { ErrorCode } from "../../contract/errors.ts";
import type { Executor } from "../../contract/executor.ts";
import type { ForkSpec, Session, SessionCall, SessionSpec } from "../../contract/session.ts";
import { COMMON_CODES, errorResponses, ref, SESSION_CODES } from "../schemas.ts";
import { executeOptions, logResult, type RouteParts } from "./parts.ts";

type Named = { Params: { id: string } };

const PARAMS = {
  type: "object",
  properties: { id: { type: "string", description: "The session's id." } },
  required: ["id"],
} as const;

const json = (schema: object, description: string) => ({
  description,
  content: { "application/json": { schema } },
});

const LOOK_CODES: readonly ErrorCode[] = [...COMMON_CODES, "unauthorized", "session_not_found"];

const tenantOf = (request: FastifyRequest) => (request.tenant === null ? {} : { tenant: request.tenant });

const find = (executor: Executor, request: FastifyRequest): Promise<Session> =>
  executor.findSession((request.params as { id: string }).id, tenantOf(request));

export function registerSessions(parts: RouteParts): void {
  registerOpen(parts);
  registerLook(parts);
  registerWork(parts);
}

function registerOpen({ app, executor, traffic }: RouteParts): void {
  app.post<{ Body: SessionSpec }>("/v1/sessions", {
    schema: {
      operationId: "openSession",
      summary: "Open a session",
      description:
        "A live interpreter that keeps its state between calls, until it is closed, lost or a deadline of it passes. A client that goes before the answer leaves no session behind.",
      tags: ["sessions"],
      body: ref("SessionSpec"),
      response: {
        200: json(ref("SessionDescription"), "The session is open."),
        ...errorResponses(SESSION_CODES.open),
      },
    },
    async handler(request, reply) {
      const ticket = traffic.enter(reply.raw);
      try {
        const options = executeOptions(ticket.signal, request);
        const session = await executor.openSession(request.body, options);
        if (ticket.signal.aborted) await session.close();
        return await session.describe();
      } finally {
        ticket.leave();
      }
    },
  });
}

function registerLook({ app, executor }: { app: FastifyInstance; executor: Executor }): void {
  app.get("/v1/sessions", {
    schema: {
      operationId: "listSessions",
      summary: "The open sessions of the key's tenant",
      tags: ["sessions"],
      response: {
        200: json(ref("SessionList"), "The oldest first."),
        ...errorResponses([...COMMON_CODES, "unauthorized"]),
      },
    },
    handler: async (request) => ({ sessions: await executor.listSessions(tenantOf(request)) }),
  });

  app.get<Named>("/v1/sessions/:id", {
    schema: {
      operationId: "describeSession",
      summary: "How a session stands",
      description: "Also of one that was lost or closed a while ago.",
      tags: ["sessions"],
      params: PARAMS,
      response: { 200: json(ref("SessionDescription"), "The session."), ...errorResponses(LOOK_CODES) },
    },
    handler: async (request) => (await find(executor, request)).describe(),
  });

  app.delete<Named>("/v1/sessions/:id", {
    schema: {
      operationId: "closeSession",
      summary: "Close a session",
      description:
        "Ends its interpreter and all it started; a call that runs is cancelled. Forks of it go on. Closing one that is closed changes nothing.",
      tags: ["sessions"],
      params: PARAMS,
      response: { 200: json(ref("SessionDescription"), "It is closed."), ...errorResponses(LOOK_CODES) },
    },
    async handler(request) {
      const session = await find(executor, request);
      await session.close();
      return session.describe();
    },
  });
}

function registerWork({ app, executor, traffic, log }: RouteParts): void {
  app.post<Named & { Body: SessionCall }>("/v1/sessions/:id/calls", {
    schema: {
      operationId: "executeInSession",
      summary: "Carry one call out in a session",
      description:
        "Answers when the call has ended; calls that came before are carried out first. `session.state` of the Result says whether the interpreter is still there. Closing the connection interrupts the call.",
      tags: ["sessions"],
      params: PARAMS,
      body: ref("SessionCall"),
      response: {
        200: json(ref("Result"), "The call was carried out."),
        ...errorResponses(SESSION_CODES.call),
      },
    },
    async handler(request, reply) {
      const ticket = traffic.enter(reply.raw);
      try {
        const session = await find(executor, request);
        const result = await session.execute(request.body, { signal: ticket.signal });
        logResult(log, { session: session.id }, result, request.tenant);
        return result;
      } finally {
        ticket.leave();
      }
    },
  });

  app.post<Named & { Body: ForkSpec }>("/v1/sessions/:id/fork", {
    schema: {
      operationId: "forkSession",
      summary: "Branch a session",
      description:
        "New sessions that begin where this one stands, made by copy-on-write; all of them or none. Calls that came before are carried out first.",
      tags: ["sessions"],
      params: PARAMS,
      body: ref("ForkSpec"),
      response: {
        200: json(ref("SessionList"), "The new sessions."),
        ...errorResponses(SESSION_CODES.fork),
      },
    },
    async handler(request, reply) {
      const ticket = traffic.enter(reply.raw);
      try {
        const forks = await (await find(executor, request)).fork(request.body);
        if (ticket.signal.aborted) await Promise.all(forks.map((fork) => fork.close()));
        return { sessions: await Promise.all(forks.map((fork) => fork.describe())) };
      } finally {
        ticket.leave();
      }
    },
  });
}
