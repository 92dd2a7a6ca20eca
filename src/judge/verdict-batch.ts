/**
 * The Verdicts of a batch in the order in which they are ready, for one reader. Verifications are taken up a bounded
 * number at a time, and none while the reader has left too many unread.
 *
 * Invariant: each Verdict is handed out once. Before the first one a refusal refuses the batch; after it every
 * verification has its Verdict, or the batch breaks with a bug of ours.
 */
import type { VerdictItem } from "../contract/verifier.ts";
import type { Verdict } from "../contract/verdict.ts";

/** Verdicts that may wait for their reader. */
const UNREAD_MAX = 1024;

type Read = IteratorResult<VerdictItem, undefined>;
const END: Read = { done: true, value: undefined };

export interface BatchOptions {
  readonly total: number;
  /** Verifications that are under way at once. */
  readonly lanes: number;
  readonly judge: (index: number) => Promise<Verdict>;
  /** Called once, when the reader has all or wants no more. */
  readonly stop: () => void;
}

export class VerdictBatch implements AsyncIterableIterator<VerdictItem, undefined> {
  readonly #options: BatchOptions;
  readonly #ready: VerdictItem[] = [];
  readonly #readers: { resolve(read: Read): void; reject(error: unknown): void }[] = [];
  readonly #room: (() => void)[] = [];
  readonly #begun = Promise.withResolvers<void>();
  #next = 0;
  #left: number;
  /** Rejects every read from when the batch broke. */
  #failure: Promise<never> | null = null;

  constructor(options: BatchOptions) {
    this.#options = options;
    this.#left = options.total;
    this.#begun.promise.catch(() => undefined);
    const lanes = Math.min(options.lanes, options.total);
    for (let lane = 0; lane < lanes; lane++) void this.#work();
  }

  /** Whether a Verdict is ready: from then on the batch is not refused. */
  hasBegun = false;

  /** Resolves at the first Verdict; rejects when the batch is refused. */
  begun(): Promise<void> {
    return this.#begun.promise;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Read> {
    if (this.#failure !== null) return this.#failure;
    const item = this.#ready.shift();
    if (item !== undefined) {
      this.#room.shift()?.();
      return Promise.resolve(this.#hand(item));
    }
    // Those who already wait get all that is left.
    if (this.#readers.length >= this.#left) return Promise.resolve(END);
    return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }));
  }

  return(): Promise<Read> {
    this.#end();
    for (const reader of this.#readers.splice(0)) reader.resolve(END);
    return Promise.resolve(END);
  }

  async #work(): Promise<void> {
    while (this.#next < this.#options.total) {
      if (this.#ready.length >= UNREAD_MAX) {
        await new Promise<void>((resolve) => this.#room.push(resolve));
        continue;
      }
      const index = this.#next++;
      try {
        this.#add({ index, verdict: await this.#options.judge(index) });
      } catch (error) {
        this.#fail(error);
      }
    }
  }

  #add(item: VerdictItem): void {
    if (this.#left === 0) return;
    this.hasBegun = true;
    this.#begun.resolve();
    const reader = this.#readers.shift();
    if (reader === undefined) this.#ready.push(item);
    else reader.resolve(this.#hand(item));
  }

  #hand(item: VerdictItem): Read {
    this.#left -= 1;
    if (this.#left === 0) this.#end();
    return { done: false, value: item };
  }

  #fail(error: unknown): void {
    if (this.#left === 0) return;
    this.#end();
    this.#begun.reject(error);
    this.#failure = this.#begun.promise.then(() => {
      throw error;
    });
    this.#failure.catch(() => undefined);
    for (const reader of this.#readers.splice(0)) reader.reject(error);
  }

  #end(): void {
    this.#left = 0;
    this.#next = this.#options.total;
    this.#ready.length = 0;
    for (const go of this.#room.splice(0)) go();
    this.#options.stop();
  }
}
