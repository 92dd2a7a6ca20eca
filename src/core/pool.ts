/**
 * The slots of one engine and the calls that wait for them.
 *
 * Invariants: a slot has at most one call; a ticket that was submitted settles exactly once; a sandbox that
 * failed is never used again. A call whose sandbox failed is run once more, at the head of its line, and is
 * `sandbox_failed` after that.
 */
import { SandboxError } from "../contract/errors.ts";
import type { CallObserver, SlotState } from "./observer.ts";
import { CallQueue } from "./call-queue.ts";
import type { CallTicket, GivenUp } from "./call-ticket.ts";
import type { CompiledPrograms } from "./compiled.ts";
import { conclude, concludeWithoutRun } from "./conclude.ts";
import { inTime, pause } from "./patience.ts";
import { type Engine, type Sandbox, SandboxFault } from "./ports.ts";
import { runStages, type StagesEnd } from "./stages.ts";

/** A call is run again once after a fault of ours. */
const RUNS_MAX = 2;
/** How long a sandbox may take to open: an engine may have to start what all of them share first. */
const OPEN_MS_MAX = 60_000;
const CLOSE_MS_MAX = 10_000;
const REOPEN_DELAY_MS = [0, 50, 200, 1000, 5000] as const;
/** How long all slots may be down before the calls that wait are answered `sandbox_failed`. */
const OUTAGE_MS_MAX = 30_000;
const OUTAGE_REPEAT_MS = 1_000;

interface Slot {
  readonly index: number;
  state: SlotState;
  sandbox: Sandbox | null;
  failures: number;
}

export interface PoolOptions {
  readonly engine: Engine;
  readonly observer: CallObserver;
  readonly now: () => number;
  readonly programs: CompiledPrograms;
  /** Told of every sandbox that failed, with the words that a log needs. */
  readonly onFault?: (engine: string, fault: SandboxFault) => void;
}

export class Pool {
  readonly queue = new CallQueue<CallTicket>();
  readonly #engine: Engine;
  readonly #observer: CallObserver;
  readonly #now: () => number;
  readonly #slots: Slot[];
  readonly #idle: Slot[] = [];
  #running = 0;
  #meanRunMs = 0;
  readonly #programs: CompiledPrograms;
  readonly #onFault: PoolOptions["onFault"];
  #outage: NodeJS.Timeout | null = null;
  #lastFault = "";
  /** Sandboxes that are being closed. */
  readonly #ending = new Set<Promise<void>>();
  readonly #closing = new AbortController();

