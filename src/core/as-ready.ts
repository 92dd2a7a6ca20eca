/**
 * The Results of a batch in the order in which they are ready, for one reader.
 *
 * Invariant: each Result is handed out once, and `stop` is called when the reader is done, whether it read all, broke
 * off or never began.
 */
import type { BatchItem } from "../contract/executor.ts";
import type { Result } from "../contract/result.ts";
import { type Linked, LinkedQueue } from "../lib/linked-queue.ts";

interface Ready extends Linked<Ready> {
  readonly item: BatchItem;
}

type Read = IteratorResult<BatchItem, undefined>;

const END: Read = { done: true, value: undefined };

export class AsReady implements AsyncIterableIterator<BatchItem, undefined> {
  readonly #ready = new LinkedQueue<Ready>();
  readonly #readers: ((read: Read) => void)[] = [];
  readonly #stop: () => void;
  #left: number;

  /** @param results none of which rejects. */
  constructor(results: readonly Promise<Result>[], stop: () => void) {
    this.#left = results.length;
    this.#stop = stop;
    for (const [index, result] of results.entries())
      void result.then((settled) => this.#add({ index, result: settled }));
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Read> {
    const ready = this.#ready.takeFirst();
    if (ready !== null) return Promise.resolve(this.#hand(ready.item));
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

  #add(item: BatchItem): void {
    if (this.#left === 0) return;
    const reader = this.#readers.shift();
    if (reader === undefined) this.#ready.pushLast({ item, next: null, previous: null });
    else reader(this.#hand(item));
  }

  #hand(item: BatchItem): Read {
    this.#left--;
    if (this.#left === 0) this.#stop();
    return { done: false, value: item };
  }
}
