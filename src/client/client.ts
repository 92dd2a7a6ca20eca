/**
 * The Executor that lives behind HTTP.
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
import { cancelledResult, errorFrom, resultFrom } from "./answers.ts";
import { readLines } from "./lines.ts";
import { withRetries, type RetryPolicy } from "./retry.ts";
import { brokenOff, createTransport, type Ask, type Transport } from "./transport.ts";

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

const NDJSON = "application/x-ndjson";
const JSON_TYPE = "application/json";

interface Line {
  readonly index?: number;
  readonly result?: unknown;
  readonly done?: boolean;
  readonly error?: unknown;
}

/** Results of a stream; what is missing when the caller gave up is cancelled, when the stream broke it is an error. */
async function* readBatch(
  ids: readonly string[],
  body: AsyncIterable<Uint8Array>,
  lineBytesMax: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<BatchItem> {
  const open = new Set(ids.keys());
  try {
    let complete = false;
    for await (const text of readLines(body, lineBytesMax)) {
      const line = JSON.parse(text) as Line;
      if (line.error !== undefined)
        throw (
          errorFrom(line) ??
          new SandboxError("unreachable", "the stream broke with an error that is not known here")
        );
      if (line.done === true) {
        complete = true;
        continue;
      }
      if (line.index === undefined || !open.delete(line.index))
        throw new SandboxError(
          "unreachable",
          `the stream has a result for no open call: ${String(line.index)}`,
        );
      yield { index: line.index, result: resultFrom(line.result) };
    }
    if (!complete || open.size > 0)
      throw new SandboxError(
        "unreachable",
        `the stream was cut with ${open.size} of ${ids.length} results missing`,
      );
  } catch (error) {
    if (!signal?.aborted) throw brokenOff(error);
    yield* cancelAll(ids, open);
  }
}

function* cancelAll(ids: readonly string[], open: Iterable<number>): Generator<BatchItem> {
  for (const index of open) yield { index, result: cancelledResult(ids[index] as string) };
}

async function* cancelledBatch(ids: readonly string[]): AsyncGenerator<BatchItem> {
  yield* cancelAll(ids, ids.keys());
}

async function readJson(body: Awaited<ReturnType<Transport["ask"]>>, bytesMax: number): Promise<unknown> {
  try {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of body) {
      chunks.push(chunk as Buffer);
      bytes += (chunk as Buffer).length;
      if (bytes > bytesMax) throw new Error(`it is longer than ${bytesMax} bytes`);
    }
    return JSON.parse(
      (chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, bytes)).toString("utf8"),
    ) as unknown;
  } catch (error) {
    throw brokenOff(error);
  }
}

/** An Executor that sends calls to the service at `baseUrl`. */
export function createClient(options: ClientOptions): Executor {
  const transport = createTransport({
    baseUrl: options.baseUrl,
    key: options.key,
    connections: options.connections ?? 64,
    answerTimeoutMs: options.answerTimeoutMs ?? 30 * 60_000,
    connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
  });
  const policy: RetryPolicy = { attemptsMax: 6, waitMsMax: 10_000, ...options.retry };
  const resultBytesMax = options.resultBytesMax ?? 256 << 20;
  const ask = (request: Ask) => withRetries(() => transport.ask(request), policy, request.signal);

  return {
    async execute(call: Call, { signal }: ExecuteOptions = {}): Promise<Result> {
      const id = call.id ?? randomUUID();
      try {
        signal?.throwIfAborted();
        const body = await ask({
          method: "POST",
          path: "/v1/calls",
          accept: JSON_TYPE,
          body: JSON.stringify({ ...call, id }),
          signal,
        });
        return resultFrom(await readJson(body, resultBytesMax));
      } catch (error) {
        if (signal?.aborted) return cancelledResult(id);
        throw error;
      }
    },

    async executeBatch(
      calls: readonly Call[],
      { signal }: ExecuteOptions = {},
    ): Promise<AsyncIterable<BatchItem>> {
      const named = calls.map((call) => (call.id === undefined ? { ...call, id: randomUUID() } : call));
      const ids = named.map((call) => call.id as string);
      try {
        signal?.throwIfAborted();
        const body = await ask({
          method: "POST",
          path: "/v1/batches",
          accept: NDJSON,
          body: JSON.stringify({ calls: named }),
          signal,
        });
        return readBatch(ids, body, resultBytesMax, signal);
      } catch (error) {
        if (signal?.aborted) return cancelledBatch(ids);
        throw error;
      }
    },

    async describe(): Promise<Description> {
      const description = await readJson(
        await ask({ method: "GET", path: "/v1/info", accept: JSON_TYPE }),
        resultBytesMax,
      );
      if ((description as Description | null)?.service !== "rollcall")
        throw new SandboxError("unreachable", `what answers at ${options.baseUrl} is not a Rollcall service`);
      return description as Description;
    },

    close: () => transport.close(),
  };
}
