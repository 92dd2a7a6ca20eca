/**
 * One session: calls and forks take turns in it, each after those that came before.
 *
 * Invariants: at most one call or fork is in the sandbox; a call that had its turn has exactly one Result; once the
 * interpreter is lost or the session closed, nothing has a turn any more, and the sandbox is closed exactly once.
 */
import { SandboxError } from "../contract/errors.ts";
import type { Limits } from "../contract/limits.ts";
import type { Result } from "../contract/result.ts";
import type { RuntimeId } from "../contract/call.ts";
import type { ForkSpec, Session, SessionCall, SessionDescription } from "../contract/session.ts";
import type { AcceptedCall } from "./accept.ts";
import { conclude, concludeWithoutRun, type Times } from "./conclude.ts";
import type { CallObserver, SessionEnd } from "./observer.ts";
import { answerInTime, inTime } from "./patience.ts";
import { type Evidence, ForkRefused, SandboxFault, type SessionSandbox } from "./ports.ts";
import type { Turnstile } from "./turnstile.ts";

/** How long the forks of a session may take to be there. */
const FORK_MS_MAX = 60_000;
const CLOSE_MS_MAX = 10_000;
/** When a caller whom a busy session refused may come again. */
const BUSY_RETRY_MS = 1_000;

export interface Deadlines {
  /** Milliseconds without a call. */
  readonly idleMs: number;
  /** Milliseconds from the opening. */
  readonly totalMs: number;
}

/** What a session is made with; a fork takes over what is not its own. */
export interface SessionParts {
  readonly id: string;
  readonly tenant: string;
  readonly runtime: RuntimeId;
  /** Whether its calls are the parts of one program. */
  readonly program: boolean;
  readonly limits: Limits;
  readonly parent: string | null;
  /** Calls before its fork. */
  readonly calls: number;
  readonly deadlines: Deadlines;
}

/** What all sessions share. */
export interface SessionHouse {
  readonly now: () => number;
  readonly observer: CallObserver;
  /** Bounds the calls of sessions that run at once, over all sessions. */
  readonly turnstile: Turnstile;
  /** Calls and forks that may wait in one session. */
  readonly waitingMax: number;
  /** Decides a call fully. @throws SandboxError */
  readonly accept: (parts: SessionParts, call: SessionCall) => AcceptedCall;
  /** Makes places for forks and fills them. @throws SandboxError */
  readonly fork: (session: LiveSession, spec: ForkSpec) => Promise<readonly Session[]>;
  readonly onFault: (runtime: RuntimeId, fault: SandboxFault) => void;
  /** Called once, when the session is no more. */
  readonly onEnd: (session: LiveSession) => void;
}

type Ending = { readonly why: SessionEnd; readonly detail: string };

export class LiveSession implements Session {
  readonly id: string;
  readonly parts: SessionParts;
  readonly #house: SessionHouse;
  /** Null once it is closed: a session that ended is remembered for long, and a sandbox holds much. */
  #sandbox: SessionSandbox | null;
  readonly #openedMs: number;
  #usedMs: number;
  readonly #closing = new AbortController();
  readonly #totalTimer: NodeJS.Timeout;
  #idleTimer: NodeJS.Timeout | undefined;
  /** Settles when those who came so far have had their turn. */
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #busy = false;
  #calls: number;
  #ending: Ending | null = null;
  #ended: Promise<void> | null = null;

  constructor(parts: SessionParts, sandbox: SessionSandbox, house: SessionHouse) {
    this.id = parts.id;
    this.parts = parts;
    this.#sandbox = sandbox;
    this.#house = house;
    this.#openedMs = house.now();
    this.#usedMs = this.#openedMs;
    this.#calls = parts.calls;
    this.#totalTimer = setTimeout(
      () => void this.end("total", `its total_ms of ${parts.deadlines.totalMs} passed`),
      parts.deadlines.totalMs,
    );
    this.#totalTimer.unref();
    this.#restartIdle();
    void sandbox.lost.then((fault) => {
      if (this.#ending === null) house.onFault(parts.runtime, fault);
      void this.end("lost", `its sandbox failed: ${fault.message}`);
    });
  }

  async execute(call: SessionCall, { signal }: { readonly signal?: AbortSignal } = {}): Promise<Result> {
    this.#assertOpen();
    const accepted = this.#house.accept(this.parts, call);
    const acceptedMs = this.#house.now();
    const given = new GivenUp(signal, accepted.deadlineMs, this.#closing.signal);
    try {
      return await this.#inTurn(
        given.signal,
        () => this.#carryOut(accepted, given, acceptedMs),
        () => this.#neverRun(accepted, given, acceptedMs),
      );
    } finally {
      given.clear();
    }
  }

