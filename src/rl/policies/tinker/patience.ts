/** Again and again, with growing waits, for as long as a server may be away. */
import { setTimeout as sleep } from "node:timers/promises";
import { EngineError } from "../../ports.ts";

export interface Patience {
  /** How long failures in a row are borne before the last one is thrown. Milliseconds. */
  readonly totalMs: number;
  /** First wait; doubles up to `waitMsMax`. Milliseconds. */
  readonly waitMs: number;
  readonly waitMsMax: number;
}

export const DEFAULT_PATIENCE: Patience = { totalMs: 600_000, waitMs: 500, waitMsMax: 30_000 };

/** Counts failures in a row. */
export class Persistence {
  readonly #patience: Patience;
  #since: number | null = null;
  #waitMs: number;

  constructor(patience: Patience) {
    this.#patience = patience;
    this.#waitMs = patience.waitMs;
  }

  /** The server answered: what failed before is forgotten. */
  reset(): void {
    this.#since = null;
    this.#waitMs = this.#patience.waitMs;
  }

  /** Waits before another try. @throws the error itself, when it is final or patience is at its end */
  async bear(error: unknown, signal?: AbortSignal): Promise<void> {
    if (!(error instanceof EngineError) || !error.retryable) throw error;
    this.#since ??= performance.now();
    if (performance.now() - this.#since + this.#waitMs > this.#patience.totalMs) throw error;
    await sleep(this.#waitMs * (0.5 + Math.random() / 2), undefined, { signal });
    this.#waitMs = Math.min(this.#waitMs * 2, this.#patience.waitMsMax);
  }
}

/** Runs `attempt` until it does not fail in a way that may pass. @throws its last error */
export async function persist<T>(
  patience: Patience,
  attempt: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const persistence = new Persistence(patience);
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      await persistence.bear(error, signal);
    }
  }
}
