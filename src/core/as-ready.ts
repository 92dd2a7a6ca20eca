/**
 * The Results of a batch in the order in which they are ready, for one reader.
 *
 * Invariant: each Result is handed out once, and `stop` is called when the reader is done: it read all, broke off, or
 * was told that no more will come.
 */
import type { BatchItem } from "../contract/executor.ts";
import { type Linked, LinkedQueue } from "../lib/linked-queue.ts";

interface Ready extends Linked<Ready> {
  readonly item: BatchItem;
}

type Read = IteratorResult<BatchItem, undefined>;

const END: Read = { done: true, value: undefined };

export class AsReady implements AsyncIterableIterator<BatchItem, undefined> {
  readonly #ready = new LinkedQueue<Ready>();
  readonly #readers: ((read: Read | Promise<never>) => void)[] = [];
  readonly #stop: () => void;
  #left: number;
  /** Rejects every read from when no more comes. */
  #failure: Promise<never> | null = null;

  /** @param count Results that will be added. */
  constructor(count: number, stop: () => void) {
    this.#left = count;
    this.#stop = stop;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Read> {
    const ready = this.#ready.takeFirst();
    if (ready !== null) return Promise.resolve(this.#hand(ready.item));
    if (this.#failure !== null) return this.#failure;
    // Those who already wait get all that is left.
    if (this.#readers.length >= this.#left) return Promise.resolve(END);
    return new Promise((resolve) => this.#readers.push(resolve));
  }

  return(): Promise<Read> {
    this.#left = 0;
    while (this.#ready.takeFirst() !== null);
    for (const reader of this.#readers.splice(0)) reader(END);
    this.#stop();
    return Promise.resolve(END);
  }

  add(item: BatchItem): void {
    if (this.#left === 0) return;
    const reader = this.#readers.shift();
    if (reader === undefined) this.#ready.pushLast({ item, next: null, previous: null });
    else reader(this.#hand(item));
  }

  /** What is left will not come. */
  fail(error: Error): void {
    if (this.#left === 0 || this.#failure !== null) return;
    this.#failure = Promise.reject(error);
    this.#failure.catch(() => undefined);
    for (const reader of this.#readers.splice(0)) reader(this.#failure);
    this.#stop();
  }

  #hand(item: BatchItem): Read {
    this.#left--;
    if (this.#left === 0) this.#stop();
    return { done: false, value: item };
  }
}
