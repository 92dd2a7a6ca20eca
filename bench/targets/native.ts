/** Our own API by URL: single calls, batches as one document, batches as a stream of lines. */
import { Agent, request } from "undici";
import { createClient } from "../../src/client/index.ts";
import type { Executor } from "../../src/contract/executor.ts";
import type { Result } from "../../src/contract/result.ts";
import { checkResult } from "../../workload/mix.ts";
import type { Planned } from "../load/mixes.ts";
import type { Answer, OnAnswer, Target } from "./target.ts";

export type Transfer = "single" | "json" | "ndjson";

export interface NativeOptions {
  readonly url: string;
  readonly transfer: Transfer;
  /** Connections open at once. */
  readonly connections: number;
  readonly pid: number | null;
  readonly key?: string;
  /** A connection of its own for each request, as trainers' clients open. Default: kept alive. */
  readonly freshConnections?: boolean;
}

const BATCH_MAX = 10_000;
const ANSWER_TIMEOUT_MS = 30 * 60_000;

export function answerOf({ program }: Planned, result: Result): Answer {
  return {
    outcome: result.outcome,
    complaint: checkResult(program, result),
    cpuMs: result.usage.cpu_ms,
  };
}

/** Sends through any Executor: one call, or the stream of a batch. */
export async function sendThrough(
  executor: Executor,
  calls: readonly Planned[],
  onAnswer: OnAnswer,
): Promise<void> {
  const [first] = calls;
  if (calls.length === 1 && first !== undefined) {
    onAnswer(0, answerOf(first, await executor.execute(first.call)));
    return;
  }
  const items = await executor.executeBatch(calls.map(({ call }) => call));
  for await (const { index, result } of items) {
    const one = calls[index];
    if (one === undefined) throw new Error(`an answer for call ${index} of ${calls.length}`);
    onAnswer(index, answerOf(one, result));
  }
}

/** A request as plain as the protocol allows, for whole documents and for connections that are not kept. */
function createPoster(options: NativeOptions) {
  const agent = new Agent({
    connections: options.connections,
    pipelining: options.freshConnections === true ? 0 : 1,
    headersTimeout: ANSWER_TIMEOUT_MS,
    bodyTimeout: ANSWER_TIMEOUT_MS,
  });
  const authorization = options.key === undefined ? {} : { authorization: `Bearer ${options.key}` };
  return {
    async post(path: string, body: unknown): Promise<unknown> {
      const answer = await request(options.url + path, {
        method: "POST",
        headers: { "content-type": "application/json", ...authorization },
        body: JSON.stringify(body),
        reset: options.freshConnections === true,
        dispatcher: agent,
      });
      const text = await answer.body.text();
      if (answer.statusCode !== 200) throw new Error(refusal(answer.statusCode, text));
      return JSON.parse(text) as unknown;
    },
    close: () => agent.close(),
  };
}

function refusal(status: number, text: string): string {
  try {
    const { code } = (JSON.parse(text) as { error?: { code?: string } }).error ?? {};
    if (code !== undefined) return code;
  } catch {
    // Not ours: the status says what can be said.
  }
  return `http ${status}`;
}

export function createNativeTarget(options: NativeOptions): Target {
  const shared = {
    batchMax: options.transfer === "single" ? 1 : BATCH_MAX,
    pid: options.pid,
    metricsUrl: options.url,
    runs: () => true,
  };
  if (options.transfer === "ndjson" && options.freshConnections !== true) {
    const client = createClient({
      baseUrl: options.url,
      connections: options.connections,
      // A refusal is a finding here, not something to be waited out.
      retry: { attemptsMax: 1 },
      ...(options.key === undefined ? {} : { key: options.key }),
    });
    return {
      ...shared,
      name: "rollcall, batches as lines",
      send: (calls, onAnswer) => sendThrough(client, calls, onAnswer),
      close: () => client.close(),
    };
  }
  const poster = createPoster(options);
  return {
    ...shared,
    name: options.transfer === "single" ? "rollcall, single calls" : "rollcall, batches",
    async send(calls, onAnswer) {
      const [first] = calls;
      if (options.transfer === "single" && first !== undefined) {
        onAnswer(0, answerOf(first, (await poster.post("/v1/calls", first.call)) as Result));
        return;
      }
      const body = { calls: calls.map(({ call }) => call) };
      const { results } = (await poster.post("/v1/batches", body)) as { results: Result[] };
      for (const [index, one] of calls.entries()) onAnswer(index, answerOf(one, results[index] as Result));
    },
    close: () => poster.close(),
  };
}
