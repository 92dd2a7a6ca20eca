/**
 * What the processes of the service ask each other. A front asks the core process what an Executor is asked, and tells it
 * what is to be counted and logged; the core process tells a front when to listen, to drain and to end.
 */
import type { Config } from "../config/schema.ts";
import type { Call } from "../contract/call.ts";
import type { Description } from "../contract/description.ts";
import type { ErrorCode } from "../contract/errors.ts";
import type { BatchItem } from "../contract/executor.ts";
import type { Result } from "../contract/result.ts";
import type { ForkSpec, SessionCall, SessionDescription, SessionSpec } from "../contract/session.ts";
import type { ReplayEnd } from "../contract/wire.ts";
import type { CheckKind, VerdictName } from "../contract/verdict.ts";

export interface OfTenant {
  readonly tenant?: string;
}

/** The tenant of what has one, and nothing else of it. */
export const ofTenant = ({ tenant }: { readonly tenant?: string | undefined }): OfTenant =>
  tenant === undefined ? {} : { tenant };

/** A session by its id, and which of those that had it one after another. */
export interface SessionName extends OfTenant {
  readonly id: string;
  readonly serial: number;
}

type SessionPlace = Pick<SessionName, "id" | "serial">;

interface Question<Asks, Answers> {
  readonly asks: Asks;
  readonly answers: Answers;
}

/** What a front asks the core process. */
export type FrontAsks = {
  readonly execute: Question<OfTenant & { readonly call: Call }, Result>;
  /** The first part says that all calls were accepted. */
  readonly executeBatch: Question<OfTenant & { readonly calls: readonly Call[] }, null> & {
    readonly parts: "accepted" | BatchItem;
  };
  readonly describe: Question<null, Description>;
  readonly openSession: Question<OfTenant & { readonly spec: SessionSpec }, SessionPlace>;
  readonly findSession: Question<OfTenant & { readonly id: string }, SessionPlace>;
  readonly listSessions: Question<OfTenant, readonly SessionDescription[]>;
  readonly executeInSession: Question<SessionName & { readonly call: SessionCall }, Result>;
  readonly forkSession: Question<SessionName & { readonly spec: ForkSpec }, readonly SessionPlace[]>;
  readonly describeSession: Question<SessionName, SessionDescription>;
  readonly closeSession: Question<SessionName, null>;
  readonly ready: Question<null, boolean>;
  /** Calls that wait for a slot. */
  readonly queued: Question<null, number>;
  /** The metrics of the whole service as text. */
  readonly metrics: Question<null, string>;
  readonly httpError: Question<{ readonly code: ErrorCode }, null>;
  readonly judged: Question<{ readonly kind: CheckKind; readonly verdict: VerdictName }, null>;
  readonly replayed: Question<{ readonly end: ReplayEnd }, null>;
  /** A line of the log, as it is to be written. */
  readonly log: Question<string, null>;
};

/** What a front is, for the metrics of the whole service. */
export interface FrontUse {
  readonly connections: number;
  readonly requests: number;
  readonly bodyBytes: number;
  /** CPU time since its start. Seconds. */
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  /** 99th percentile of the event loop's lag since the last time it was asked. Seconds. */
  readonly lagSeconds: number;
}

/** What was done, or in words for the operator why it could not be. */
export type Told<T> = { readonly done: T } | { readonly failed: string };

/** What the core process asks a front. */
export type CoreAsks = {
  /** Puts the server together. */
  readonly build: Question<{ readonly config: Config; readonly version: string }, Told<null>>;
  /** Listens on the ports of its configuration, which other fronts share; `port` stands for `http.port`, 0 takes a free one. */
  readonly listen: Question<{ readonly port: number }, Told<Listening>>;
  readonly measure: Question<null, FrontUse>;
  /** Whether all calls ended by themselves. */
  readonly drain: Question<{ readonly timeoutMs: number }, boolean>;
  readonly close: Question<null, null>;
};

export interface Listening {
  readonly url: string;
  readonly port: number;
  readonly mounted: Readonly<Record<string, string>>;
}
