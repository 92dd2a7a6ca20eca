/** The routes of sessions: open, look, call, fork, close. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { ErrorCode } from "../../contract/errors.ts";
import type { Executor } from "../../contract/executor.ts";
import type { ForkSpec, Session, SessionCall, SessionSpec } from "../../contract/session.ts";
import { COMMON_CODES, errorResponses, ref, SESSION_CODES } from "../schemas.ts";
import { during, logResult, type RouteParts } from "./parts.ts";

type Named = { Params: { id: string } };

const PARAMS = {
  type: "object",
  properties: { id: { type: "string", description: "The session's id." } },
  required: ["id"],
} as const;

interface Told {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  /** Whether the path names a session. */
  readonly named: boolean;
  /** Name of the schema of the body. */
  readonly body?: string;
  /** Name of the schema of what is answered, and what it is. */
  readonly answer: readonly [schema: string, description: string];
  readonly codes: readonly ErrorCode[];
}

/** What a route tells of itself, for checks and for the OpenAPI document. */
function schemaOf({ operationId, summary, description, named, body, answer, codes }: Told) {
  const [schema, what] = answer;
  return {
    operationId,
    summary,
    ...(description === undefined ? {} : { description }),
    tags: ["sessions"],
    ...(named ? { params: PARAMS } : {}),
    ...(body === undefined ? {} : { body: ref(body) }),
    response: {
      200: { description: what, content: { "application/json": { schema: ref(schema) } } },
      ...errorResponses(codes),
    },
  };
}

const LIST_CODES: readonly ErrorCode[] = [...COMMON_CODES, "unauthorized"];
const LOOK_CODES: readonly ErrorCode[] = [...LIST_CODES, "session_not_found"];

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
    schema: schemaOf({
      operationId: "openSession",
      summary: "Open a session",
      description:
        "A live interpreter that keeps its state between calls, until it is closed, lost or a deadline of it passes. A client that goes before the answer leaves no session behind.",
      named: false,
      body: "SessionSpec",
      answer: ["SessionDescription", "The session is open."],
      codes: SESSION_CODES.open,
    }),
    handler: (request, reply) =>
      during(traffic, request, reply, async (options) => {
        const session = await executor.openSession(request.body, options);
        if (options.signal.aborted) await session.close();
        return session.describe();
      }),
  });
}

function registerLook({ app, executor }: { app: FastifyInstance; executor: Executor }): void {
  app.get("/v1/sessions", {
    schema: schemaOf({
      operationId: "listSessions",
      summary: "The open sessions of the key's tenant",
      named: false,
      answer: ["SessionList", "The oldest first."],
      codes: LIST_CODES,
    }),
    handler: async (request) => ({ sessions: await executor.listSessions(tenantOf(request)) }),
  });

  app.get<Named>("/v1/sessions/:id", {
    schema: schemaOf({
      operationId: "describeSession",
      summary: "How a session stands",
      description: "Also of one that was lost or closed a while ago.",
      named: true,
      answer: ["SessionDescription", "The session."],
      codes: LOOK_CODES,
    }),
    handler: async (request) => (await find(executor, request)).describe(),
  });

  app.delete<Named>("/v1/sessions/:id", {
    schema: schemaOf({
      operationId: "closeSession",
      summary: "Close a session",
      description:
        "Ends its interpreter and all it started; a call that runs is cancelled. Forks of it go on. Closing one that is closed changes nothing.",
      named: true,
      answer: ["SessionDescription", "It is closed."],
      codes: LOOK_CODES,
    }),
    async handler(request) {
      const session = await find(executor, request);
      await session.close();
      return session.describe();
    },
  });
}

function registerWork({ app, executor, traffic, log }: RouteParts): void {
  app.post<Named & { Body: SessionCall }>("/v1/sessions/:id/calls", {
    schema: schemaOf({
      operationId: "executeInSession",
      summary: "Carry one call out in a session",
      description:
        "Answers when the call has ended; calls that came before are carried out first. `session.state` of the Result says whether the interpreter is still there. Closing the connection interrupts the call.",
      named: true,
      body: "SessionCall",
      answer: ["Result", "The call was carried out."],
      codes: SESSION_CODES.call,
    }),
    handler: (request, reply) =>
      during(traffic, request, reply, async ({ signal }) => {
        const session = await find(executor, request);
        const result = await session.execute(request.body, { signal });
        logResult(log, { session: session.id }, result, request.tenant);
        return result;
      }),
  });

  app.post<Named & { Body: ForkSpec }>("/v1/sessions/:id/fork", {
    schema: schemaOf({
      operationId: "forkSession",
      summary: "Branch a session",
      description:
        "New sessions that begin where this one stands, made by copy-on-write; all of them or none. Calls that came before are carried out first.",
      named: true,
      body: "ForkSpec",
      answer: ["SessionList", "The new sessions."],
      codes: SESSION_CODES.fork,
    }),
    handler: (request, reply) =>
      during(traffic, request, reply, async ({ signal }) => {
        const forks = await (await find(executor, request)).fork(request.body);
        if (signal.aborted) await Promise.all(forks.map((fork) => fork.close()));
        return { sessions: await Promise.all(forks.map((fork) => fork.describe())) };
      }),
  });
}
