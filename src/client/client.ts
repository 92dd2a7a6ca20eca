/**
 * The Executor that lives behind HTTP, and its Verifier.
 *
 * Invariant: every call that leaves here has an id, the caller's or a fresh one, so that a repeated request
 * joins a call in flight and does not run it twice. Giving a call up closes its connection, which cancels it
 * at the server; its Result is made here.
 */
import { randomUUID } from "node:crypto";
import type { Call } from "../contract/call.ts";
import type { Description } from "../contract/description.ts";
import { SandboxError } from "../contract/errors.ts";
import type { BatchItem, ExecuteOptions, Executor } from "../contract/executor.ts";
import type { Result } from "../contract/result.ts";
import type { Verdict } from "../contract/verdict.ts";
import type { Verification } from "../contract/verification.ts";
import type { VerdictItem, Verifier } from "../contract/verifier.ts";
import { cancelledResult, excludedVerdict, resultFrom, verdictFrom } from "./answers.ts";
import { createPoster } from "./post.ts";
import type { RetryPolicy } from "./retry.ts";
import { createSessions } from "./sessions.ts";
import { createTransport } from "./transport.ts";

export interface ClientOptions {
  /** Where the service is, e.g. `http://127.0.0.1:8707`; a path in it is put before every route. */
  readonly baseUrl: string;
  /** Bearer key. Its name at the server is the tenant: `ExecuteOptions.tenant` is not sent. */
  readonly key?: string;
  /** Connections open at once, so also the requests in flight at once; more wait here. Default: 64. */
  readonly connections?: number;
  /** Default: 6 attempts, waits of at most 10 s. */
  readonly retry?: Partial<RetryPolicy>;
  /** Longest silence of the server while an answer is waited for. Milliseconds. Default: 30 minutes. */
  readonly answerTimeoutMs?: number;
  /** Time for a connection to open. Milliseconds. Default: 10 s. */
  readonly connectTimeoutMs?: number;
  /** Longest Result that is read. Bytes. Default: 256 MiB. */
  readonly resultBytesMax?: number;
}

/** The service at a URL: an Executor of calls and a Verifier. */
export interface Client extends Executor, Verifier {}

/** Sends calls and verifications to the service at `baseUrl`. */
export function createClient(options: ClientOptions): Client {
  const transport = createTransport({
    baseUrl: options.baseUrl,
    key: options.key,
    connections: options.connections ?? 64,
    answerTimeoutMs: options.answerTimeoutMs ?? 30 * 60_000,
    connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
  });
  const retry: RetryPolicy = { attemptsMax: 6, waitMsMax: 10_000, ...options.retry };
  const answerBytesMax = options.resultBytesMax ?? 256 << 20;
  const post = createPoster(transport, { retry, answerBytesMax });

  return {
    execute(call: Call, { signal }: ExecuteOptions = {}): Promise<Result> {
      const named = { ...call, id: call.id ?? randomUUID() };
      return post.one("/v1/calls", named, signal, resultFrom, () => cancelledResult(named.id));
    },

    executeBatch(calls: readonly Call[], { signal }: ExecuteOptions = {}): Promise<AsyncIterable<BatchItem>> {
      const named = calls.map((call) => ({ ...call, id: call.id ?? randomUUID() }));
      return post.many(
        "/v1/batches",
        { calls: named },
        {
          count: named.length,
          signal,
          itemFrom: (line, index): BatchItem => ({ index, result: resultFrom(line.result) }),
          givenUp: (index) => ({ index, result: cancelledResult((named[index] as { id: string }).id) }),
        },
      );
    },

    verify(verification: Verification, { signal }: ExecuteOptions = {}): Promise<Verdict> {
      return post.one("/v1/verify", verification, signal, verdictFrom, () => excludedVerdict(verification));
    },

    verifyBatch(
      verifications: readonly Verification[],
      { signal }: ExecuteOptions = {},
    ): Promise<AsyncIterable<VerdictItem>> {
      return post.many(
        "/v1/verify/batch",
        { verifications },
        {
          count: verifications.length,
          signal,
          itemFrom: (line, index): VerdictItem => ({ index, verdict: verdictFrom(line.verdict) }),
          givenUp: (index) => ({ index, verdict: excludedVerdict(verifications[index] as Verification) }),
        },
      );
    },

    ...createSessions(transport, retry, answerBytesMax),

    async describe(): Promise<Description> {
      const description = await post.get("/v1/info");
      if ((description as Description | null)?.service !== "rollcall")
        throw new SandboxError("unreachable", `what answers at ${options.baseUrl} is not a Rollcall service`);
      return description as Description;
    },

    close: () => transport.close(),
  };
}
