/**
 * Promises of the server. A request is submitted and answered by an id at once; its result is asked for until it is
 * there, by polls that are cut at 45 s as the SDK's are, since servers hold them for up to 300 s.
 */
import { EngineError } from "../../ports.ts";
import type { RequestFailed, Submitted, TryAgain } from "../../tinker-wire/messages.ts";
import { PROTOBUF_TYPE } from "../../tinker-wire/messages.ts";
import { accepted, type Answer, type Endpoint, jsonOf, refused, saidBy } from "../endpoint.ts";
import { type Patience, Persistence } from "./patience.ts";

export const POLL_MS = 45_000;
/** Times that a request is submitted anew because its promise was gone. */
const RESUBMITS_MAX = 3;

/** The promise is gone; only the request itself can be submitted again. */
class PromiseGone extends Error {}

export interface FutureOptions {
  readonly endpoint: Endpoint;
  readonly patience: Patience;
  readonly headers: () => Promise<Record<string, string>>;
  /** Told when the server says why it waits, e.g. `paused_capacity`. */
  readonly onQueueState?: (state: string, reason: string | null) => void;
}

/** Result of a promise: protobuf bytes or a JSON value, as the server chose. */
export type Outcome = { readonly protobuf: Buffer } | { readonly json: unknown };

const PATH = "/api/v1/retrieve_future";

function asTryAgain(value: unknown): TryAgain | null {
  const type = (value as { type?: unknown } | null)?.type;
  return type === "try_again" ? (value as TryAgain) : null;
}

function asFailed(value: unknown): RequestFailed | null {
  const error = (value as { error?: unknown } | null)?.error;
  return typeof error === "string" ? (value as RequestFailed) : null;
}

/** @returns null when it has to be asked again, an error when the request itself has failed */
function outcomeOf(options: FutureOptions, what: string, answer: Answer): Outcome | EngineError | null {
  const { endpoint, onQueueState } = options;
  if (answer.status === 410) throw new PromiseGone();
  if (answer.status === 408) return null;
  if (answer.status === 400 || answer.status === 422)
    return new EngineError(`${what} failed: ${saidBy(answer.bytes)}`, { retryable: false });
  if (answer.status !== 200) throw refused(endpoint.name, PATH, answer);
  if (answer.type.includes(PROTOBUF_TYPE)) return { protobuf: answer.bytes };
  const value = jsonOf(endpoint.name, PATH, answer);
  const again = asTryAgain(value);
  if (again !== null) {
    onQueueState?.(again.queue_state, again.queue_state_reason ?? null);
    return null;
  }
  const failed = asFailed(value);
  if (failed === null) return { json: value };
  // The service's own fault may be another's next time; what the user got wrong stays wrong.
  return new EngineError(`${what} failed: ${failed.error}`, { retryable: failed.category === "server" });
}

async function poll(
  options: FutureOptions,
  what: string,
  { request_id }: Submitted,
  signal: AbortSignal | undefined,
): Promise<Outcome> {
  const persistence = new Persistence(options.patience);
  for (;;) {
    let outcome: Outcome | EngineError | null = null;
    try {
      const answer = await options.endpoint.ask({
        path: PATH,
        body: { request_id },
        headers: { ...(await options.headers()), accept: `${PROTOBUF_TYPE}, application/json` },
        signal,
        timeoutMs: POLL_MS,
      });
      outcome = outcomeOf(options, what, answer);
      persistence.reset();
    } catch (error) {
      // A poll that the client itself cut is the way of the protocol, not a failure of the server.
      if (error instanceof EngineError && (error.cause as Error | undefined)?.name === "TimeoutError")
        persistence.reset();
      else await persistence.bear(error, signal);
    }
    if (outcome instanceof EngineError) throw outcome;
    if (outcome !== null) return outcome;
  }
}

/** Submits until the server has taken it. @throws EngineError */
export async function submit(
  options: FutureOptions,
  path: string,
  send: () => Promise<Answer>,
  signal?: AbortSignal,
): Promise<Submitted> {
  const persistence = new Persistence(options.patience);
  for (;;) {
    try {
      const answer = accepted(options.endpoint.name, path, await send());
      const submitted = jsonOf(options.endpoint.name, path, answer) as Submitted;
      if (typeof submitted.request_id === "string") return submitted;
      throw new EngineError(`${options.endpoint.name}${path} answered no request_id`, { retryable: false });
    } catch (error) {
      await persistence.bear(error, signal);
    }
  }
}

/**
 * The result of what was submitted; submits it again when the server lost it.
 * @param what names the request in errors
 * @throws EngineError with what the server said
 */
export async function resultOf(
  options: FutureOptions,
  what: string,
  submitted: Submitted,
  resubmit: () => Promise<Submitted>,
  signal?: AbortSignal,
): Promise<Outcome> {
  let current = submitted;
  for (let lost = 0; ; lost += 1) {
    try {
      return await poll(options, what, current, signal);
    } catch (error) {
      if (!(error instanceof PromiseGone)) throw error;
      if (lost === RESUBMITS_MAX)
        throw new EngineError(`${what}: the server lost its promise ${lost + 1} times`, { retryable: true });
      current = await resubmit();
    }
  }
}
