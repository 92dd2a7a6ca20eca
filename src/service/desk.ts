/**
 * What the core process answers its fronts, out of an Executor. One desk is for all fronts: calls, sessions and ids are
 * the same behind each.
 */
import { SandboxError } from "../contract/errors.ts";
import type { Executor } from "../contract/executor.ts";
import type { Result } from "../contract/result.ts";
import type { Session } from "../contract/session.ts";
import type { Metrics } from "../observe/metrics.ts";
import { LONG_TEXT, type Answers, type Asked } from "./channel.ts";
import { type FrontAsks, ofTenant, type SessionName } from "./questions.ts";

export interface DeskParts {
  readonly executor: Executor;
  readonly metrics: Pick<Metrics, "observer" | "text">;
  readonly ready: () => boolean | Promise<boolean>;
  readonly queued: () => number | Promise<number>;
  /** Writes a line of a front's log as it is. */
  readonly writeLine: (line: string) => void;
}

function isLong({ stdout, stderr, value, files }: Result): boolean {
  return stdout.length + stderr.length + (value?.length ?? 0) > LONG_TEXT || Object.keys(files).length > 0;
}

/** The Result, with the channel told how it is best sent. */
function answerOf(result: Result, asked: Asked): Result {
  if (isLong(result)) asked.isLong();
  return result;
}

/** Numbers the sessions, so that an id that is used again names no earlier session. */
class Serials {
  readonly #known = new WeakMap<Session, number>();
  #next = 0;

  placeOf(session: Session): { id: string; serial: number } {
    let serial = this.#known.get(session);
    if (serial === undefined) this.#known.set(session, (serial = this.#next++));
    return { id: session.id, serial };
  }
}

function sessionAnswers(executor: Executor) {
  const serials = new Serials();
  /** @throws SandboxError `session_not_found`; `session_closed` when another has taken the id since. */
  const find = async ({ id, serial, tenant }: SessionName): Promise<Session> => {
    const session = await executor.findSession(id, ofTenant({ tenant }));
    if (serials.placeOf(session).serial === serial) return session;
    throw new SandboxError("session_closed", "the session was closed, and another was opened under its id");
  };
  return {
    async openSession({ spec, tenant }, asked) {
      const session = await executor.openSession(spec, { ...ofTenant({ tenant }), signal: asked.signal });
      // Nobody is left to close it.
      if (asked.signal.aborted) await session.close();
      return serials.placeOf(session);
    },
    findSession: async ({ id, tenant }) =>
      serials.placeOf(await executor.findSession(id, ofTenant({ tenant }))),
    listSessions: (tenant) => executor.listSessions(ofTenant(tenant)),
    executeInSession: async ({ call, ...name }, asked) =>
      answerOf(await (await find(name)).execute(call, { signal: asked.signal }), asked),
    async forkSession({ spec, ...name }, asked) {
      const { signal } = asked;
      const forks = await (await find(name)).fork(spec);
      if (signal.aborted) await Promise.all(forks.map((fork) => fork.close()));
      return forks.map((fork) => serials.placeOf(fork));
    },
    describeSession: async (name) => (await find(name)).describe(),
    async closeSession(name) {
      try {
        await (await find(name)).close();
      } catch (error) {
        // One that is gone is closed.
        if (!(error instanceof SandboxError)) throw error;
      }
      return null;
    },
  } satisfies Partial<Answers<FrontAsks>>;
}

export function createDesk({ executor, metrics, ready, queued, writeLine }: DeskParts): Answers<FrontAsks> {
  const { observer } = metrics;
  return {
    execute: async ({ call, tenant }, asked) =>
      answerOf(await executor.execute(call, { ...ofTenant({ tenant }), signal: asked.signal }), asked),
    async executeBatch({ calls, tenant }, asked) {
      const items = await executor.executeBatch(calls, { ...ofTenant({ tenant }), signal: asked.signal });
      asked.part("accepted");
      for await (const item of items) asked.part(item, isLong(item.result));
      return null;
    },
    describe: () => executor.describe(),
    ...sessionAnswers(executor),
    ready: () => ready(),
    queued: () => queued(),
    metrics: () => metrics.text(),
    httpError({ code }) {
      observer.httpError(code);
      return null;
    },
    judged({ kind, verdict }) {
      observer.judged(kind, verdict);
      return null;
    },
    replayed({ end }) {
      observer.replayed(end);
      return null;
    },
    log(line) {
      writeLine(line);
      return null;
    },
  };
}
