/**
 * The isolate that stands ready for the next run. It is made while the host has none, so a run begins in an
 * isolate that is ready, and never in one that another run was in.
 */
import { GuestLibrary, type WarmIsolate } from "./warm-isolate.ts";

export class IsolateSupply {
  readonly #library = new GuestLibrary();
  #memoryBytes: number;
  #ready: WarmIsolate | undefined;

  /** @param memoryBytes heap limit of the first isolate; those after it have the limit of the last run */
  constructor(memoryBytes: number) {
    this.#memoryBytes = memoryBytes;
    this.#ready = this.#library.makeIsolate(memoryBytes);
  }

  /** An isolate of this heap limit: the one that is ready, or one that is made now. */
  take(memoryBytes: number): WarmIsolate {
    const ready = this.#ready;
    this.#ready = undefined;
    this.#memoryBytes = memoryBytes;
    if (ready?.memoryBytes === memoryBytes) return ready;
    ready?.isolate.dispose();
    return this.#library.makeIsolate(memoryBytes);
  }

  /** Ends what a run was in, and has the next ready. */
  replace(used: WarmIsolate): void {
    if (!used.isolate.isDisposed) used.isolate.dispose();
    this.#ready ??= this.#library.makeIsolate(this.#memoryBytes);
  }
}
