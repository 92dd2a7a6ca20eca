/**
 * The call was not carried out. Thrown, never returned: an Outcome says how a call ended, a SandboxError
 * that there was none. One table, one comment for each code; docs/errors.md and the OpenAPI document are
 * held to it by a test.
 */

interface ErrorKind {
  /** HTTP status of the code. */
  readonly status: number;
  /** Whose fault it is. */
  readonly fault: "caller" | "service";
  /** Whether the same request may succeed later. */
  readonly retryable: boolean;
}

export const ERROR_CODES = {
  /** The body is not JSON. */
  invalid_json: { status: 400, fault: "caller", retryable: false },
  /** What came is not a well-formed HTTP request, or its body broke off. */
  invalid_http: { status: 400, fault: "caller", retryable: false },
  /** A field is missing, unknown, of the wrong type or out of its range; `path` names it. */
  invalid_call: { status: 400, fault: "caller", retryable: false },
  /** No runtime of that name; the message lists those there are. */
  unknown_runtime: { status: 400, fault: "caller", retryable: false },
  /** A limit is above this service's ceiling; the message says both numbers. */
  limit_above_ceiling: { status: 400, fault: "caller", retryable: false },
  /** A file path is absolute, climbs out of the working directory or is not usable as a name. */
  invalid_path: { status: 400, fault: "caller", retryable: false },
  /** Two calls of one batch have the same id. */
  duplicate_id: { status: 400, fault: "caller", retryable: false },
  /** A call with this id is in flight and is not the same call, or a session with this id is open. */
  id_conflict: { status: 409, fault: "caller", retryable: false },
  /** The source, stdin, files or arguments are longer than a call may have. */
  call_too_large: { status: 413, fault: "caller", retryable: false },
  /** The request body is longer than the server reads. */
  body_too_large: { status: 413, fault: "caller", retryable: false },
  /** The batch has more calls than this service takes in one; the message says how many those are. */
  batch_too_long: { status: 413, fault: "caller", retryable: false },
  /** The answer to a batch is longer than one JSON document may be; a stream has no such bound. */
  answer_too_large: { status: 406, fault: "caller", retryable: false },
  /** The request's header is longer than the server reads. */
  header_too_large: { status: 431, fault: "caller", retryable: false },
  /** The request did not arrive in the time that the server waits for one. */
  request_timeout: { status: 408, fault: "caller", retryable: true },
  /** The body's content type is not application/json. */
  unsupported_media_type: { status: 415, fault: "caller", retryable: false },
  /** No valid bearer key. */
  unauthorized: { status: 401, fault: "caller", retryable: false },
  /** No such route. */
  not_found: { status: 404, fault: "caller", retryable: false },
  /** The route exists, not with this method. */
  method_not_allowed: { status: 405, fault: "caller", retryable: false },
  /** No session of that id, or none of this tenant's. */
  session_not_found: { status: 404, fault: "caller", retryable: false },
  /** The session's interpreter is gone, and its state with it; the message says why. Open another. */
  session_lost: { status: 410, fault: "caller", retryable: false },
  /** The session was closed, by its caller or by one of its deadlines; the message says by which. */
  session_closed: { status: 410, fault: "caller", retryable: false },
  /** The session could not be forked as it stands; the message says why. It goes on as it was, unless it says otherwise. */
  fork_failed: { status: 409, fault: "caller", retryable: false },
  /** Too many calls wait in this session. */
  session_busy: { status: 429, fault: "service", retryable: true },
  /** As many sessions are open as may be, over all or of this tenant. */
  sessions_full: { status: 429, fault: "service", retryable: true },
  /** The queue is full; `retry_after_ms` says when there should be room. */
  queue_full: { status: 429, fault: "service", retryable: true },
  /** By the present rate the call's own deadline would pass before its start. */
  deadline_unmeetable: { status: 503, fault: "service", retryable: true },
  /** The service is shutting down and takes no more calls. */
  draining: { status: 503, fault: "service", retryable: true },
  /** The engine for this runtime cannot be started on this machine; the message says why. */
  engine_unavailable: { status: 503, fault: "service", retryable: true },
  /** The service could not be reached or broke off its answer. Made by clients, never sent. */
  unreachable: { status: 502, fault: "service", retryable: true },
  /** A bug of ours. */
  internal: { status: 500, fault: "service", retryable: false },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface SandboxErrorOptions {
  /** JSON pointer to the field at fault, e.g. `/limits/wall_ms`. */
  readonly path?: string;
  /** Milliseconds after which a retry makes sense. */
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
}

export class SandboxError extends Error {
  override readonly name = "SandboxError";
  readonly code: ErrorCode;
  readonly status: number;
  readonly fault: "caller" | "service";
  readonly retryable: boolean;
  readonly path: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, options: SandboxErrorOptions = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    const kind: ErrorKind = ERROR_CODES[code];
    this.code = code;
    this.status = kind.status;
    this.fault = kind.fault;
    this.retryable = kind.retryable;
    this.path = options.path;
    this.retryAfterMs = options.retryAfterMs;
  }

  /** The JSON body of the HTTP answer. */
  toJSON(): ErrorBody {
    return {
      error: {
        code: this.code,
        message: this.message,
        fault: this.fault,
        retryable: this.retryable,
        ...(this.path === undefined ? {} : { path: this.path }),
        ...(this.retryAfterMs === undefined ? {} : { retry_after_ms: this.retryAfterMs }),
      },
    };
  }
}

/** Body of every non-2xx answer. */
export interface ErrorBody {
  readonly error: {
    readonly code: ErrorCode;
    readonly message: string;
    readonly fault: "caller" | "service";
    readonly retryable: boolean;
    readonly path?: string;
    readonly retry_after_ms?: number;
  };
}
