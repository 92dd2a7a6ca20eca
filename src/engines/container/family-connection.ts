/**
 * The slot process of a session and its forks, seen through its socket: many sessions, each with one thing under way.
 *
 * Invariant: whatever happens to the slot, every promise settles; a slot that stays silent past a call's limits is ended
 * from outside, and with it all sessions of the family.
 */
import { ForkRefused, type RunSpec, type SessionEvidence, SandboxFault } from "../../core/ports.ts";
import type { FamilyProcess } from "./fork-server.ts";
import {
  decodeSession,
  decodeSessionEvidence,
  encodeSession,
  encodeSessionCall,
  encodeSessionFork,
  encodeSessionOpen,
  FRAME,
} from "./protocol.ts";

/** Past its wall limit and the grace of an interrupted interpreter. */
const SILENCE_MS_MAX = 8_000;
const OPEN_MS_MAX = 10_000;
/** What the slot itself allows, and some. */
const FORK_MS_MAX = 35_000;

/** What a session waits for. */
interface Pending {
  readonly kind: number;
  readonly resolve: (body: Buffer) => void;
  readonly reject: (fault: SandboxFault) => void;
  readonly watchdog: NodeJS.Timeout;
}

interface Member {
  pending: Pending | null;
  readonly lost: (fault: SandboxFault) => void;
}

export class FamilyConnection {
  /** Of the slot inside its container. */
  readonly pid: number;
  readonly #process: FamilyProcess;
  readonly #members = new Map<number, Member>();
  #gone: SandboxFault | null = null;

  constructor(process: FamilyProcess) {
    this.pid = process.pid;
    this.#process = process;
    process.socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    process.socket.on("error", () =>
      this.#lose("family_lost", "the connection to a family of sessions broke"),
    );
    process.socket.on("close", () => this.#lose("family_died", "the slot of a family of sessions ended"));
  }

  /** Sessions that are open. */
  get size(): number {
    return this.#members.size;
  }

  /** Enters a session, whose interpreter may end while nothing is asked of it. */
  enter(session: number, lost: (fault: SandboxFault) => void): void {
    this.#members.set(session, { pending: null, lost });
    if (this.#gone !== null) lost(this.#gone);
  }

  leave(session: number): void {
    this.#members.delete(session);
  }

  /** @throws SandboxFault */
  async open(session: number, leaf: string, program: boolean, spec: RunSpec): Promise<void> {
    const frame = encodeSessionOpen(session, leaf, program, spec);
    const words = await this.#ask(session, FRAME.sessionOpened, frame, OPEN_MS_MAX);
    if (words.length > 0) throw new SandboxFault("session_not_opened", words.toString("utf8"));
  }

  /** @throws SandboxFault */
  async run(session: number, spec: RunSpec, signal: AbortSignal): Promise<SessionEvidence> {
    const cancel = (): void => this.#write(encodeSession(FRAME.sessionCancel, session));
    const frame = encodeSessionCall(session, spec);
    const answer = this.#ask(session, FRAME.sessionEvidence, frame, spec.limits.wall_ms + SILENCE_MS_MAX);
    if (signal.aborted) cancel();
    else signal.addEventListener("abort", cancel, { once: true });
    try {
      return decodeSessionEvidence(await answer, spec);
    } catch (error) {
      if (error instanceof SandboxFault) throw error;
      throw this.#end("slot_protocol", `a family's slot sent a broken frame: ${String(error)}`);
    } finally {
      signal.removeEventListener("abort", cancel);
    }
  }

  /** @throws ForkRefused or SandboxFault */
  async fork(
    session: number,
    reseed: boolean,
    forks: readonly { readonly session: number; readonly leaf: string }[],
  ): Promise<void> {
    const frame = encodeSessionFork(session, reseed, forks);
    const words = await this.#ask(session, FRAME.sessionForked, frame, FORK_MS_MAX);
    if (words.length > 0) throw new ForkRefused(words.toString("utf8"));
  }

  /** Ends a session's processes, or, when the slot does not answer, the family's. Never rejects. */
  async close(session: number): Promise<void> {
    await this.#ask(
      session,
      FRAME.sessionClosed,
      encodeSession(FRAME.sessionClose, session),
      OPEN_MS_MAX,
    ).catch(() => undefined);
  }

  /** Hangs up; the slot process ends itself and everything in it. */
  end(): void {
    this.#process.socket.destroy();
  }

  #ask(session: number, kind: number, frame: Buffer, ms: number): Promise<Buffer> {
    const member = this.#members.get(session);
    if (this.#gone !== null || member === undefined)
      return Promise.reject(this.#gone ?? new SandboxFault("session_lost", "the session is gone"));
    // Closing may come while something is under way, which then has no answer.
    member.pending?.reject(new SandboxFault("session_closed", "the session was closed"));
    return new Promise((resolve, reject) => {
      const watchdog = setTimeout(
        () => this.#end("family_hung", "a family of sessions did not answer in time and was ended"),
        ms,
      );
      const settle = (): void => {
        clearTimeout(watchdog);
        member.pending = null;
      };
      member.pending = {
        kind,
        watchdog,
        resolve: (body) => {
          settle();
          resolve(body);
        },
        reject: (fault) => {
          settle();
          reject(fault);
        },
      };
      this.#write(frame);
    });
  }

  #write(frame: Buffer): void {
    if (!this.#process.socket.destroyed) this.#process.socket.write(frame);
  }

  #receive(chunk: Buffer): void {
    try {
      for (const frame of this.#process.reader.push(chunk)) this.#frame(frame[0] ?? 0, frame.subarray(1));
    } catch (error) {
      this.#end("slot_protocol", `a family's slot sent a broken frame: ${String(error)}`);
    }
  }

  #frame(kind: number, body: Buffer): void {
    if (kind === FRAME.fault) {
      this.#end("slot_fault", body.toString("utf8").slice(0, 256));
      return;
    }
    const { session, rest } = decodeSession(body);
    const member = this.#members.get(session);
    if (member === undefined) return;
    if (kind === FRAME.sessionEnded) {
      const fault = new SandboxFault("session_died", rest.toString("utf8").slice(0, 256));
      member.pending?.reject(fault);
      member.lost(fault);
    } else if (member.pending?.kind === kind) member.pending.resolve(rest);
    else if (kind !== FRAME.sessionEvidence && kind !== FRAME.sessionForked)
      throw new RangeError(`unexpected frame of kind ${kind}`);
  }

  #end(kind: string, message: string): SandboxFault {
    const fault = this.#lose(kind, message);
    this.#process.kill();
    this.end();
    return fault;
  }

  /** @returns why the family is gone, which may be an earlier reason */
  #lose(kind: string, message: string): SandboxFault {
    const fault = (this.#gone ??= new SandboxFault(kind, message));
    for (const member of this.#members.values()) {
      member.pending?.reject(fault);
      member.lost(fault);
    }
    return fault;
  }
}
