/**
 * Sessions of Python that another system's clients name themselves, and that are there from their first call on. Each
 * is a session of the tenant like any other; one that was lost or met a deadline is opened anew under its name.
 */
import { createHash } from "node:crypto";
import { SandboxError, type ErrorCode } from "../contract/errors.ts";
import type { ExecuteOptions, Executor } from "../contract/executor.ts";
import type { Result } from "../contract/result.ts";
import type { Session, SessionCall, SessionDescription } from "../contract/session.ts";

const GONE: ReadonlySet<ErrorCode> = new Set(["session_not_found", "session_lost", "session_closed"]);
const AS_ID = /^[A-Za-z0-9._:-]{1,100}$/;

const isGone = (error: unknown): boolean => error instanceof SandboxError && GONE.has(error.code);

export interface NamedSessions {
  /**
   * Runs a call in the session of that name.
   * `opened`: the session was opened for this call, so nothing of earlier ones is in it.
   * @throws SandboxError as `openSession` and `Session.execute` do.
   */
  execute(
    name: string,
    call: SessionCall,
    options: ExecuteOptions,
  ): Promise<{ readonly result: Result; readonly opened: boolean }>;
  /** False when there is none of that name. */
  close(name: string, options: ExecuteOptions): Promise<boolean>;
  /** Open sessions by name. A name that can be no id is told as its hash. */
  list(options: ExecuteOptions): Promise<ReadonlyMap<string, SessionDescription>>;
}

/** @param owner put before every name, so that two adapters share none. */
export function namedSessions(executor: Executor, owner: string): NamedSessions {
  const prefix = `${owner}:`;
  const idOf = (name: string): string =>
    prefix + (AS_ID.test(name) ? name : createHash("sha256").update(name).digest("hex"));

  const find = async (id: string, options: ExecuteOptions): Promise<Session | null> => {
    try {
      const session = await executor.findSession(id, options);
      const { state } = await session.describe();
      if (state !== "lost" && state !== "closed") return session;
      // A lost one holds its name until it is closed.
      await session.close();
      return null;
    } catch (error) {
      if (isGone(error)) return null;
      throw error;
    }
  };

  const enter = async (id: string, options: ExecuteOptions) => {
    const found = await find(id, options);
    if (found !== null) return { session: found, opened: false };
    try {
      return { session: await executor.openSession({ runtime: "python", id }, options), opened: true };
    } catch (error) {
      // Another request of the same name came first.
      const theirs =
        error instanceof SandboxError && error.code === "id_conflict" ? await find(id, options) : null;
      if (theirs === null) throw error;
      return { session: theirs, opened: false };
    }
  };

  return {
    async execute(name, call, options) {
      const { session, opened } = await enter(idOf(name), options);
      try {
        return { result: await session.execute(call, options), opened };
      } catch (error) {
        // It met a deadline between the two.
        if (opened || !isGone(error)) throw error;
        const again = await enter(idOf(name), options);
        return { result: await again.session.execute(call, options), opened: again.opened };
      }
    },
    async close(name, options) {
      const session = await find(idOf(name), options);
      await session?.close();
      return session !== null;
    },
    async list(options) {
      const all = await executor.listSessions(options);
      const ours = all.filter(({ id, state }) => id.startsWith(prefix) && state !== "lost");
      return new Map(ours.map((one) => [one.id.slice(prefix.length), one]));
    },
  };
}
