/**
 * The isolate that stands ready for the next run. It is made while the host has none, so a run begins in an
 * isolate that is ready, and never in one that another run was in.
 */
import { GuestLibrary, type WarmIsolate } from "./warm-isolate.ts";

/**
 * From the end of a run to the making of the next isolate. The kernel wakes the reader of a socket on the writer's
 * own core, expecting the writer to sleep: without a rest the engine would have the answer when the isolate is made,
 * 2 ms later. Milliseconds.
 */
const REST_MS = 1;

export class IsolateSupply {
  readonly #library = new GuestLibrary();
  #memoryBytes: number;
  #ready: WarmIsolate | undefined;
  #used: WarmIsolate | undefined;
  #rest: NodeJS.Timeout | undefined;

  /** @param memoryBytes heap limit of the first isolate; those after it have the limit of the last run */
  constructor(memoryBytes: number) {
    this.#memoryBytes = memoryBytes;
    this.#ready = this.#library.makeIsolate(memoryBytes);
  }

  /** An isolate of this heap limit: the one that is ready, or one that is made now. */
  take(memoryBytes: number): WarmIsolate {
    this.#disposeOfUsed();
    const ready = this.#ready;
    this.#ready = undefined;
    this.#memoryBytes = memoryBytes;
    if (ready?.memoryBytes === memoryBytes) return ready;
    ready?.isolate.dispose();
    return this.#library.makeIsolate(memoryBytes);
  }

  /** Takes what a run was in, ends it after a rest and then has the next one ready. */
  replace(used: WarmIsolate): void {
    this.#used = used;
    this.#rest = setTimeout(() => {
      this.#disposeOfUsed();
      this.#ready = this.#library.makeIsolate(this.#memoryBytes);
    }, REST_MS);
  }

  #disposeOfUsed(): void {
    clearTimeout(this.#rest);
    if (this.#used?.isolate.isDisposed === false) this.#used.isolate.dispose();
    this.#used = undefined;
  }
}