  async fork(spec: ForkSpec = {}): Promise<readonly Session[]> {
    this.#assertOpen();
    return this.#inTurn(
      this.#closing.signal,
      () => this.#house.fork(this, spec),
      () => this.#refuse(),
    );
  }

  /** To be called in a turn only. @throws SandboxError `fork_failed` */
  async forkSandbox(count: number, reseed: boolean): Promise<readonly SessionSandbox[]> {
    const forking = (this.#sandbox ?? this.#refuse()).fork({ count, reseed });
    try {
      return await inTime(forking, FORK_MS_MAX, "fork_silent");
    } catch (error) {
      // Those that come too late belong to nobody.
      void forking.then(
        (late) => Promise.all(late.map((sandbox) => sandbox.close())),
        () => undefined,
      );
      if (error instanceof ForkRefused) throw new SandboxError("fork_failed", error.message);
      const fault = this.#fault(error);
      throw new SandboxError("fork_failed", `the session is lost: ${fault.message}`, { cause: error });
    }
  }

  async describe(): Promise<SessionDescription> {
    const { runtime, parent, limits, deadlines } = this.parts;
    const nowMs = this.#house.now();
    return {
      id: this.id,
      runtime,
      state:
        this.#ending !== null
          ? this.#ending.why === "lost"
            ? "lost"
            : "closed"
          : this.#busy
            ? "busy"
            : "idle",
      detail: this.#ending?.detail ?? null,
      parent,
      calls: this.#calls,
      waiting: this.#waiting,
      limits,
      idle_ms: deadlines.idleMs,
      total_ms: deadlines.totalMs,
      age_ms: Math.round(nowMs - this.#openedMs),
      unused_ms: this.#busy ? 0 : Math.round(nowMs - this.#usedMs),
    };
  }

  close(): Promise<void> {
    return this.end("closed", "its caller closed it");
  }

  get calls(): number {
    return this.#calls;
  }

  get ended(): boolean {
    return this.#ending !== null;
  }

  /** Settles when those who came so far have had their turn. */
  get quiet(): Promise<unknown> {
    return this.#last;
  }

  /** Ends the session, once; settles when its sandbox is gone. */
  end(why: SessionEnd, detail: string): Promise<void> {
    if (this.#ended !== null) return this.#ended;
    this.#ending = { why, detail };
    clearTimeout(this.#totalTimer);
    clearTimeout(this.#idleTimer);
    this.#closing.abort();
    this.#ended = this.#discard();
    this.#house.observer.sessionEnded(this.parts.runtime, why);
    this.#house.onEnd(this);
    return this.#ended;
  }

  /** The call that runs is given up first, so that it has its own Result. */
  async #discard(): Promise<void> {
    await this.#last.catch(() => undefined);
    try {
      if (this.#sandbox !== null) await inTime(this.#sandbox.close(), CLOSE_MS_MAX, "close_silent");
    } catch (error) {
      this.#fault(error);
    } finally {
      this.#sandbox = null;
    }
  }

  /** @throws SandboxError `session_lost` or `session_closed` */
  #assertOpen(): void {
    if (this.#ending !== null) this.#refuse();
  }

  #refuse(): never {
    const { why, detail } = this.#ending ?? { why: "closed", detail: "it ends" };
    throw new SandboxError(
      why === "lost" ? "session_lost" : "session_closed",
      `the session ${this.id} is ${why === "lost" ? "lost" : "closed"}: ${detail}`,
    );
  }

  /** Does the work when those who came before are done, or, when the signal aborts before that, the other. */
  async #inTurn<T>(signal: AbortSignal, work: () => Promise<T>, giveUp: () => T): Promise<T> {
    const { waitingMax } = this.#house;
    if (this.#waiting >= waitingMax)
      throw new SandboxError(
        "session_busy",
        `${this.#waiting} calls wait in this session, the most is ${waitingMax}`,
        { retryAfterMs: BUSY_RETRY_MS },
      );
    const before = this.#last;
    const turn = Promise.withResolvers<void>();
    this.#last = before.then(() => turn.promise);
    this.#waiting++;
    clearTimeout(this.#idleTimer);
    const came = await orAborted(before, signal);
    this.#waiting--;
    try {
      if (!came) return giveUp();
      this.#busy = true;
      this.#assertOpen();
      return await work();
    } finally {
      if (came) {
        this.#busy = false;
        this.#usedMs = this.#house.now();
      }
      turn.resolve();
      if (this.#waiting === 0 && !this.#busy) this.#restartIdle();
    }
  }

  async #carryOut(call: AcceptedCall, given: GivenUp, acceptedMs: number): Promise<Result> {
    const { observer, turnstile, now } = this.#house;
    if (!(await turnstile.enter(given.signal))) return this.#neverRun(call, given, acceptedMs);
    try {
      const times = { acceptedMs, grantedMs: now() };
      observer.accepted(call.runtime.id);
      observer.granted(call.runtime.id, times.grantedMs - acceptedMs);
      const result = await this.#run(call, given, times);
      observer.concluded(call.runtime.id, result);
      return result;
    } finally {
      turnstile.leave();
    }
  }

  /** @throws SandboxError when it was given up because the session is no more. */
  #neverRun(call: AcceptedCall, given: GivenUp, acceptedMs: number): Result {
    this.#assertOpen();
    const { observer, now } = this.#house;
    const times = { acceptedMs, grantedMs: now() };
    observer.accepted(call.runtime.id);
    const result = this.#told(
      concludeWithoutRun(call, "cancelled", given.detail("before it started"), times),
      true,
    );
    observer.concluded(call.runtime.id, result);
    return result;
  }

  async #run(call: AcceptedCall, given: GivenUp, times: Times): Promise<Result> {
    this.#calls++;
    try {
      const evidence = await answerInTime(this.#sandbox ?? this.#refuse(), call.spec, given.signal);
      const result = conclude(call, evidence, times);
      if (!evidence.kept) {
        const why = this.parts.program ? "closed" : "lost";
        const what = this.parts.program ? "its program" : "its interpreter";
        void this.end(why, `${what} ended: ${howItEnded(evidence, result)}`);
      }
      return this.#told(
        result.outcome === "cancelled" ? { ...result, detail: given.detail("while it ran") } : result,
        evidence.kept,
      );
    } catch (error) {
      const fault = this.#fault(error);
      const detail = `the sandbox failed (${fault.kind}): ${fault.message}`;
      return this.#told(concludeWithoutRun(call, "sandbox_failed", detail, times), false);
    }
  }

  #told(result: Result, kept: boolean): Result {
    return { ...result, session: { id: this.id, state: kept && this.#ending === null ? "kept" : "lost" } };
  }

  /** A sandbox that failed takes the session with it. */
  #fault(error: unknown): SandboxFault {
    const fault =
      error instanceof SandboxFault ? error : new SandboxFault("engine_bug", String(error), { cause: error });
    this.#house.onFault(this.parts.runtime, fault);
    void this.end("lost", `its sandbox failed: ${fault.message}`);
    return fault;
  }

  #restartIdle(): void {
    clearTimeout(this.#idleTimer);
    if (this.#ending !== null) return;
    const { idleMs } = this.parts.deadlines;
    this.#idleTimer = setTimeout(
      () => void this.end("idle", `its idle_ms of ${idleMs} passed without a call`),
      idleMs,
    );
    this.#idleTimer.unref();
  }
}

/** Why a call is given up: the first of its caller's going, its deadline, and the session's end. */
class GivenUp {
  readonly signal: AbortSignal;
  readonly #deadline = new AbortController();
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #caller: AbortSignal | undefined;

  constructor(caller: AbortSignal | undefined, deadlineMs: number | null, closing: AbortSignal) {
    this.#caller = caller;
    if (deadlineMs !== null) this.#timer = setTimeout(() => this.#deadline.abort(), deadlineMs);
    this.signal = AbortSignal.any([
      closing,
      ...(caller === undefined ? [] : [caller]),
      ...(deadlineMs === null ? [] : [this.#deadline.signal]),
    ]);
  }

  detail(when: string): string {
    if (this.#caller?.aborted === true) return `the call was given up by its caller ${when}`;
    return this.#deadline.signal.aborted
      ? `the call's deadline_ms passed ${when}`
      : `the session was closed ${when}`;
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}

function howItEnded({ exitCode, signal }: Evidence, { outcome, signal: name }: Result): string {
  if (outcome !== "completed" && outcome !== "failed" && outcome !== "signaled") return outcome;
  return signal === null ? `exit code ${exitCode}` : `signal ${name}`;
}

/** Whether the promise settled before the signal aborted. */
async function orAborted(promise: Promise<unknown>, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return false;
  const aborted = Promise.withResolvers<false>();
  const abort = (): void => aborted.resolve(false);
  signal.addEventListener("abort", abort, { once: true });
  const settled = await Promise.race([promise.then(() => true), aborted.promise]);
  signal.removeEventListener("abort", abort);
  return settled;
}
