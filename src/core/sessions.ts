/**
 * The sessions of an executor: opened on demand up to a bound, in sandboxes of their own beside the slots of calls,
 * so that an idle session costs memory and no call its slot.
 *
 * Invariants: never more than `max` sandboxes are open or being opened; a tenant finds its own sessions only; a
 * session that ended is remembered for a while, so that whoever asks for it is told why, and then forgotten.
 */
import type { RuntimeId } from "../contract/call.ts";
import { SandboxError } from "../contract/errors.ts";
import type { LimitPolicy } from "../contract/limits.ts";
import type { Runtime } from "../contract/runtime.ts";
import type { ForkSpec, Session, SessionCall, SessionDescription, SessionSpec } from "../contract/session.ts";
import { acceptCall, type AcceptedCall } from "./accept.ts";
import { type Deadlines, LiveSession, type SessionHouse, type SessionParts } from "./live-session.ts";
import type { CallObserver, SessionOrigin } from "./observer.ts";
import { inTime } from "./patience.ts";
import { type Engine, SandboxFault, type SessionSandbox, type SessionSandboxSpec } from "./ports.ts";
import { Turnstile } from "./turnstile.ts";

interface DeadlineBounds {
  readonly default: number;
  readonly ceiling: number;
}

export interface SessionBounds {
  /** Sessions open at once, forks included. */
  readonly max: number;
  /** Of one tenant. */
  readonly tenantMax: number;
  /** Calls of sessions that run at once, over all of them. */
  readonly callsMax: number;
  /** Calls and forks that wait in one session. */
  readonly waitingMax: number;
  /** Milliseconds without a call. */
  readonly idleMs: DeadlineBounds;
  /** Milliseconds from the opening. */
  readonly totalMs: DeadlineBounds;
}

/** What of a session's requests is checked where no schema has done so before. */
export type SessionShape = "session" | "session_call" | "fork";

export interface SessionsOptions {
  readonly bounds: SessionBounds;
  readonly engines: ReadonlyMap<string, Engine>;
  /** As their sessions carry calls out. */
  readonly runtimes: Readonly<Record<string, Runtime>>;
  readonly limits: LimitPolicy;
  readonly observer: CallObserver;
  readonly now: () => number;
  /** A name that nobody guesses. */
  readonly newId: () => string;
  readonly checkShape?: (shape: SessionShape, value: unknown) => void;
  readonly onFault?: (engine: string, fault: SandboxFault) => void;
}

/** How long a sandbox may take to open: an engine may have to start what all of them share first. */
const OPEN_MS_MAX = 60_000;
/** Ended sessions that are remembered. */
const REMEMBERED_MAX = 4096;
const FULL_RETRY_MS = 1_000;

export class Sessions {
  readonly #options: SessionsOptions;
  readonly #house: SessionHouse;
  readonly #turnstile: Turnstile;
  /** By tenant and id. */
  readonly #open = new Map<string, LiveSession>();
  readonly #ended = new Map<string, LiveSession>();
  readonly #ending = new Set<Promise<void>>();
  /** Places taken for sessions that are being opened, by tenant. */
  readonly #reserved = new Map<string, number>();
  readonly #opening = new Set<Promise<unknown>>();
  #closed = false;

