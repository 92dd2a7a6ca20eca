/** So many at once and no more, in the order in which they came. */
export class Turnstile {
  readonly #most: number;
  readonly #waiting: (() => void)[] = [];
  #inside = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get inside(): number {
    return this.#inside;
  }

  /** True once there is room; whoever got true must leave. False when the signal aborted before. */
  async enter(signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return false;
    if (this.#inside < this.#most) {
      this.#inside++;
      return true;
    }
    return new Promise((resolve) => {
      const goOn = (): void => {
        signal.removeEventListener("abort", goAway);
        resolve(true);
      };
      const goAway = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(goOn), 1);
        resolve(false);
      };
      this.#waiting.push(goOn);
      signal.addEventListener("abort", goAway, { once: true });
    });
  }

  leave(): void {
    const next = this.#waiting.shift();
    // The place goes from one to the next.
    if (next !== undefined) next();
    else this.#inside--;
  }
}
