/**
 * Programs that compile stages made, so that a source which is sent with many inputs is compiled once. An entry
 * belongs to one tenant, and its key is all that a compiler sees: the runtime, the source and the files.
 *
 * Invariant: `bytes` never exceeds `bytesMax`; the entry that was used longest ago goes first.
 */
import { createHash } from "node:crypto";
import type { AcceptedCall } from "./accept.ts";
import type { Evidence } from "./ports.ts";

/** What a compile stage gave: a program, or the evidence of why there is none. */
export interface Compiled {
  readonly evidence: Evidence;
  readonly program: Buffer | null;
  /** Made for an earlier call. */
  readonly cached: boolean;
}

/** What an entry takes besides the program. Bytes. */
const ENTRY_BYTES = 4096;

export class CompiledPrograms {
  readonly #bytesMax: number;
  /** In the order of last use. */
  readonly #entries = new Map<string, Compiled>();
  readonly #making = new Map<string, Promise<Compiled | null>>();
  #bytes = 0;

  /** @param bytesMax 0 keeps nothing; calls that are in flight together still share. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * The program of a key: kept, being made for another call, or made now. What `make` throws or gave without
   * being sure (`isSure`) is for its own caller only: others that waited make their own.
   * @param signal a caller that gave up waits no longer; its `make` sees the same signal.
   */
  async get(
    key: string,
    signal: AbortSignal,
    make: () => Promise<Compiled>,
    isSure: (compiled: Compiled) => boolean,
  ): Promise<Compiled> {
    for (;;) {
      const kept = this.#entries.get(key);
      if (kept !== undefined) {
        this.#entries.delete(key);
        this.#entries.set(key, kept);
        return { ...kept, cached: true };
      }
      const making = this.#making.get(key);
      if (making === undefined || signal.aborted) return this.#make(key, make, isSure);
      const made = await Promise.race([making, aborted(signal)]);
      if (made !== null) return { ...made, cached: true };
    }
  }

  async #make(
    key: string,
    make: () => Promise<Compiled>,
    isSure: (compiled: Compiled) => boolean,
  ): Promise<Compiled> {
    const made = make();
    const forOthers = made.then(
      (compiled) => (isSure(compiled) ? compiled : null),
      () => null,
    );
    this.#making.set(key, forOthers);
    try {
      const compiled = await made;
      if (isSure(compiled)) this.#keep(key, compiled);
      return compiled;
    } finally {
      if (this.#making.get(key) === forOthers) this.#making.delete(key);
    }
  }

  #keep(key: string, compiled: Compiled): void {
    const bytes = bytesOf(compiled);
    if (bytes > this.#bytesMax || this.#entries.has(key)) return;
    this.#entries.set(key, compiled);
    this.#bytes += bytes;
    for (const [oldest, entry] of this.#entries) {
      if (this.#bytes <= this.#bytesMax) return;
      this.#entries.delete(oldest);
      this.#bytes -= bytesOf(entry);
    }
  }
}

function bytesOf({ program, evidence }: Compiled): number {
  const { stdout, stderr } = evidence;
  const said = [stdout.head, stdout.tail, stderr.head, stderr.tail];
  return said.reduce((sum, part) => sum + part.length, (program?.length ?? 0) + ENTRY_BYTES);
}

function aborted(signal: AbortSignal): Promise<null> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(null), { once: true });
  });
}

/** Names everything that a compile stage's outcome depends on. */
export function compileKey(tenant: string, call: AcceptedCall): string {
  const hash = createHash("sha256");
  const put = (part: string | Buffer): void => {
    hash.update(`${Buffer.byteLength(part)}:`).update(part);
  };
  put(tenant);
  put(call.runtime.id);
  if (call.compile !== null) {
    put(JSON.stringify(call.compile.limits));
    put(call.compile.source);
    for (const { path, content } of call.compile.files) {
      put(path);
      put(content);
    }
  }
  return hash.digest("base64");
}
