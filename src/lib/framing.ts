/**
 * Length-prefixed frames on a byte stream: a 32-bit little-endian length, then that many bytes.
 *
 * Invariant: a frame longer than `frameBytesMax` is refused before memory is set aside for it, so what a
 * peer sends bounds nothing here but the connection's own life.
 */

export class FrameTooLong extends Error {
  override readonly name = "FrameTooLong";
}

const HEADER_BYTES = 4;

/** Splits a stream of chunks into frames; chunks are kept, not copied, until their frame is complete. */
export class FrameReader {
  readonly #frameBytesMax: number;
  #chunks: Buffer[] = [];
  #buffered = 0;
  #need = HEADER_BYTES;
  #inBody = false;

  constructor(frameBytesMax: number) {
    this.#frameBytesMax = frameBytesMax;
  }

  /**
   * Takes a chunk and returns the bodies of the frames that it completed.
   * @throws FrameTooLong when a length above the bound is announced.
   */
  push(chunk: Buffer): Buffer[] {
    const frames: Buffer[] = [];
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    while (this.#buffered >= this.#need) {
      const bytes = this.#take(this.#need);
      if (this.#inBody) {
        frames.push(bytes);
        this.#inBody = false;
        this.#need = HEADER_BYTES;
        continue;
      }
      const length = bytes.readUInt32LE(0);
      if (length > this.#frameBytesMax) {
        throw new FrameTooLong(
          `a frame of ${length} bytes was announced, the most is ${this.#frameBytesMax}`,
        );
      }
      this.#need = length;
      this.#inBody = true;
    }
    return frames;
  }

  #take(count: number): Buffer {
    this.#buffered -= count;
    const first = this.#chunks[0];
    if (first !== undefined && first.length >= count) {
      if (first.length === count) this.#chunks.shift();
      else this.#chunks[0] = first.subarray(count);
      return first.subarray(0, count);
    }
    const out = Buffer.allocUnsafe(count);
    let filled = 0;
    while (filled < count) {
      const chunk = this.#chunks.shift() as Buffer;
      const used = Math.min(chunk.length, count - filled);
      chunk.copy(out, filled, 0, used);
      filled += used;
      if (used < chunk.length) this.#chunks.unshift(chunk.subarray(used));
    }
    return out;
  }
}

/** A frame's length prefix, to be written before its body. */
export function frameHeader(bodyBytes: number): Buffer {
  const header = Buffer.allocUnsafe(HEADER_BYTES);
  header.writeUInt32LE(bodyBytes, 0);
  return header;
}

/** A whole frame whose body is a text in UTF-8: in one piece it is one write, and costs less than two. */
export function frameText(text: string): Buffer {
  const bodyBytes = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(HEADER_BYTES + bodyBytes);
  frame.writeUInt32LE(bodyBytes, 0);
  frame.write(text, HEADER_BYTES);
  return frame;
}
