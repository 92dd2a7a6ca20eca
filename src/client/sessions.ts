/**
 * Sessions behind HTTP.
 *
 * Invariant: what changes a session is sent once. A call or a fork whose answer did not come may have been carried
 * out, and is never repeated; only what the service refused to begin is.
 */
import { randomUUID } from "node:crypto";
import { SandboxError } from "../contract/errors.ts";
import type { Executor } from "../contract/executor.ts";
import type { Session, SessionDescription } from "../contract/session.ts";
import { cancelledResult, resultFrom } from "./answers.ts";
import { readJson } from "./read-json.ts";
import { NotAnswered, type RetryPolicy, withRetries } from "./retry.ts";
import type { Ask, Transport } from "./transport.ts";

const JSON_TYPE = "application/json";

type SessionPart = Pick<Executor, "openSession" | "findSession" | "listSessions">;

function descriptionFrom(value: unknown): SessionDescription {
  const description = value as SessionDescription | null;
  if (typeof description?.id === "string" && typeof description.state === "string") return description;
  throw new SandboxError(
    "unreachable",
    "the answer describes no session; is the service of another version?",
  );
}

function listFrom(value: unknown): readonly SessionDescription[] {
  const list = (value as { sessions?: unknown } | null)?.sessions;
  if (!Array.isArray(list))
    throw new SandboxError(
      "unreachable",
      "the answer is no list of sessions; is the service of another version?",
    );
  return list.map(descriptionFrom);
}

export function createSessions(
  transport: Transport,
  policy: RetryPolicy,
  answerBytesMax: number,
): SessionPart {
  const ask = async (request: Omit<Ask, "accept">): Promise<unknown> =>
    readJson(await transport.ask({ ...request, accept: JSON_TYPE }), answerBytesMax);
  const read = (path: string, signal: AbortSignal | undefined) =>
    withRetries(() => ask({ method: "GET", path, signal }), policy, signal);
  const once = async (request: Omit<Ask, "accept">): Promise<unknown> => {
    try {
      return await ask(request);
    } catch (error) {
      throw error instanceof NotAnswered
        ? new SandboxError("unreachable", error.message, { cause: error.cause })
        : error;
    }
  };
  const pathOf = (id: string) => `/v1/sessions/${encodeURIComponent(id)}`;

  const sessionOf = (id: string): Session => ({
    id,
    async execute(call, { signal } = {}) {
      const callId = call.id ?? randomUUID();
      try {
        signal?.throwIfAborted();
        const body = JSON.stringify({ ...call, id: callId });
        return resultFrom(await once({ method: "POST", path: `${pathOf(id)}/calls`, body, signal }));
      } catch (error) {
        if (signal?.aborted !== true) throw error;
        return { ...cancelledResult(callId), session: { id, state: await stateOf(id) } };
      }
    },
    async fork(spec = {}) {
      const answer = await once({ method: "POST", path: `${pathOf(id)}/fork`, body: JSON.stringify(spec) });
      return listFrom(answer).map((description) => sessionOf(description.id));
    },
    describe: async () => descriptionFrom(await read(pathOf(id), undefined)),
    async close() {
      await withRetries(() => ask({ method: "DELETE", path: pathOf(id) }), policy, undefined).catch(
        ignoreGone,
      );
    },
  });

  /** How the session stands once the call that was given up has left it. */
  const stateOf = async (id: string): Promise<"kept" | "lost"> => {
    try {
      const { state } = descriptionFrom(await read(pathOf(id), undefined));
      return state === "lost" || state === "closed" ? "lost" : "kept";
    } catch {
      return "lost";
    }
  };

  return {
    async openSession(spec, { signal } = {}) {
      const request = { method: "POST", path: "/v1/sessions", body: JSON.stringify(spec), signal } as const;
      return sessionOf(descriptionFrom(await once(request)).id);
    },
    async findSession(id, { signal } = {}) {
      return sessionOf(descriptionFrom(await read(pathOf(id), signal)).id);
    },
    listSessions: async ({ signal } = {}) => listFrom(await read("/v1/sessions", signal)),
  };
}

/** A session that is gone already is closed. */
function ignoreGone(error: unknown): void {
  if (!(error instanceof SandboxError) || error.code !== "session_not_found") throw error;
}
