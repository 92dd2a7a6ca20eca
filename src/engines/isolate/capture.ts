/**
 * The memory in which a program's output collects, shared by the isolate that writes it and the host's main
 * thread that reads it: 64 bytes of counters, then for stdout and for stderr the first half of
 * `limits.output_bytes` and a ring of as many last bytes. `prelude/guest/output.js` is the writing side.
 */
import type { Captured } from "../../core/ports.ts";

const HEADER_BYTES = 64;

export type StreamIndex = 0 | 1;

export function createCapture(outputBytes: number): SharedArrayBuffer {
  return new SharedArrayBuffer(HEADER_BYTES + 2 * outputBytes);
}

/** Place of the mark that the program has ended itself and waits, in JavaScript, to be disposed of. */
const HALTED = 2;

export class CaptureReader {
  readonly #counters: Int32Array;
  readonly #bytes: Buffer;
  readonly #outputBytes: number;

  constructor(shared: SharedArrayBuffer, outputBytes: number) {
    this.#counters = new Int32Array(shared, 0, HEADER_BYTES / Int32Array.BYTES_PER_ELEMENT);
    this.#bytes = Buffer.from(shared, HEADER_BYTES);
    this.#outputBytes = outputBytes;
  }

  total(stream: StreamIndex): number {
    return Atomics.load(this.#counters, stream);
  }

  /** Makes the memory as new for the next program; nothing of the last may be running. */
  clear(): void {
    for (const stream of [0, 1] as const) {
      const at = stream * this.#outputBytes;
      this.#bytes.fill(0, at, at + Math.min(this.total(stream), this.#outputBytes));
    }
    this.#counters.fill(0);
  }

  get isHalted(): boolean {
    return Atomics.load(this.#counters, HALTED) === 1;
  }

  /**
   * What is kept of a stream now: its head from byte `headFrom` on, and at most `tailBytesMax` of its last bytes.
   * While the program still writes, the oldest bytes of the tail may be newer than they should be.
   */
  read(stream: StreamIndex, headFrom = 0, tailBytesMax = Infinity): Captured {
    const totalBytes = this.total(stream);
    const headBytes = this.#outputBytes - (this.#outputBytes >> 1);
    const ringBytes = this.#outputBytes - headBytes;
    const at = stream * this.#outputBytes;
    const head = Buffer.from(
      this.#bytes.subarray(at + Math.min(headFrom, headBytes), at + Math.min(totalBytes, headBytes)),
    );
    const beyond = Math.max(0, totalBytes - headBytes);
    const ring = this.#bytes.subarray(at + headBytes, at + this.#outputBytes);
    const end = ringBytes === 0 ? 0 : beyond % ringBytes;
    const whole =
      beyond <= ringBytes
        ? ring.subarray(0, beyond)
        : Buffer.concat([ring.subarray(end), ring.subarray(0, end)]);
    return { head, tail: Buffer.from(whole.subarray(Math.max(0, whole.length - tailBytesMax))), totalBytes };
  }
}
