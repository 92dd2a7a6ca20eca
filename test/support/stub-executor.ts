/**
 * An Executor without sandboxes. A call's source says what becomes of it: `throw <code>` is refused with that
 * SandboxError, `crash` throws what no executor should, `never` waits for its signal, `hold` waits for
 * `release()`, `outcome <name>` ends with that outcome, anything else completes at once with the source as its output.
 */
import type { Call } from "../../src/contract/call.ts";
import type { Description } from "../../src/contract/description.ts";
import { SandboxError, type ErrorCode } from "../../src/contract/errors.ts";
import type { BatchItem, ExecuteOptions, Executor } from "../../src/contract/executor.ts";
import { DEFAULT_LIMIT_POLICY } from "../../src/contract/limits.ts";
import type { Outcome } from "../../src/contract/outcome.ts";
import type { Result } from "../../src/contract/result.ts";
import type { Session, SessionSpec } from "../../src/contract/session.ts";
import { resultOf } from "./result.ts";

const EXIT_CODE: Partial<Record<Outcome, number>> = {
  completed: 0,
  failed: 1,
  compile_failed: 1,
  process_limit: 1,
  disk_limit: 1,
};
const SIGNAL: Partial<Record<Outcome, string>> = {
  signaled: "SIGSEGV",
  wall_limit: "SIGKILL",
  cpu_limit: "SIGKILL",
  memory_limit: "SIGKILL",
  output_limit: "SIGKILL",
};

export function stubResult(call: Call, outcome: Outcome = "completed"): Result {
  return resultOf({
    id: call.id ?? "stub",
    outcome,
    exit_code: EXIT_CODE[outcome] ?? null,
    signal: SIGNAL[outcome] ?? null,
    stdout: call.source,
  });
}

export const STUB_DESCRIPTION: Description = {
  service: "rollcall",
  version: "0.0.0",
  runtimes: [{ id: "python", version: "3", engine: "stub", modes: ["script"], sessions: true }],
  engines: [
    {
      engine: "stub",
      tier: "none",
      layers: [{ name: "nothing", state: "absent", detail: "a stub" }],
      slots: 1,
      detail: { kind: "stub" },
    },
  ],
  limits: DEFAULT_LIMIT_POLICY,
  queue: { calls_max: 10, bytes_max: 10, batch_calls_max: 10 },
  sessions: {
    max: 10,
    idle_ms: { default: 1000, ceiling: 1000 },
    total_ms: { default: 1000, ceiling: 1000 },
  },
};

export interface StubExecutor extends Executor {
  /** Every call that was asked for, with its tenant. */
  readonly seen: { readonly call: Call; readonly tenant: string | undefined }[];
  /** Ids of calls whose signal aborted. */
  readonly cancelled: string[];
  /** Lets all calls on hold go. */
  release(): void;
  /** Resolves when `count` calls were asked for. */
  arrived(count: number): Promise<void>;
  /** Resolves when `count` calls were cancelled. */
  cancellations(count: number): Promise<void>;
  readonly closed: boolean;
}

function refusal(call: Call, index: number | null): Error | null {
  if (call.source === "crash") return new TypeError("secret inner detail");
  if (!call.source.startsWith("throw ")) return null;
  const code = call.source.slice(6) as ErrorCode;
  const path = `${index === null ? "" : `/calls/${index}`}/source`;
  return new SandboxError(
    code,
    `stub says ${code}`,
    code === "queue_full" ? { path, retryAfterMs: 1200 } : { path },
  );
}

/** Items in the order in which they settle. */
async function* asReady(pending: Map<number, Promise<BatchItem>>): AsyncGenerator<BatchItem> {
  while (pending.size > 0) {
    const item = await Promise.race(pending.values());
    pending.delete(item.index);
    yield item;
  }
}

