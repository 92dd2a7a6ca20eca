/** Time that passes from one event to the next, whatever the machine is doing. The same run gives the same times. */
import { setImmediate as settle } from "node:timers/promises";
import type { Clock } from "../scheduler/ports.ts";

interface Event {
  readonly at: number;
  readonly order: number;
  readonly act: () => void;
}

/** Earliest first; of the same time, the one that was entered first. */
function isBefore(left: Event, right: Event): boolean {
  return left.at < right.at || (left.at === right.at && left.order < right.order);
}

export class VirtualClock implements Clock {
  #now = 0;
  #order = 0;
  /** A binary heap. */
  readonly #heap: Event[] = [];
  readonly #calledOff = new Set<Event>();

  now(): number {
    return this.#now;
  }

  after(ms: number, then: () => void): () => void {
    this.#order += 1;
    const event = { at: this.#now + Math.max(0, ms), order: this.#order, act: then };
    this.#push(event);
    return () => this.#calledOff.add(event);
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.after(ms, resolve);
    });
  }

  /**
   * Lets time pass until `work` has settled.
   * @throws Error when nothing is left that could happen and `work` still waits
   */
  async run<T>(work: Promise<T>): Promise<T> {
    let isOver = false;
    void work.then(
      () => (isOver = true),
      () => (isOver = true),
    );
    for (;;) {
      // All promises that the last event settled have had their say before time goes on.
      await settle();
      if (isOver) return work;
      const event = this.#pop();
      if (event === undefined) throw new Error(`nothing is left to happen at ${this.#now} ms`);
      if (this.#calledOff.delete(event)) continue;
      this.#now = event.at;
      event.act();
    }
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent] as Event)) break;
      heap[at] = heap[parent] as Event;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): Event | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Event, heap[child] as Event)) child += 1;
      if (!isBefore(heap[child] as Event, last)) break;
      heap[at] = heap[child] as Event;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}
