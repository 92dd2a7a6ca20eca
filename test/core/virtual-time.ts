/**
 * Timers that fire in order of their time and take none. Between two timers everything that is ready runs, so that
 * a schedule is the same whenever it is run.
 */
const REAL = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout };

interface Timer {
  readonly id: number;
  readonly atMs: number;
  readonly fire: () => void;
  held: boolean;
}

/** Runs everything that waits for nothing but its turn. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export class VirtualTime {
  readonly #timers = new Map<number, Timer>();
  #nowMs = 0;
  #ids = 1;

  readonly now = (): number => this.#nowMs;

  /** Timers that would keep a process alive. */
  get held(): number {
    return [...this.#timers.values()].filter((timer) => timer.held).length;
  }

  get pending(): number {
    return this.#timers.size;
  }

  install(): void {
    const set = (callback: () => void, delayMs?: number): unknown => {
      const ms = Number(delayMs);
      const timer: Timer = {
        id: this.#ids++,
        // As Node does it with what is no positive number of 31 bits.
        atMs: this.#nowMs + (ms >= 1 && ms < 2 ** 31 ? ms : 1),
        fire: callback,
        held: true,
      };
      this.#timers.set(timer.id, timer);
      const handle = {
        id: timer.id,
        ref: () => ((timer.held = true), handle),
        unref: () => ((timer.held = false), handle),
      };
      return handle;
    };
    const clear = (handle?: { id: number }): void => {
      if (handle !== undefined && handle !== null) this.#timers.delete(handle.id);
    };
    globalThis.setTimeout = set as typeof globalThis.setTimeout;
    globalThis.clearTimeout = clear as typeof globalThis.clearTimeout;
  }

  restore(): void {
    globalThis.setTimeout = REAL.setTimeout;
    globalThis.clearTimeout = REAL.clearTimeout;
  }

  /** Carries a schedule out on this time; a rejection that nobody handles meanwhile is one of its problems. */
  async during(problems: string[], schedule: () => Promise<void>): Promise<void> {
    const lost = (reason: unknown): void => void problems.push(`unhandled rejection: ${String(reason)}`);
    this.install();
    process.on("unhandledRejection", lost);
    try {
      await schedule();
    } finally {
      this.restore();
      process.off("unhandledRejection", lost);
    }
  }

  /** Fires the timers that are due within `ms`, in order. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await settled();
    for (let timer = this.#next(untilMs); timer !== null; timer = this.#next(untilMs)) {
      this.#nowMs = timer.atMs;
      this.#timers.delete(timer.id);
      timer.fire();
      await settled();
    }
    this.#nowMs = untilMs;
  }

  /** Fires timers until `done`; false when there is none left to wait for, or `msMax` have gone. */
  async advanceUntil(done: () => boolean, msMax: number): Promise<boolean> {
    const untilMs = this.#nowMs + msMax;
    await settled();
    while (!done()) {
      const timer = this.#next(untilMs);
      if (timer === null) return false;
      this.#nowMs = timer.atMs;
      this.#timers.delete(timer.id);
      timer.fire();
      await settled();
    }
    return true;
  }

  #next(untilMs: number): Timer | null {
    let next: Timer | null = null;
    for (const timer of this.#timers.values()) {
      if (timer.atMs <= untilMs && (next === null || timer.atMs < next.atMs)) next = timer;
    }
    return next;
  }
}
