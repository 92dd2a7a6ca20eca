/**
 * The two shapes of an answer to a batch: a stream of lines, each sent when its item is ready, and one document in
 * the order of the batch.
 *
 * Invariant: a complete stream ends with a `done` line and a broken one with an `error` line, so a stream
 * that ends with neither was cut.
 */
import type { ServerResponse } from "node:http";
import { SandboxError } from "../contract/errors.ts";

/** What is answered: items with their place in the batch, as they are ready. */
export interface Items<T extends { readonly index: number }> {
  readonly items: AsyncIterable<T>;
  /** Name of an item's part in its line, e.g. `result`. */
  readonly name: string;
  /** That part as JSON text. */
  readonly serialize: (item: T) => string;
  readonly onItem: (item: T) => void;
}

const FLUSH_BYTES = 64 << 10;

/** Joins lines that come in the same turn of the event loop into one write, and waits where the reader is slow. */
class LineWriter {
  readonly #raw: ServerResponse;
  #pending = "";
  #scheduled = false;
  #drained: Promise<void> | null = null;

  constructor(raw: ServerResponse) {
    this.#raw = raw;
  }

  /** Whether the caller must wait for {@link drained} before it writes more. */
  write(line: string): boolean {
    this.#pending += line;
    if (this.#pending.length >= FLUSH_BYTES) this.#flush();
    else if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(() => this.#flush());
    }
    return this.#drained !== null;
  }

  /** Resolves when the reader has caught up or is gone. */
  async drained(): Promise<void> {
    await this.#drained;
  }

  end(): void {
    this.#raw.end(this.#pending);
    this.#pending = "";
  }

  #flush(): void {
    this.#scheduled = false;
    if (this.#pending === "" || this.#raw.destroyed) return;
    const block = this.#pending;
    this.#pending = "";
    if (this.#raw.write(block) || this.#drained !== null) return;
    this.#drained = new Promise((resolve) => {
      const go = (): void => {
        this.#raw.off("drain", go).off("close", go);
        this.#drained = null;
        resolve();
      };
      this.#raw.on("drain", go).on("close", go);
    });
  }
}

/**
 * Writes the lines of a batch and ends the response.
 * @returns what broke the stream, or null.
 */
export async function streamBatch<T extends { readonly index: number }>(
  raw: ServerResponse,
  { items, name, serialize, onItem }: Items<T>,
): Promise<unknown> {
  const writer = new LineWriter(raw);
  let count = 0;
  let broken: unknown = null;
  try {
    for await (const item of items) {
      count += 1;
      onItem(item);
      if (writer.write(`{"index":${item.index},"${name}":${serialize(item)}}\n`)) await writer.drained();
      if (raw.destroyed) return null;
    }
    writer.write(`{"done":true,"count":${count}}\n`);
  } catch (error) {
    broken = error;
    const told =
      error instanceof SandboxError
        ? error
        : new SandboxError("internal", "a bug in the service; its log has more");
    writer.write(`${JSON.stringify(told)}\n`);
  }
  writer.end();
  return broken;
}

/**
 * All items of a batch as one document, in the order of the batch.
 * @throws SandboxError `answer_too_large`.
 */
export async function joinBatch<T extends { readonly index: number }>(
  count: number,
  { items, name, serialize, onItem }: Items<T>,
  answerBytesMax: number,
): Promise<string> {
  const parts = Array.from<string>({ length: count });
  let bytes = 0;
  let received = 0;
  for await (const item of items) {
    onItem(item);
    const part = serialize(item);
    bytes += Buffer.byteLength(part) + 1;
    if (bytes > answerBytesMax) {
      throw new SandboxError(
        "answer_too_large",
        `the answer is longer than ${answerBytesMax} bytes; ask for it with accept: application/x-ndjson, or send smaller batches`,
      );
    }
    parts[item.index] = part;
    received += 1;
  }
  if (received !== count) throw new Error(`${received} of ${count} ${name}s of a batch came`);
  return `{"${name}s":[${parts.join(",")}]}`;
}
