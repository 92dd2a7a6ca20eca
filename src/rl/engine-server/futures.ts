/**
 * Requests whose results are asked for later. A request is submitted once and its result may be retrieved any number
 * of times while it is kept; one that is unknown was never submitted (404), one that is not kept any more is gone (410).
 */
import { EngineError } from "../ports.ts";
import { ModelGone } from "../policies/embedded/replica.ts";
import type { RequestFailed } from "../tinker-wire/messages.ts";
import { ApiError } from "./errors.ts";

export interface Result {
  readonly json: unknown;
  /** The same in protobuf, for the types that have it. */
  readonly protobuf?: () => Uint8Array;
}

type Outcome = { readonly result: Result } | { readonly failed: RequestFailed };

interface Future {
  readonly owner: string;
  readonly controller: AbortController;
  outcome: Outcome | null;
  readonly settled: Promise<void>;
}

/** Whose fault it was: what was asked for, or this server. */
function failureOf(error: unknown): RequestFailed {
  const message = error instanceof Error ? error.message : String(error);
  const mine = error instanceof ModelGone || !(error instanceof EngineError || error instanceof ApiError);
  return { error: message, category: mine ? "server" : "user" };
}

export class Futures {
  readonly #kept = new Map<number, Future>();
  readonly #pendingMax: number;
  readonly #resultsMax: number;
  #lastId = 0;
  #pending = 0;

  constructor(limits: { readonly pendingMax: number; readonly resultsMax: number }) {
    this.#pendingMax = limits.pendingMax;
    this.#resultsMax = limits.resultsMax;
  }

  /**
   * Starts `work` and gives the id of its result.
   * @param owner the session that the work ends with
   * @throws ApiError 429 when too many are pending
   */
  submit(owner: string, work: (signal: AbortSignal) => Promise<Result>): string {
    if (this.#pending >= this.#pendingMax)
      throw new ApiError(429, `${this.#pendingMax} requests are pending already`);
    this.#lastId += 1;
    const id = this.#lastId;
    const controller = new AbortController();
    this.#pending += 1;
    const settled = (async () => work(controller.signal))()
      .then(
        (result): Outcome => ({ result }),
        (error: unknown): Outcome => ({ failed: failureOf(error) }),
      )
      .then((outcome) => {
        future.outcome = outcome;
        this.#pending -= 1;
        this.#forgetOldest();
      });
    const future: Future = { owner, controller, outcome: null, settled };
    this.#kept.set(id, future);
    return String(id);
  }

  /**
   * @returns null when there is no result within `waitMs`
   * @throws ApiError 404 for an id that was never given, 410 for one that is not kept any more
   */
  async retrieve(id: string, waitMs: number): Promise<Outcome | null> {
    const future = this.#find(id);
    if (future.outcome !== null) return future.outcome;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, waitMs)));
    await Promise.race([future.settled, late]);
    clearTimeout(timer);
    return future.outcome;
  }

  cancel(id: string): void {
    this.#find(id).controller.abort(new ApiError(400, "the request was cancelled"));
  }

  cancelAllOf(owner: string): void {
    for (const future of this.#kept.values())
      if (future.owner === owner) future.controller.abort(new ApiError(400, "the session is over"));
  }

  #find(id: string): Future {
    const number = /^[1-9]\d{0,14}$/.test(id) ? Number(id) : Infinity;
    const future = this.#kept.get(number);
    if (future !== undefined) return future;
    if (number <= this.#lastId) throw new ApiError(410, `the result of request ${id} is not kept any more`);
    throw new ApiError(404, `there is no request ${id.slice(0, 100)}`);
  }

  #forgetOldest(): void {
    let over = this.#kept.size - this.#pending - this.#resultsMax;
    for (const [id, { outcome }] of this.#kept) {
      if (over <= 0) return;
      if (outcome === null) continue;
      this.#kept.delete(id);
      over -= 1;
    }
  }
}
