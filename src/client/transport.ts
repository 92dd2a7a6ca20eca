/** One request over a pool of kept-alive connections, and what its failure means. */
import { Pool, type Dispatcher } from "undici";
import { SandboxError } from "../contract/errors.ts";
import { errorFromAnswer } from "./answers.ts";
import { NotAnswered } from "./retry.ts";

export interface TransportOptions {
  readonly baseUrl: string;
  readonly key: string | undefined;
  readonly connections: number;
  /** Longest silence of the server while an answer is waited for. Milliseconds. */
  readonly answerTimeoutMs: number;
  readonly connectTimeoutMs: number;
}

export interface Ask {
  readonly method: "GET" | "POST" | "DELETE";
  readonly path: string;
  readonly accept: string;
  readonly body?: string;
  readonly signal?: AbortSignal | undefined;
}

export interface Transport {
  /**
   * The answer's body when its status is 200.
   * @throws NotAnswered when no answer began; SandboxError for any other answer.
   */
  ask(request: Ask): Promise<Dispatcher.ResponseData["body"]>;
  close(): Promise<void>;
}

const ERROR_BYTES_MAX = 64 << 10;

async function readError(body: Dispatcher.ResponseData["body"]): Promise<string> {
  let text = "";
  for await (const chunk of body) {
    text += (chunk as Buffer).toString("utf8");
    if (text.length > ERROR_BYTES_MAX) break;
  }
  return text;
}

/** An answer that did not come: what a failed request of undici means to a caller. */
export function brokenOff(error: unknown): SandboxError {
  return error instanceof SandboxError
    ? error
    : new SandboxError("unreachable", `the answer broke off: ${(error as Error).message}`, { cause: error });
}

export function createTransport(options: TransportOptions): Transport {
  const url = new URL(options.baseUrl);
  const prefix = url.pathname.replace(/\/+$/, "");
  const pool = new Pool(url.origin, {
    connections: options.connections,
    // A request is one call or a whole batch; behind another in the same connection it would wait for it.
    pipelining: 1,
    headersTimeout: options.answerTimeoutMs,
    bodyTimeout: options.answerTimeoutMs,
    connect: { timeout: options.connectTimeoutMs },
  });
  const shared = options.key === undefined ? {} : { authorization: `Bearer ${options.key}` };
  let closing: Promise<void> | null = null;

  return {
    async ask({ method, path, accept, body, signal }) {
      if (closing !== null) throw new SandboxError("unreachable", "this client is closed");
      const headers = {
        ...shared,
        accept,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      };
      let answer: Dispatcher.ResponseData;
      try {
        answer = await pool.request({
          method,
          path: prefix + path,
          headers,
          body: body ?? null,
          signal: signal ?? null,
        });
      } catch (error) {
        if (signal?.aborted) throw error;
        const { code } = error as { code?: string };
        const text = `${options.baseUrl} did not answer: ${(error as Error).message || String(code)}`;
        // A server that took the request and is only slow is working on it: no second try.
        if (code === "UND_ERR_HEADERS_TIMEOUT") throw new SandboxError("unreachable", text, { cause: error });
        throw new NotAnswered(text, { cause: error });
      }
      if (answer.statusCode === 200) return answer.body;
      const text = await readError(answer.body).catch(() => "");
      const retryAfter = answer.headers["retry-after"];
      throw errorFromAnswer(answer.statusCode, text, typeof retryAfter === "string" ? retryAfter : undefined);
    },
    close: () => (closing ??= pool.close()),
  };
}
