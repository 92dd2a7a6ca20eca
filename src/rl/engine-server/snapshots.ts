/**
 * Sampling from many saved weights with one engine. It holds one at a time: requests for the weights it has run
 * together; one for others waits until those are done, and then every waiting request for its weights goes with it.
 */
import type { EmbeddedEngine } from "../policies/embedded/engine.ts";

interface Waiting {
  readonly file: string;
  readonly go: () => void;
}

export class Snapshots {
  readonly #engine: EmbeddedEngine;
  readonly #waiting: Waiting[] = [];
  /** The weights' file that the engine has or is loading. */
  #loaded: string | null = null;
  #running = 0;
  #loading: Promise<void> = Promise.resolve();

  constructor(engine: EmbeddedEngine) {
    this.#engine = engine;
  }

  /** Runs `use` while the engine has the weights of `file`. */
  async with<T>(file: string, use: (engine: EmbeddedEngine) => Promise<T>): Promise<T> {
    if (this.#waiting.length > 0 || this.#loaded !== file) {
      const turn = new Promise<void>((go) => this.#waiting.push({ file, go }));
      this.#turnOver();
      await turn;
    } else this.#running += 1;
    try {
      await this.#loading;
      return await use(this.#engine);
    } finally {
      this.#running -= 1;
      this.#turnOver();
    }
  }

  #turnOver(): void {
    const [first] = this.#waiting;
    if (this.#running > 0 || first === undefined) return;
    if (this.#loaded !== first.file) {
      this.#loaded = first.file;
      this.#loading = this.#engine.load(first.file);
      this.#loading.catch(() => {
        // Told to who asked for it; the next one tries again.
        this.#loaded = null;
      });
    }
    const admitted = this.#waiting.filter(({ file }) => file === first.file);
    const rest = this.#waiting.filter(({ file }) => file !== first.file);
    this.#waiting.splice(0, this.#waiting.length, ...rest);
    this.#running += admitted.length;
    for (const { go } of admitted) go();
  }
}
