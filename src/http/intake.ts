/**
 * Requests whose bodies have come, carried on one after another and no longer than a turn of the event loop may take:
 * a step's thousands of calls arrive at once, and answers, health checks and other tenants are not to wait for all of
 * them to be parsed and accepted.
 *
 * Invariant: in the order in which they came; what finds nobody before it and time left is carried on at once.
 */
import { type Linked, LinkedQueue } from "../lib/linked-queue.ts";

interface Waiting extends Linked<Waiting> {
  readonly work: () => void;
}

/** Of one turn of the event loop. Milliseconds. */
const TURN_MS_MAX = 8;

export class Intake {
  readonly #waiting = new LinkedQueue<Waiting>();
  readonly #now: () => number;
  /** Time left of this turn. Milliseconds. */
  #leftMs = TURN_MS_MAX;
  #isTurnEnding = false;

  /** @param now milliseconds on a clock that never steps back */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** @param work which does not throw; a single one takes as long as it takes */
  take(work: () => void): void {
    if (!this.#isTurnEnding) {
      this.#isTurnEnding = true;
      setImmediate(this.#nextTurn);
    }
    if (this.#leftMs > 0 && this.#waiting.length === 0) this.#do(work);
    else this.#waiting.pushLast({ work, next: null, previous: null });
  }

  #do(work: () => void): void {
    const startedAt = this.#now();
    work();
    this.#leftMs -= this.#now() - startedAt;
  }

  readonly #nextTurn = (): void => {
    this.#leftMs = TURN_MS_MAX;
    while (this.#leftMs > 0) {
      const next = this.#waiting.takeFirst();
      if (next === null) break;
      this.#do(next.work);
    }
    // What is left waits until others have had their turn.
    this.#isTurnEnding = this.#waiting.length > 0;
    if (this.#isTurnEnding) setImmediate(this.#nextTurn);
    else this.#leftMs = TURN_MS_MAX;
  };
}
