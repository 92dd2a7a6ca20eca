/**
 * The Executor that runs calls on this machine: what an embedding program imports and what the server wraps.
 *
 * Every accepted call becomes a ticket; a ticket settles once. Between acceptance and Result stand a queue with
 * bounds and a pool of slots; which engine a pool has is not known here.
 */
import type { Call } from "../contract/call.ts";
import type { Description, EngineDescription } from "../contract/description.ts";
import { SandboxError } from "../contract/errors.ts";
import type { BatchItem, ExecuteOptions, Executor } from "../contract/executor.ts";
import type { LimitPolicy } from "../contract/limits.ts";
import type { Result } from "../contract/result.ts";
import type { Session, SessionDescription, SessionOptions, SessionSpec } from "../contract/session.ts";
import type { Runtime } from "../contract/runtime.ts";
import { acceptCall, type AcceptedCall } from "./accept.ts";
import { admit, type QueueBounds } from "./admission.ts";
import { AsReady } from "./as-ready.ts";
import { CallTicket } from "./call-ticket.ts";
import { CompiledPrograms } from "./compiled.ts";
import { concludeWithoutRun } from "./conclude.ts";
import { Departure, type Flight, InFlight, waitFor } from "./in-flight.ts";
import type { CallObserver, Observed } from "./observer.ts";
import { Pool } from "./pool.ts";
import type { Engine, SandboxFault } from "./ports.ts";
import { type SessionBounds, Sessions, type SessionShape } from "./sessions.ts";

export interface LocalExecutorOptions {
  readonly engines: readonly Engine[];
  readonly runtimes: readonly Runtime[];
  readonly limits: LimitPolicy;
  readonly queue: QueueBounds;
  readonly sessions: SessionBounds;
  /** Programs of compiled languages that are kept for the next call of the same source. Bytes. */
  readonly compiledBytesMax: number;
  readonly observer: CallObserver;
  readonly version: string;
  /** Version of a runtime's language, once its engine has started. */
  readonly runtimeVersion: (runtime: Runtime) => string;
  /** Milliseconds on a clock that never steps back. */
  readonly now: () => number;
  readonly newId: () => string;
  /** Checks the shape of a call where no schema has done so before. Default: none. */
  readonly checkShape?: (call: unknown, pointer: string) => void;
  /** The same for what sessions take. */
  readonly checkSessionShape?: (shape: SessionShape, value: unknown) => void;
  /** Told of every sandbox that failed, with the words that a log needs. */
  readonly onFault?: (engine: string, fault: SandboxFault) => void;
}

const ANONYMOUS = "anonymous";

export class LocalExecutor implements Executor {
  readonly #options: LocalExecutorOptions;
  readonly #pools: ReadonlyMap<string, Pool>;
  readonly #runtimes: Readonly<Record<string, Runtime>>;
  readonly #inFlight = new InFlight();
  readonly #sessions: Sessions;
  readonly #tickets = new Set<CallTicket>();
  #started = false;
  #draining = false;
  #closing: Promise<void> | null = null;