  constructor(options: PoolOptions) {
    this.#engine = options.engine;
    this.#observer = options.observer;
    this.#now = options.now;
    this.#programs = options.programs;
    this.#onFault = options.onFault;
    this.#slots = Array.from({ length: options.engine.slots }, (_, index) => ({
      index,
      state: "starting" as const,
      sandbox: null,
      failures: 0,
    }));
  }

  /**
   * Starts the engine and opens its slots; those that cannot be opened yet are tried again while others serve.
   * Rejects when the engine cannot be started or not one slot opened; the pool is then good for nothing but `close`.
   */
  async start(): Promise<void> {
    await this.#engine.start();
    const opened = await Promise.all(this.#slots.map((slot) => this.#tryOpen(slot)));
    if (!opened.includes(true))
      throw new SandboxError(
        "engine_unavailable",
        `the ${this.engineName} engine opened no sandbox: ${this.#lastFault}`,
      );
    for (const [index, slot] of this.#slots.entries()) if (opened[index] === false) void this.#open(slot);
  }

  get engineName(): string {
    return this.#engine.name;
  }

  get running(): number {
    return this.#running;
  }

  get #closed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** Whether any slot can carry out a call now or soon. */
  get available(): boolean {
    return this.#outage === null && !this.#closed;
  }

  slotCounts(): Map<SlotState, number> {
    const counts = new Map<SlotState, number>();
    for (const slot of this.#slots) counts.set(slot.state, (counts.get(slot.state) ?? 0) + 1);
    return counts;
  }

  /** Milliseconds that a call which comes now will wait, by the mean of the runs so far. */
  expectedWaitMs(callsAhead = this.queue.length): number {
    return (Math.max(0, callsAhead - this.#idle.length) / this.#slots.length) * this.#meanRunMs;
  }

  /** Runs the call as soon as a slot is free. Its ticket settles, whatever happens. */
  submit(ticket: CallTicket): void {
    // A running call is ended by its sandbox, which answers.
    ticket.onGivenUp = () => this.#leaveQueue(ticket);
    this.#enqueue(ticket, false);
    if (ticket.givenUp !== null) this.#leaveQueue(ticket);
  }

  #enqueue(ticket: CallTicket, front: boolean): void {
    ticket.waiting = true;
    if (front) this.queue.pushFront(ticket);
    else this.queue.push(ticket);
    this.#pump();
  }

  #pump(): void {
    while (this.#idle.length > 0) {
      const ticket = this.#takeWaiting();
      if (ticket === null) return;
      void this.#run(this.#idle.pop() as Slot, ticket);
    }
  }

  #takeWaiting(): CallTicket | null {
    const ticket = this.queue.take();
    if (ticket !== null) ticket.waiting = false;
    return ticket;
  }

  #leaveQueue(ticket: CallTicket): void {
    if (!ticket.waiting) return;
    ticket.waiting = false;
    this.queue.remove(ticket);
    const started = ticket.runs > 0;
    if (!started) ticket.grantedMs = this.#now();
    ticket.settle(
      concludeWithoutRun(
        ticket.call,
        "cancelled",
        gaveUp(ticket.givenUp, started ? "before it was run again" : "before it started"),
        ticket,
      ),
    );
  }

  async #run(slot: Slot, ticket: CallTicket): Promise<void> {
    slot.state = "busy";
    this.#running++;
    if (ticket.runs === 0) {
      ticket.grantedMs = this.#now();
      this.#observer.granted(ticket.call.runtime.id, ticket.grantedMs - ticket.acceptedMs);
    }
    ticket.runs++;
    try {
      this.#settle(ticket, await this.#carryOut(slot, ticket));
      slot.failures = 0;
      this.#release(slot);
    } catch (error) {
      this.#failed(slot, ticket, error);
    } finally {
      this.#running--;
    }
    this.#pump();
  }

  #carryOut(slot: Slot, ticket: CallTicket): Promise<StagesEnd> {
    if (ticket.call.spec.entry.kind === "fork") this.#observer.forked(this.#engine.name);
    return runStages(slot.sandbox as Sandbox, ticket, this.#programs, this.#now);
  }

  #settle(ticket: CallTicket, { evidence, compile }: StagesEnd): void {
    const result = conclude(ticket.call, evidence, ticket, compile);
    const share = this.#meanRunMs === 0 ? 1 : 0.05;
    const heldMs = evidence.runMs + (compile === null ? 0 : evidence.startMs);
    this.#meanRunMs += share * (heldMs - this.#meanRunMs);
    ticket.settle(
      result.outcome === "cancelled" ? { ...result, detail: gaveUp(ticket.givenUp, "while it ran") } : result,
    );
  }

  #release(slot: Slot): void {
    if (this.#closed) return;
    slot.state = "idle";
    this.#idle.push(slot);
  }

  #failed(slot: Slot, ticket: CallTicket, error: unknown): void {
    const fault = this.#fault(error);
    if (ticket.givenUp !== null) {
      ticket.settle(
        concludeWithoutRun(ticket.call, "cancelled", gaveUp(ticket.givenUp, "while it ran"), ticket),
      );
    } else if (ticket.runs >= RUNS_MAX || this.#closed) {
      ticket.settle(
        concludeWithoutRun(
          ticket.call,
          "sandbox_failed",
          `the sandbox failed (${fault.kind}): ${fault.message}`,
          ticket,
        ),
      );
    } else {
      this.#observer.retried(ticket.call.runtime.id);
      this.#enqueue(ticket, true);
    }
    slot.failures++;
    void this.#reopen(slot, fault.kind);
  }

  /** @param kind name of what is no SandboxFault */
  #fault(error: unknown, kind = "engine_bug"): SandboxFault {
    const fault =
      error instanceof SandboxFault ? error : new SandboxFault(kind, String(error), { cause: error });
    this.#lastFault = fault.message;
    this.#observer.fault(this.#engine.name, fault.kind);
    this.#onFault?.(this.#engine.name, fault);
    return fault;
  }

  async #reopen(slot: Slot, why: string): Promise<void> {
    slot.state = "resetting";
    await this.#discard(slot);
    if (this.#closed) return;
    this.#observer.restarted(this.#engine.name, why);
    await this.#open(slot);
  }

  async #open(slot: Slot): Promise<void> {
    do {
      await pause(
        REOPEN_DELAY_MS[Math.min(slot.failures, REOPEN_DELAY_MS.length - 1)] as number,
        this.#closing.signal,
      );
    } while (!this.#closed && !(await this.#tryOpen(slot)));
  }

  async #tryOpen(slot: Slot): Promise<boolean> {
    try {
      slot.sandbox = await this.#openSandbox(slot.index);
    } catch (error) {
      this.#down(slot, error);
      return false;
    }
    if (this.#closed) {
      await this.#discard(slot);
      return false;
    }
    if (this.#outage !== null) clearTimeout(this.#outage);
    this.#outage = null;
    this.#release(slot);
    this.#pump();
    return true;
  }

  async #openSandbox(index: number): Promise<Sandbox> {
    const opening = this.#engine.openSandbox(index);
    try {
      return await inTime(opening, OPEN_MS_MAX, "open_silent", this.#closing.signal);
    } catch (error) {
      // One that comes too late has no slot any more.
      void opening.then(
        (late) => this.#end(late),
        () => undefined,
      );
      throw error;
    }
  }

  async #discard(slot: Slot): Promise<void> {
    const { sandbox } = slot;
    slot.sandbox = null;
    if (sandbox !== null) await this.#end(sandbox);
  }

  /** A sandbox that does not end in time is left to the engine. */
  async #end(sandbox: Sandbox): Promise<void> {
    const ended = this.#endInTime(sandbox);
    this.#ending.add(ended);
    await ended;
    this.#ending.delete(ended);
  }

  async #endInTime(sandbox: Sandbox): Promise<void> {
    try {
      await inTime(sandbox.close(), CLOSE_MS_MAX, "close_silent");
    } catch (error) {
      this.#fault(error);
    }
  }

  /** No sandbox for this slot now. When that is so for all and lasts, those who wait are told. */
  #down(slot: Slot, error: unknown): void {
    if (this.#closed) return;
    slot.state = "down";
    slot.failures++;
    this.#fault(error, "open_failed");
    if (this.#outage === null && this.#slots.every((one) => one.state === "down")) {
      this.#outage = setTimeout(() => this.#failWaiting(), OUTAGE_MS_MAX);
      this.#outage.unref();
    }
  }

  #failWaiting(): void {
    this.#settleWaiting("sandbox_failed", `no sandbox could be opened: ${this.#lastFault}`);
    this.#outage = setTimeout(() => this.#failWaiting(), OUTAGE_REPEAT_MS);
    this.#outage.unref();
  }

  #settleWaiting(outcome: "cancelled" | "sandbox_failed", detail: string): void {
    for (let ticket = this.#takeWaiting(); ticket !== null; ticket = this.#takeWaiting()) {
      ticket.settle(concludeWithoutRun(ticket.call, outcome, detail, ticket));
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    if (this.#outage !== null) clearTimeout(this.#outage);
    this.#idle.length = 0;
    this.#settleWaiting("cancelled", "the service was closed before the call started");
    for (const slot of this.#slots) void this.#discard(slot);
    await Promise.all(this.#ending);
    await this.#engine.close();
  }
}

function gaveUp(why: GivenUp | null, when: string): string {
  if (why === "deadline") return `the call's deadline_ms passed ${when}`;
  return why === "shutdown"
    ? `the service shut down ${when === "before it started" ? when : "before it ended"}`
    : `the call was given up by its caller ${when}`;
}
