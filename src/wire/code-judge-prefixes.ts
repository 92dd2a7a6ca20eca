/**
 * Programs that have come to the end of some cells and wait there: sessions, found by the key of their history.
 *
 * Invariants: at most `sessionsMax` of them are kept, with at most `memoryBytes` in all, none longer than `idleMs` without
 * use; the one that was used longest ago goes first; one that was dropped is closed.
 */
import type { Session } from "../contract/session.ts";

export interface PrefixBounds {
  readonly sessionsMax: number;
  /** Of all of them; what some share is counted once, and what they share with the interpreter that they began as not. */
  readonly memoryBytes: number;
  /** Milliseconds without use. */
  readonly idleMs: number;
}

/** What a program took to come to its place. */
export interface Spent {
  readonly wallMs: number;
  readonly cpuMs: number;
  /** At most: the sum of peaks. */
  readonly memoryBytes: number;
}

/** A program that waits after its first `cells` cells. */
export interface Prefix extends Spent {
  readonly session: Session;
  readonly cells: number;
  /** Bytes that it made, and those that it was forked from, each by its key. */
  readonly layers: ReadonlyMap<string, number>;
}

interface Place {
  readonly prefix: Prefix;
  readonly idle: NodeJS.Timeout;
}

export class Prefixes {
  readonly #bounds: PrefixBounds;
  /** In the order of their last use. */
  readonly #places = new Map<string, Place>();

  constructor(bounds: PrefixBounds) {
    this.#bounds = bounds;
  }

  find(key: string): Prefix | null {
    const place = this.#places.get(key);
    if (place === undefined) return null;
    place.idle.refresh();
    this.#places.delete(key);
    this.#places.set(key, place);
    return place.prefix;
  }

  keep(key: string, prefix: Prefix): void {
    this.drop(key);
    const idle = setTimeout(() => this.drop(key), this.#bounds.idleMs);
    idle.unref();
    this.#places.set(key, { prefix, idle });
    for (const oldest of this.#places.keys()) {
      if (this.#places.size <= this.#bounds.sessionsMax && this.#memoryBytes() <= this.#bounds.memoryBytes)
        break;
      this.drop(oldest);
    }
  }

  drop(key: string): void {
    const place = this.#places.get(key);
    if (place === undefined) return;
    clearTimeout(place.idle);
    this.#places.delete(key);
    void place.prefix.session.close();
  }

  #memoryBytes(): number {
    const layers = new Map([...this.#places.values()].flatMap(({ prefix }) => [...prefix.layers]));
    return [...layers.values()].reduce((sum, bytes) => sum + bytes, 0);
  }
}