  constructor(options: LocalExecutorOptions) {
    this.#options = options;
    this.#runtimes = Object.fromEntries(options.runtimes.map((runtime) => [runtime.id, runtime]));
    const programs = new CompiledPrograms(options.compiledBytesMax);
    this.#pools = new Map(
      options.engines.map((engine) => [
        engine.name,
        new Pool({
          engine,
          observer: options.observer,
          now: options.now,
          programs,
          ...(options.onFault === undefined ? {} : { onFault: options.onFault }),
        }),
      ]),
    );
    this.#sessions = new Sessions({
      bounds: options.sessions,
      engines: new Map(options.engines.map((engine) => [engine.name, engine])),
      runtimes: Object.fromEntries(options.runtimes.map((runtime) => [runtime.id, inSession(runtime)])),
      limits: options.limits,
      observer: options.observer,
      now: options.now,
      newId: options.newId,
      ...(options.checkSessionShape === undefined ? {} : { checkShape: options.checkSessionShape }),
      ...(options.onFault === undefined ? {} : { onFault: options.onFault }),
    });
    options.observer.watch(() => this.observed());
  }

  /** Starts the engines; rejects when one cannot be started, saying what is missing. */
  async start(): Promise<void> {
    await Promise.all([...this.#pools.values()].map((pool) => pool.start()));
    this.#started = true;
  }

  /** Whether calls are taken and can be carried out. */
  ready(): boolean {
    return this.#started && !this.#draining && [...this.#pools.values()].every((pool) => pool.available);
  }

  async execute(call: Call, options: ExecuteOptions = {}): Promise<Result> {
    const tenant = options.tenant ?? ANONYMOUS;
    const [flight] = this.#refusing(1, () => this.#enter([call], tenant, () => "")) as [Flight];
    const departure = new Departure(options.signal);
    try {
      return await this.#answer(flight, departure);
    } finally {
      departure.go();
    }
  }

  async executeBatch(
    calls: readonly Call[],
    options: ExecuteOptions = {},
  ): Promise<AsyncIterable<BatchItem>> {
    const tenant = options.tenant ?? ANONYMOUS;
    const flights = this.#refusing(calls.length, () => {
      checkBatch(calls, this.#options.queue.batchCallsMax);
      return this.#enter(calls, tenant, (index) => `/calls/${index}`);
    });
    const departure = new Departure(options.signal);
    // A consumer that stops reading gives up what it has not read.
    const ready = new AsReady(flights.length, () => departure.go());
    for (const [index, flight] of flights.entries())
      void this.#answer(flight, departure).then((result) => ready.add({ index, result }));
    return ready;
  }

  async openSession(spec: SessionSpec, options: SessionOptions = {}): Promise<Session> {
    if (this.#draining) refuseDraining();
    return this.#sessions.open(spec, options.tenant ?? ANONYMOUS, options.signal);
  }

  async findSession(id: string, { tenant = ANONYMOUS }: SessionOptions = {}): Promise<Session> {
    return this.#sessions.find(id, tenant);
  }

  listSessions({ tenant = ANONYMOUS }: SessionOptions = {}): Promise<readonly SessionDescription[]> {
    return this.#sessions.list(tenant);
  }

  async describe(): Promise<Description> {
    const { limits, queue, runtimes, version, engines, sessions } = this.#options;
    return {
      service: "rollcall",
      version,
      runtimes: runtimes.map((runtime) => ({
        id: runtime.id,
        version: this.#options.runtimeVersion(runtime),
        engine: runtime.engine,
        modes: [...runtime.modes],
        sessions: runtime.sessions !== null,
      })),
      engines: engines.map((engine): EngineDescription => engine.describe()),
      limits: { default: limits.default, ceiling: limits.ceiling },
      queue: { calls_max: queue.callsMax, bytes_max: queue.bytesMax, batch_calls_max: queue.batchCallsMax },
      sessions: { max: sessions.max, idle_ms: { ...sessions.idleMs }, total_ms: { ...sessions.totalMs } },
    };
  }

  observed(): Observed {
    const pools = [...this.#pools.values()];
    return {
      queuedCalls: pools.reduce((sum, pool) => sum + pool.queue.length, 0),
      queuedBytes: pools.reduce((sum, pool) => sum + pool.queue.bytes, 0),
      runningCalls: pools.reduce((sum, pool) => sum + pool.running, 0) + this.#sessions.running,
      slots: pools.flatMap((pool) =>
        [...pool.slotCounts()].map(([state, count]) => ({ engine: pool.engineName, state, count })),
      ),
      tiers: this.#options.engines.map((engine) => ({ engine: engine.name, tier: engine.describe().tier })),
      sessions: this.#sessions.counts(),
    };
  }

  /** Takes no more calls and waits for those in flight; after `timeoutMs` they are given up. */
  async drain(timeoutMs: number): Promise<void> {
    this.#draining = true;
    const timer = setTimeout(() => {
      for (const ticket of this.#tickets) ticket.giveUp("shutdown");
      this.#sessions.end();
    }, timeoutMs);
    await Promise.all([...[...this.#tickets].map((ticket) => ticket.result), this.#sessions.close()]);
    clearTimeout(timer);
  }

  close(): Promise<void> {
    this.#draining = true;
    this.#closing ??= this.#finish();
    return this.#closing;
  }

  async #finish(): Promise<void> {
    await Promise.all([...[...this.#tickets].map((ticket) => ticket.result), this.#sessions.close()]);
    await Promise.all([...this.#pools.values()].map((pool) => pool.close()));
  }

  /** Accepts and admits all of the calls or none. */
  #enter(calls: readonly Call[], tenant: string, pointerOf: (index: number) => string): Flight[] {
    if (this.#draining) refuseDraining();
    const { limits, newId, queue, now } = this.#options;
    const { checkShape } = this.#options;
    if (checkShape !== undefined)
      for (const [index, call] of calls.entries()) checkShape(call, pointerOf(index));
    const known = calls.map((call, index) => this.#inFlight.find(tenant, call, pointerOf(index)));
    const accepted = calls.map((call, index) =>
      known[index] === null
        ? acceptCall(call, { runtimes: this.#runtimes, limits, newId }, pointerOf(index))
        : null,
    );
    const fresh = accepted.filter((call) => call !== null);
    admit(fresh, [...this.#pools.values()], (call) => this.#poolOf(call), queue);
    return calls.map(
      (call, index) => known[index] ?? this.#launch(call, accepted[index] as AcceptedCall, tenant, now()),
    );
  }

  #launch(call: Call, accepted: AcceptedCall, tenant: string, acceptedMs: number): Flight {
    const ticket = new CallTicket(accepted, tenant, acceptedMs);
    const flight = this.#inFlight.enter(tenant, call, ticket);
    const { observer } = this.#options;
    observer.accepted(accepted.runtime.id);
    this.#tickets.add(ticket);
    const deadline =
      accepted.deadlineMs === null
        ? undefined
        : setTimeout(() => ticket.giveUp("deadline"), accepted.deadlineMs);
    void ticket.result.then((result) => {
      clearTimeout(deadline);
      this.#tickets.delete(ticket);
      observer.concluded(accepted.runtime.id, result);
    });
    this.#poolOf(accepted).submit(ticket);
    return flight;
  }

  #poolOf(call: AcceptedCall): Pool {
    const pool = this.#pools.get(call.runtime.engine);
    if (pool === undefined)
      throw new SandboxError(
        "engine_unavailable",
        `there is no ${call.runtime.engine} engine here for runtime ${call.runtime.id}`,
      );
    return pool;
  }

  #answer(flight: Flight, departure: Departure): Promise<Result> {
    return waitFor(flight, departure, () =>
      concludeWithoutRun(
        flight.ticket.call,
        "cancelled",
        "this caller gave up; the call goes on for others",
        flight.ticket,
      ),
    );
  }

  #refusing<T>(calls: number, enter: () => T): T {
    try {
      return enter();
    } catch (error) {
      if (error instanceof SandboxError) this.#options.observer.refused(error.code, calls);
      throw error;
    }
  }
}

function refuseDraining(): never {
  throw new SandboxError("draining", "the service is shutting down", { retryAfterMs: 1000 });
}

/** How calls of a runtime are carried out in its sessions, where it has any. */
function inSession(runtime: Runtime): Runtime {
  if (runtime.sessions === null) return runtime;
  return { ...runtime, ...runtime.sessions, modes: ["script", "cell"] };
}

/** @throws SandboxError for what can be wrong with a batch beside its calls. */
function checkBatch(calls: readonly Call[], callsMax: number): void {
  if (calls.length === 0)
    throw new SandboxError("invalid_call", "a batch has at least one call", { path: "/calls" });
  if (calls.length > callsMax)
    throw new SandboxError("batch_too_long", `${calls.length} calls, the most in one batch is ${callsMax}`, {
      path: "/calls",
    });
  const first = new Map<string, number>();
  for (const [index, { id }] of calls.entries()) {
    if (id === undefined) continue;
    const earlier = first.get(id);
    if (earlier !== undefined)
      throw new SandboxError(
        "duplicate_id",
        `calls ${earlier} and ${index} have the same id ${JSON.stringify(id)}`,
        { path: `/calls/${index}/id` },
      );
    first.set(id, index);
  }
}