  constructor(options: SessionsOptions) {
    this.#options = options;
    this.#turnstile = new Turnstile(options.bounds.callsMax);
    this.#house = {
      now: options.now,
      observer: options.observer,
      turnstile: this.#turnstile,
      waitingMax: options.bounds.waitingMax,
      accept: (parts, call) => this.#accept(parts, call),
      fork: (session, spec) => this.#fork(session, spec),
      onFault: (runtime, fault) => this.#fault(runtime, fault),
      onEnd: (session) => this.#remember(session),
    };
  }

  /** Calls of sessions that run now. */
  get running(): number {
    return this.#turnstile.inside;
  }

  counts(): { readonly runtime: RuntimeId; readonly count: number }[] {
    const counts = new Map<RuntimeId, number>();
    for (const { parts } of this.#open.values())
      counts.set(parts.runtime, (counts.get(parts.runtime) ?? 0) + 1);
    return [...counts].map(([runtime, count]) => ({ runtime, count }));
  }

  async open(spec: SessionSpec, tenant: string, signal?: AbortSignal): Promise<Session> {
    this.#options.checkShape?.("session", spec);
    this.#refuseWhenClosed();
    const { limits, runtimes, newId } = this.#options;
    const { runtime: name, limits: asked, files, env, program = false, imports = [] } = spec;
    const { spec: decided, runtime } = acceptCall(
      {
        runtime: name,
        source: "",
        ...(asked === undefined ? {} : { limits: asked }),
        ...(files === undefined ? {} : { files }),
        ...(env === undefined ? {} : { env }),
      },
      { runtimes, limits, newId },
    );
    const engine = this.#engineOf(runtime);
    if (program && runtime.sessions?.programs !== true)
      throw new SandboxError("invalid_call", `a program of runtime ${runtime.id} cannot come in parts`, {
        path: "/program",
      });
    const deadlines = this.#deadlines(spec);
    const id = spec.id ?? newId();
    this.#refuseTaken(tenant, id);
    const { limits: bounds } = decided;
    const parts = { tenant, runtime: runtime.id, program, limits: bounds, parent: null, calls: 0, deadlines };
    return this.#inPlaces(tenant, 1, async () => {
      const askedMs = this.#options.now();
      const sandbox = await this.#openSandbox(engine, { ...decided, program, imports }, signal);
      try {
        // Another may have come to be while this one was opened.
        this.#refuseTaken(tenant, id);
      } catch (error) {
        await sandbox.close();
        throw error;
      }
      return this.#enter({ ...parts, id }, sandbox, "opened", this.#options.now() - askedMs);
    });
  }

  find(id: string, tenant: string): LiveSession {
    const key = keyOf(tenant, id);
    const session = this.#open.get(key) ?? this.#ended.get(key);
    if (session === undefined)
      throw new SandboxError("session_not_found", `there is no session ${JSON.stringify(id.slice(0, 128))}`);
    return session;
  }

  list(tenant: string): Promise<readonly SessionDescription[]> {
    const own = [...this.#open.values()].filter(({ parts, ended }) => parts.tenant === tenant && !ended);
    return Promise.all(own.map((session) => session.describe()));
  }

  /** Opens no more; those that are open end, and with them their calls, when the calls at hand are done. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#opening);
    await Promise.all([...this.#open.values()].map((session) => session.quiet));
    this.end();
    await Promise.all(this.#ending);
  }

  /** Ends all sessions at once; their calls are cancelled. */
  end(): void {
    this.#closed = true;
    for (const session of this.#open.values()) void session.end("shutdown", "the service shut down");
  }

  #refuseWhenClosed(): void {
    if (this.#closed)
      throw new SandboxError("draining", "the service is shutting down", { retryAfterMs: FULL_RETRY_MS });
  }

  #refuseTaken(tenant: string, id: string): void {
    if (this.#open.has(keyOf(tenant, id)))
      throw new SandboxError("id_conflict", `a session with id ${JSON.stringify(id)} is open`, {
        path: "/id",
      });
  }

  #accept({ runtime, program, limits }: SessionParts, call: SessionCall): AcceptedCall {
    this.#options.checkShape?.("session_call", call);
    this.#refuseWhenClosed();
    const { limits: asked, mode = program ? "script" : "cell", ...rest } = call;
    if (mode === (program ? "cell" : "last"))
      throw new SandboxError(
        "invalid_call",
        `mode ${mode} is not for ${program ? "a program's parts, whose modes are script and last" : "cells, whose modes are cell and script"}`,
        { path: "/mode" },
      );
    const policy = { default: limits, ceiling: this.#options.limits.ceiling };
    const accepted = acceptCall(
      {
        ...rest,
        runtime,
        mode: mode === "cell" ? mode : "script",
        ...(asked === undefined ? {} : { limits: asked }),
      },
      { runtimes: this.#options.runtimes, limits: policy, newId: this.#options.newId },
    );
    return mode === "last" ? { ...accepted, spec: { ...accepted.spec, last: true } } : accepted;
  }

  async #fork(session: LiveSession, spec: ForkSpec): Promise<readonly Session[]> {
    this.#options.checkShape?.("fork", spec);
    this.#refuseWhenClosed();
    const { parts } = session;
    const { count = 1, reseed = true } = spec;
    const deadlines = this.#deadlines(spec, parts.deadlines);
    return this.#inPlaces(parts.tenant, count, async () => {
      const askedMs = this.#options.now();
      const sandboxes = await session.forkSandbox(count, reseed);
      const openMs = this.#options.now() - askedMs;
      return sandboxes.map((sandbox) => {
        const own = {
          id: this.#options.newId(),
          parent: session.id,
          calls: session.calls,
          deadlines,
        };
        return this.#enter({ ...parts, ...own }, sandbox, "forked", openMs);
      });
    });
  }

  #enter(
    parts: LiveSession["parts"],
    sandbox: SessionSandbox,
    origin: SessionOrigin,
    openMs: number,
  ): LiveSession {
    const session = new LiveSession(parts, sandbox, this.#house);
    const key = keyOf(parts.tenant, parts.id);
    this.#ended.delete(key);
    this.#open.set(key, session);
    this.#options.observer.sessionOpened(parts.runtime, origin, openMs);
    return session;
  }

  #remember(session: LiveSession): void {
    const key = keyOf(session.parts.tenant, session.id);
    const ended = session.end("closed", "");
    // Its place is free once its sandbox is gone.
    const gone = ended.then(() => {
      if (this.#open.get(key) === session) this.#open.delete(key);
      this.#ended.set(key, session);
      const oldest = this.#ended.keys().next();
      if (this.#ended.size > REMEMBERED_MAX && oldest.done !== true) this.#ended.delete(oldest.value);
    });
    this.#ending.add(gone);
    void gone.then(() => this.#ending.delete(gone));
  }

  /** Takes places for as long as they are being filled. @throws SandboxError `sessions_full` */
  async #inPlaces<T>(tenant: string, count: number, fill: () => Promise<T>): Promise<T> {
    const { max, tenantMax } = this.#options.bounds;
    const own = [...this.#open.values()].filter(({ parts }) => parts.tenant === tenant).length;
    const reserved = [...this.#reserved.values()].reduce((sum, places) => sum + places, 0);
    const ownReserved = this.#reserved.get(tenant) ?? 0;
    if (this.#open.size + reserved + count > max)
      throw full(`${this.#open.size + reserved} sessions are open and ${count} more were asked for`, max);
    if (own + ownReserved + count > tenantMax)
      throw full(
        `${own + ownReserved} sessions of this tenant are open and ${count} more were asked for`,
        tenantMax,
      );
    this.#reserved.set(tenant, ownReserved + count);
    const filled = fill();
    this.#opening.add(filled);
    try {
      return await filled;
    } finally {
      this.#opening.delete(filled);
      const left = (this.#reserved.get(tenant) ?? 0) - count;
      if (left > 0) this.#reserved.set(tenant, left);
      else this.#reserved.delete(tenant);
    }
  }

  async #openSandbox(
    engine: Engine & Required<Pick<Engine, "openSession">>,
    { entry, program, imports, env, files, limits }: SessionSandboxSpec,
    signal: AbortSignal | undefined,
  ): Promise<SessionSandbox> {
    const opening = engine.openSession({ entry, program, imports, env, files, limits });
    try {
      const sandbox = await inTime(opening, OPEN_MS_MAX, "open_silent", signal);
      return sandbox;
    } catch (error) {
      // One that comes too late belongs to nobody.
      void opening.then(
        (late) => late.close(),
        () => undefined,
      );
      const fault = error instanceof SandboxFault ? error : new SandboxFault("open_failed", String(error));
      if (signal?.aborted !== true) this.#faultOf(engine.name, fault);
      throw new SandboxError("engine_unavailable", `no session could be opened: ${fault.message}`, {
        retryAfterMs: FULL_RETRY_MS,
        cause: error,
      });
    }
  }

  /** @throws SandboxError `invalid_call` for a runtime without sessions. */
  #engineOf(runtime: Runtime): Engine & Required<Pick<Engine, "openSession">> {
    const engine = this.#options.engines.get(runtime.engine);
    if (engine === undefined)
      throw new SandboxError("engine_unavailable", `there is no ${runtime.engine} engine here`);
    if (runtime.sessions !== null && hasSessions(engine)) return engine;
    const those = Object.values(this.#options.runtimes).filter(({ sessions }) => sessions !== null);
    throw new SandboxError(
      "invalid_call",
      `runtime ${runtime.id} has no sessions; those that have are ${those.map(({ id }) => id).join(", ")}`,
      { path: "/runtime" },
    );
  }

  #deadlines(spec: Pick<SessionSpec, "idle_ms" | "total_ms">, usual?: Deadlines): Deadlines {
    const { idleMs, totalMs } = this.#options.bounds;
    return {
      idleMs: decideDeadline("idle_ms", spec.idle_ms, usual?.idleMs ?? idleMs.default, idleMs.ceiling),
      totalMs: decideDeadline("total_ms", spec.total_ms, usual?.totalMs ?? totalMs.default, totalMs.ceiling),
    };
  }

  #fault(runtime: RuntimeId, fault: SandboxFault): void {
    this.#faultOf(this.#options.runtimes[runtime]?.engine ?? "", fault);
  }

  #faultOf(engine: string, fault: SandboxFault): void {
    this.#options.observer.fault(engine, fault.kind);
    this.#options.onFault?.(engine, fault);
  }
}

function hasSessions(engine: Engine): engine is Engine & Required<Pick<Engine, "openSession">> {
  return engine.openSession !== undefined;
}

function keyOf(tenant: string, id: string): string {
  return `${tenant}\0${id}`;
}

function full(what: string, most: number): SandboxError {
  return new SandboxError("sessions_full", `${what}, the most is ${most}`, { retryAfterMs: FULL_RETRY_MS });
}

/** @throws SandboxError `limit_above_ceiling` */
function decideDeadline(name: string, asked: number | undefined, usual: number, ceiling: number): number {
  if (asked === undefined) return usual;
  if (asked > ceiling)
    throw new SandboxError(
      "limit_above_ceiling",
      `${name} is ${asked}, the most this service allows is ${ceiling}`,
      { path: `/${name}` },
    );
  return asked;
}
