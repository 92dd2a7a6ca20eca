/**
 * One engine's HTTP door: a request over kept-alive connections, and what its failure means to the loop. A connection
 * that breaks, 408, 429 and 5xx may be tried again; any other refusal will be the same next time.
 */
import { Pool } from "undici";
import { EngineError } from "../ports.ts";

export interface EndpointOptions {
  /** Scheme, host and port, and a path that every request's path follows. */
  readonly baseUrl: string;
  /** Sent with every request; may hold a key, and is part of no message. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Connections at once, so requests at once. Default 1024. */
  readonly connections?: number;
}

export interface EndpointRequest {
  readonly path: string;
  /** Default POST with a body, GET without. */
  readonly method?: "GET" | "POST" | "DELETE";
  /** Sent as JSON, or as it is when it is bytes. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** Longest wait for the whole answer. Milliseconds. */
  readonly timeoutMs: number;
}

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly bytes: Buffer;
  readonly location: string | null;
}

export interface Endpoint {
  /** Scheme, host and path; what messages call the engine. */
  readonly name: string;
  /**
   * The answer, whatever its status.
   * @throws EngineError (retryable) when none came; the signal's reason when it was given up
   */
  ask(request: EndpointRequest): Promise<Answer>;
  close(): Promise<void>;
}

/** An answer this long is refused: no engine has reason to send one. Bytes. */
const ANSWER_BYTES_MAX = 1 << 30;
/** Of an error's text that is shown. Characters. */
const SHOWN_MAX = 500;

const RETRYABLE_STATUS = new Set([408, 425, 429]);

export function isRetryableStatus(status: number): boolean {
  return status >= 500 || RETRYABLE_STATUS.has(status);
}

/** The message inside an error body of FastAPI, OpenAI's form, or plain text. */
export function saidBy(bytes: Buffer): string {
  const text = bytes.toString("utf8");
  try {
    const body = JSON.parse(text) as Record<string, unknown>;
    const { error } = body;
    const nested =
      error !== null && typeof error === "object" ? (error as Record<string, unknown>)["message"] : undefined;
    const said = nested ?? body["message"] ?? body["detail"] ?? body["error_message"] ?? error ?? body;
    return (typeof said === "string" ? said : JSON.stringify(said)).slice(0, SHOWN_MAX);
  } catch {
    return text.trim().slice(0, SHOWN_MAX);
  }
}

export function refused(name: string, path: string, answer: Answer): EngineError {
  const said = saidBy(answer.bytes);
  return new EngineError(`${name}${path} answered ${answer.status}${said === "" ? "" : `: ${said}`}`, {
    retryable: isRetryableStatus(answer.status),
    status: answer.status,
  });
}

/** @throws EngineError for an answer whose status is not 2xx */
export function accepted(name: string, path: string, answer: Answer): Answer {
  if (answer.status < 200 || answer.status > 299) throw refused(name, path, answer);
  return answer;
}

/** @throws EngineError for an answer that is no JSON */
export function jsonOf(name: string, path: string, answer: Answer): unknown {
  try {
    return JSON.parse(answer.bytes.toString("utf8"));
  } catch (error) {
    const shown = answer.bytes.subarray(0, 80).toString("utf8");
    throw new EngineError(`${name}${path} answered no JSON: ${JSON.stringify(shown)}`, {
      retryable: false,
      cause: error,
    });
  }
}

function encoded(body: unknown): { body: string | Uint8Array | null; type: Record<string, string> } {
  if (body === undefined) return { body: null, type: {} };
  if (body instanceof Uint8Array) return { body, type: {} };
  return { body: JSON.stringify(body), type: { "content-type": "application/json" } };
}

async function readBounded(body: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += (chunk as Buffer).byteLength;
    if (size > ANSWER_BYTES_MAX) throw new Error(`the answer is longer than ${ANSWER_BYTES_MAX} bytes`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

export function createEndpoint(options: EndpointOptions): Endpoint {
  const url = new URL(options.baseUrl);
  const prefix = url.pathname.replace(/\/+$/, "");
  const name = url.origin + prefix;
  const pool = new Pool(url.origin, { connections: options.connections ?? 1024, pipelining: 1 });
  return {
    name,
    async ask({ path, method, body, headers, signal, timeoutMs }) {
      signal?.throwIfAborted();
      const timeout = AbortSignal.timeout(timeoutMs);
      const content = encoded(body);
      try {
        const answer = await pool.request({
          method: method ?? (body === undefined ? "GET" : "POST"),
          path: prefix + path,
          headers: { ...options.headers, ...content.type, ...headers },
          body: content.body,
          signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
          // The signal above is the only clock: an engine that computes says nothing for minutes.
          headersTimeout: 0,
          bodyTimeout: 0,
        });
        const bytes = await readBounded(answer.body);
        const location = answer.headers["location"];
        return {
          status: answer.statusCode,
          type: String(answer.headers["content-type"] ?? ""),
          bytes,
          location: typeof location === "string" ? location : null,
        };
      } catch (error) {
        signal?.throwIfAborted();
        const why = timeout.aborted ? `no answer within ${timeoutMs} ms` : (error as Error).message;
        throw new EngineError(`${name}${path}: ${why}`, { retryable: true, cause: error });
      }
    },
    close: () => pool.destroy(),
  };
}
