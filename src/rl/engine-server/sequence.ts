/**
 * The order of one model's requests, and their sending again. A client numbers its requests from 1 and may send them
 * without waiting; they take effect in the order of their numbers. The same number with the same body is the same
 * request, sent again; with another body it is a mistake.
 */
import { createHash } from "node:crypto";
import { ApiError } from "./errors.ts";

/** Numbers that are remembered for requests that are sent again. */
const REMEMBERED_MAX = 4096;

interface Seen {
  readonly digest: string;
  readonly requestId: string;
}

export function digestOf(body: string): string {
  return createHash("sha256").update(body).digest("base64");
}

/** Requests by key, so that one that is sent again gets the id it got before. */
export class SentAgain {
  readonly #seen = new Map<string | number, Seen>();

  /** @returns the earlier request's id, null for a new key, or "other" when the key had another body */
  earlier(key: string | number, digest: string): string | null {
    const seen = this.#seen.get(key);
    if (seen === undefined) return null;
    return seen.digest === digest ? seen.requestId : "other";
  }

  /**
   * @param submit called for a number that is new
   * @throws ApiError 409 when the number was used for another request
   */
  once(number: number | undefined, body: string, submit: () => string): string {
    if (number === undefined) return submit();
    const digest = digestOf(body);
    const earlier = this.earlier(number, digest);
    if (earlier === "other") throw new ApiError(409, `number ${number} was used for another request`);
    if (earlier !== null) return earlier;
    const requestId = submit();
    this.remember(number, digest, requestId);
    return requestId;
  }

  remember(key: string | number, digest: string, requestId: string): void {
    this.#seen.set(key, { digest, requestId });
    if (this.#seen.size <= REMEMBERED_MAX) return;
    for (const first of this.#seen.keys()) {
      this.#seen.delete(first);
      return;
    }
  }
}

export class Sequence {
  readonly #gapMs: number;
  readonly #sent = new SentAgain();
  readonly #waiting = new Map<number, () => void>();
  #next = 1;
  #begun = false;

  constructor(gapMs: number) {
    this.#gapMs = gapMs;
  }

  /** Whether any request was taken. */
  get begun(): boolean {
    return this.#begun;
  }

  /** See {@link SentAgain.once}. */
  once(number: number | undefined, body: string, submit: () => string): string {
    return this.#sent.once(number, body, () => {
      const requestId = submit();
      this.#begun = true;
      return requestId;
    });
  }

  /** Calls `begin` when every lower number has begun, or after a while when one does not come. */
  async inOrder<T>(number: number | undefined, begin: () => Promise<T>): Promise<T> {
    if (number !== undefined && number > this.#next) await this.#reached(number);
    const running = begin();
    this.passed(number);
    return running;
  }

  /** The request of this number has begun, or never will: the next may. */
  passed(number: number | undefined): void {
    if (number === undefined) return;
    this.#next = Math.max(this.#next, number + 1);
    this.#waiting.get(this.#next)?.();
  }

  #reached(number: number): Promise<void> {
    return new Promise((resolve) => {
      const go = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(number);
        resolve();
      };
      const timer = setTimeout(go, this.#gapMs);
      this.#waiting.set(number, go);
    });
  }
}
