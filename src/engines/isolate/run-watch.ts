/**
 * What a host looks after while a program runs: how much memory the process has come to, and that the engine
 * hears of output before the end. A run that is over before the first look costs none.
 */
import type { CaptureReader } from "./capture.ts";
import type { FromHost, RunMessage } from "./protocol.ts";
import { residentBytes } from "./resident-memory.ts";

const LOOK_EVERY_MS = 20;
const PROGRESS_EVERY_LOOKS = 5;
const PROGRESS_TAIL_BYTES = 64 << 10;
/** Beyond its limit, so that V8's own and more exact bound comes first. Bytes. */
const MEMORY_SLACK_BYTES = 64 << 20;

export interface WatchOptions {
  readonly message: RunMessage;
  readonly capture: CaptureReader;
  readonly send: (message: FromHost, blobs: readonly Uint8Array[]) => void;
  /** Called when the process holds more than the program may. */
  readonly onMemory: () => void;
}

export class RunWatch {
  readonly #options: WatchOptions;
  readonly #startedAt = performance.now();
  readonly #residentBefore = residentBytes();
  readonly #headSent: [number, number] = [0, 0];
  readonly #timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
  #looks = 0;
  /** The most that the process was seen to have grown by. */
  memoryPeakBytes = 0;

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const grown = Math.max(0, residentBytes() - this.#residentBefore);
    this.memoryPeakBytes = Math.max(this.memoryPeakBytes, grown);
    if (grown > this.#options.message.limits.memoryBytes + MEMORY_SLACK_BYTES) this.#options.onMemory();
    // The first at once: what is about to end with the whole host has its output told.
    if (this.#looks++ % PROGRESS_EVERY_LOOKS === 0) this.#sendProgress(grown);
  }

  #sendProgress(memoryBytes: number): void {
    const { capture, message, send } = this.#options;
    const streams = ([0, 1] as const).map((stream) =>
      capture.read(stream, this.#headSent[stream], PROGRESS_TAIL_BYTES),
    );
    const totals = streams.map((stream) => stream.totalBytes) as [number, number];
    for (const stream of [0, 1] as const) this.#headSent[stream] += streams[stream]?.head.length ?? 0;
    const ranMs = performance.now() - this.#startedAt;
    send(
      { kind: "progress", call: message.call, totals, memoryBytes, ranMs },
      streams.flatMap((stream) => [stream.head, stream.tail]),
    );
  }
}
