/**
 * One slot process, seen through its socket: one call at a time, each answered by evidence or by a fault.
 *
 * Invariant: whatever happens to the slot, the promise of a running call settles; a slot that stays silent past
 * its call's limits is ended from outside.
 */
import type { Socket } from "node:net";
import { type Evidence, type RunSpec, SandboxFault } from "../../core/ports.ts";
import type { FrameReader } from "../../lib/framing.ts";
import { decodeEvidence, encodeCancel, encodeRun, FRAME, type ProgramNeeds } from "./protocol.ts";

/** How long past a call's wall limit the slot may take to say so. It ends the call itself; this is for a slot that cannot. */
const SILENCE_MS_MAX = 5_000;

interface Running {
  readonly spec: RunSpec;
  readonly resolve: (evidence: Evidence) => void;
  readonly reject: (fault: SandboxFault) => void;
  readonly watchdog: NodeJS.Timeout;
}

export interface SlotConnectionOptions {
  readonly socket: Socket;
  /** Reader that may already hold the start of the next frame. */
  readonly reader: FrameReader;
  /** Process id of the slot inside its container. */
  readonly pid: number;
  /** Ends every process of the slot from outside. */
  readonly kill: () => void;
  /** Resolves once it is known whether its fork server, and so every slot of it, is gone too. Never rejects. */
  readonly serverKnown: () => Promise<void>;
}

export class SlotConnection {
  readonly pid: number;
  /** Size of the slot's scratch file system now. Bytes. */
  diskBytes: number;
  readonly #socket: Socket;
  readonly #reader: FrameReader;
  readonly #kill: () => void;
  readonly #serverKnown: () => Promise<void>;
  #running: Running | null = null;
  #reusable = true;

  constructor(options: SlotConnectionOptions, diskBytes: number) {
    this.pid = options.pid;
    this.diskBytes = diskBytes;
    this.#socket = options.socket;
    this.#reader = options.reader;
    this.#kill = options.kill;
    this.#serverKnown = options.serverKnown;
    this.#socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    this.#socket.on("error", () => this.#broken("slot_lost", "the connection to a slot broke"));
    this.#socket.on("close", () => this.#broken("slot_died", "a slot process ended while it had a call"));
  }

  /** Whether the slot can take another call. */
  get usable(): boolean {
    return this.#reusable && !this.#socket.destroyed;
  }

  run(spec: RunSpec, signal: AbortSignal, needs: ProgramNeeds): Promise<Evidence> {
    if (!this.usable || this.#running !== null)
      return this.#serverKnown().then(() =>
        Promise.reject(new SandboxFault("slot_lost", "the slot is gone")),
      );
    return new Promise((resolve, reject) => {
      const cancel = () => this.#socket.write(encodeCancel());
      const watchdog = setTimeout(() => this.#silent(), spec.limits.wall_ms + SILENCE_MS_MAX);
      const settle = () => {
        clearTimeout(watchdog);
        signal.removeEventListener("abort", cancel);
        this.#running = null;
      };
      this.#running = {
        spec,
        watchdog,
        resolve: (evidence) => {
          settle();
          resolve(evidence);
        },
        reject: (fault) => {
          settle();
          reject(fault);
        },
      };
      this.#socket.write(encodeRun(spec, needs));
      if (signal.aborted) cancel();
      else signal.addEventListener("abort", cancel, { once: true });
    });
  }

  /** Hangs up; the slot process ends itself and everything in it. */
  close(): void {
    this.#reusable = false;
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    try {
      for (const frame of this.#reader.push(chunk)) this.#frame(frame[0] ?? 0, frame.subarray(1));
    } catch (error) {
      this.#fail("slot_protocol", `a slot sent a broken frame: ${String(error)}`);
      this.close();
    }
  }

  #frame(kind: number, body: Buffer): void {
    const running = this.#running;
    if (kind === FRAME.fault) {
      this.#fail("slot_fault", body.toString("utf8").slice(0, 256));
      this.close();
    } else if (kind === FRAME.evidence && running !== null) {
      const { evidence, reusable } = decodeEvidence(body, running.spec);
      if (!reusable) this.close();
      running.resolve(evidence);
    } else {
      throw new RangeError(`unexpected frame of kind ${kind}`);
    }
  }

  #silent(): void {
    this.#fail("slot_hung", "a slot did not answer in time and was ended");
    this.#kill();
    this.close();
  }

  /** Told when it is known whether the other slots of its fork server are gone too: the call's repetition must not meet one. */
  #broken(kind: string, message: string): void {
    this.#reusable = false;
    if (this.#running !== null) void this.#serverKnown().then(() => this.#fail(kind, message));
  }

  #fail(kind: string, message: string): void {
    this.#reusable = false;
    this.#running?.reject(new SandboxFault(kind, message));
  }
}