export function createStubExecutor(): StubExecutor {
  const seen: StubExecutor["seen"] = [];
  const cancelled: string[] = [];
  const held: (() => void)[] = [];
  const waiters: (() => void)[] = [];
  let closed = false;
  const changed = (): void => {
    for (const wake of waiters.splice(0)) wake();
  };
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await new Promise<void>((resolve) => waiters.push(resolve));
  };

  const run = (call: Call, options: ExecuteOptions): Promise<Result> => {
    seen.push({ call, tenant: options.tenant });
    changed();
    const outcome = /^outcome (\w+)$/.exec(call.source)?.[1] as Outcome | undefined;
    if (call.source !== "never" && call.source !== "hold") return Promise.resolve(stubResult(call, outcome));
    return new Promise((resolve) => {
      const cancel = (): void => {
        cancelled.push(call.id ?? "stub");
        changed();
        resolve(stubResult(call, "cancelled"));
      };
      if (options.signal?.aborted) cancel();
      else options.signal?.addEventListener("abort", cancel, { once: true });
      if (call.source === "hold") held.push(() => resolve(stubResult(call)));
    });
  };

  const sessions = new Map<string, Session>();
  const openSession = (spec: SessionSpec, tenant: string | undefined, parent: string | null): Session => {
    const id = spec.id ?? `stub-session-${sessions.size}`;
    const key = `${tenant}/${id}`;
    const asCall = (call: { source: string }): Call => ({ ...call, runtime: spec.runtime });
    const session: Session = {
      id,
      async execute(call, options = {}) {
        const refused = refusal(asCall(call), null);
        if (refused !== null) throw refused;
        const result = await run(asCall(call), { ...options, ...(tenant === undefined ? {} : { tenant }) });
        return { ...result, session: { id, state: "kept" } };
      },
      fork: async ({ count = 1 } = {}) =>
        Array.from({ length: count }, () => openSession({ runtime: spec.runtime }, tenant, id)),
      describe: async () => ({
        id,
        runtime: spec.runtime,
        state: "idle",
        detail: null,
        parent,
        calls: 0,
        waiting: 0,
        limits: DEFAULT_LIMIT_POLICY.default,
        idle_ms: 1000,
        total_ms: 1000,
        age_ms: 1,
        unused_ms: 1,
      }),
      close: async () => void sessions.delete(key),
    };
    sessions.set(key, session);
    return session;
  };

  return {
    openSession: async (spec, { tenant } = {}) => openSession(spec, tenant, null),
    async findSession(id, { tenant } = {}) {
      const session = sessions.get(`${tenant}/${id}`);
      if (session === undefined) throw new SandboxError("session_not_found", `there is no session ${id}`);
      return session;
    },
    listSessions: ({ tenant } = {}) =>
      Promise.all(
        [...sessions]
          .filter(([key]) => key.startsWith(`${tenant}/`))
          .map(([, session]) => session.describe()),
      ),
    seen,
    cancelled,
    get closed() {
      return closed;
    },
    release() {
      for (const go of held.splice(0)) go();
    },
    arrived: (count) => until(() => seen.length >= count),
    cancellations: (count) => until(() => cancelled.length >= count),
    async execute(call, options = {}) {
      const refused = refusal(call, null);
      if (refused !== null) throw refused;
      return run(call, options);
    },
    async executeBatch(calls, options = {}) {
      for (const [index, call] of calls.entries()) {
        const refused = refusal(call, index);
        if (refused !== null) throw refused;
      }
      const breaks = calls.findIndex((call) => call.source === "break");
      const pending = new Map(
        calls.map(
          (call, index) => [index, run(call, options).then((result) => ({ index, result }))] as const,
        ),
      );
      if (breaks < 0 && calls.every((call) => call.source !== "never" && call.source !== "hold")) {
        return (async function* () {
          for (const item of pending.values()) yield await item;
        })();
      }
      if (breaks < 0) return asReady(pending);
      return (async function* () {
        for (let index = 0; index < breaks; index += 1)
          yield await (pending.get(index) as Promise<BatchItem>);
        throw new Error("secret inner detail");
      })();
    },
    describe: () => Promise.resolve(STUB_DESCRIPTION),
    close() {
      closed = true;
      return Promise.resolve();
    },
  };
}
