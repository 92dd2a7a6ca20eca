/** The Executor of a front: everything is asked of the core process, which has the queue, the slots and the sessions. */
import type { Call } from "../contract/call.ts";
import type { Description } from "../contract/description.ts";
import { SandboxError } from "../contract/errors.ts";
import type { BatchItem, ExecuteOptions, Executor } from "../contract/executor.ts";
import type { Result } from "../contract/result.ts";
import type {
  ForkSpec,
  Session,
  SessionCall,
  SessionDescription,
  SessionOptions,
  SessionSpec,
} from "../contract/session.ts";
import { AsReady } from "../core/as-ready.ts";
import { LONG_TEXT, type Channel } from "./channel.ts";
import { type CoreAsks, type FrontAsks, ofTenant, type SessionName } from "./questions.ts";

export type ToCore = Channel<FrontAsks, CoreAsks>;

/** What may wait for a core process that is behind; with more, calls are refused. Bytes. */
const WAITING_BYTES_MAX = 256 << 20;
const RETRY_AFTER_MS = 1000;

/** Whether the texts of a call, or of some calls on the average, are long. */
function isLong(calls: readonly Pick<Call, "source" | "stdin" | "files">[]): boolean {
  let length = 0;
  for (const { source, stdin = "", files } of calls) {
    if (files !== undefined) return true;
    length += source.length + stdin.length;
  }
  return length > LONG_TEXT * calls.length;
}

const withSignal = ({ signal }: Pick<SessionOptions, "signal">) => (signal === undefined ? {} : { signal });

/** @throws SandboxError `queue_full` */
function refuseWhenBehind(core: ToCore): void {
  if (core.waitingBytes > WAITING_BYTES_MAX)
    throw new SandboxError("queue_full", "the service is behind with what it was sent", {
      retryAfterMs: RETRY_AFTER_MS,
    });
}

export class RemoteExecutor implements Executor {
  readonly #core: ToCore;

  constructor(core: ToCore) {
    this.#core = core;
  }

  async execute(call: Call, options: ExecuteOptions = {}): Promise<Result> {
    refuseWhenBehind(this.#core);
    return this.#core.ask(
      "execute",
      { ...ofTenant(options), call },
      { ...withSignal(options), isLong: isLong([call]) },
    );
  }

  async executeBatch(
    calls: readonly Call[],
    options: ExecuteOptions = {},
  ): Promise<AsyncIterable<BatchItem>> {
    refuseWhenBehind(this.#core);
    // A consumer that stops reading gives up what it has not read.
    const stopped = new AbortController();
    const signal =
      options.signal === undefined ? stopped.signal : AbortSignal.any([options.signal, stopped.signal]);
    const ready = new AsReady(calls.length, () => stopped.abort());
    const accepted = Promise.withResolvers<AsyncIterable<BatchItem>>();
    const onPart = (part: "accepted" | BatchItem): void => {
      if (part === "accepted") accepted.resolve(ready);
      else ready.add(part);
    };
    this.#core
      .ask("executeBatch", { ...ofTenant(options), calls }, { signal, onPart, isLong: isLong(calls) })
      .catch((error: unknown) => {
        accepted.reject(error);
        ready.fail(error as Error);
      });
    return accepted.promise;
  }

  async openSession(spec: SessionSpec, options: SessionOptions = {}): Promise<Session> {
    refuseWhenBehind(this.#core);
    const tenant = ofTenant(options);
    const place = await this.#core.ask("openSession", { ...tenant, spec }, withSignal(options));
    return new RemoteSession(this.#core, { ...tenant, ...place });
  }

  async findSession(id: string, options: SessionOptions = {}): Promise<Session> {
    const tenant = ofTenant(options);
    return new RemoteSession(this.#core, {
      ...tenant,
      ...(await this.#core.ask("findSession", { ...tenant, id })),
    });
  }

  listSessions(options: SessionOptions = {}): Promise<readonly SessionDescription[]> {
    return this.#core.ask("listSessions", ofTenant(options));
  }

  describe(): Promise<Description> {
    return this.#core.ask("describe", null);
  }

  /** Sends what was to be sent; the queue and the slots stay, they are the core process's. */
  async close(): Promise<void> {
    this.#core.close();
  }
}

/** A session of the core process; another one that has its id later is not this one. */
class RemoteSession implements Session {
  readonly #core: ToCore;
  readonly #name: SessionName;

  constructor(core: ToCore, name: SessionName) {
    this.#core = core;
    this.#name = name;
  }

  get id(): string {
    return this.#name.id;
  }

  async execute(call: SessionCall, options: Pick<SessionOptions, "signal"> = {}): Promise<Result> {
    refuseWhenBehind(this.#core);
    return this.#core.ask(
      "executeInSession",
      { ...this.#name, call },
      { ...withSignal(options), isLong: isLong([call]) },
    );
  }

  async fork(spec: ForkSpec = {}): Promise<readonly Session[]> {
    const places = await this.#core.ask("forkSession", { ...this.#name, spec });
    return places.map((place) => new RemoteSession(this.#core, { ...this.#name, ...place }));
  }

  describe(): Promise<SessionDescription> {
    return this.#core.ask("describeSession", this.#name);
  }

  async close(): Promise<void> {
    // It ends with the core process, too.
    await this.#core.ask("closeSession", this.#name).catch(() => undefined);
  }
}
