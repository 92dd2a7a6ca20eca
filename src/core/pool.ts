/**
 * The slots of one engine and the calls that wait for them.
 *
 * Invariants: a slot has at most one call; a ticket that was submitted settles exactly once; a sandbox that
 * failed is never used again. A call whose sandbox failed is run once more, at the head of its line, and is
 * `sandbox_failed` after that.
 */
import type { CallObserver, SlotState } from "./observer.ts";
import { CallQueue } from "./call-queue.ts";
import type { CallTicket, GivenUp } from "./call-ticket.ts";
import { conclude, concludeWithoutRun } from "./conclude.ts";
import { type Engine, type Evidence, type Sandbox, SandboxFault } from "./ports.ts";

/** A call is run again once after a fault of ours. */
const RUNS_MAX = 2;
/** Past its wall limit, how long a sandbox may take to answer before it is given up as failed. */
const SILENCE_MS_MAX = 15_000;
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
  #outage: NodeJS.Timeout | null = null;
  #lastFault = "";
  #closed = false;

  constructor(options: PoolOptions) {
    this.#engine = options.engine;
    this.#observer = options.observer;
    this.#now = options.now;
    this.#slots = Array.from({ length: options.engine.slots }, (_, index) => ({ index, state: "starting" as const, sandbox: null, failures: 0 }));
  }

  /** Starts the engine and opens every slot. Rejects when the engine cannot be started. */
  async start(): Promise<void> {
    await this.#engine.start();
    await Promise.all(this.#slots.map((slot) => this.#open(slot)));
  }

  get engineName(): string {
    return this.#engine.name;
  }

  get running(): number {
    return this.#running;
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
    return this.#idle.length > 0 ? 0 : (callsAhead / this.#slots.length) * this.#meanRunMs;
  }

  /** Runs the call as soon as a slot is free. Its ticket settles, whatever happens. */
  submit(ticket: CallTicket): void {
    // A running call is ended by its sandbox, which answers.
    ticket.signal.addEventListener("abort", () => this.#leaveQueue(ticket), { once: true });
    this.#enqueue(ticket, false);
    if (ticket.signal.aborted) this.#leaveQueue(ticket);
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
    ticket.grantedMs = this.#now();
    ticket.settle(concludeWithoutRun(ticket.call, "cancelled", gaveUp(ticket.givenUp, "before it started"), ticket));
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
      const evidence = await this.#carryOut(slot, ticket);
      this.#settle(ticket, evidence);
      slot.failures = 0;
      this.#release(slot);
    } catch (error) {
      this.#failed(slot, ticket, error);
    } finally {
      this.#running--;
    }
    this.#pump();
  }

  async #carryOut(slot: Slot, ticket: CallTicket): Promise<Evidence> {
    const { spec } = ticket.call;
    if (spec.entry.kind === "fork") this.#observer.forked(this.#engine.name);
    let watchdog: NodeJS.Timeout | undefined;
    const silence = new Promise<never>((_, reject) => {
      watchdog = setTimeout(() => reject(new SandboxFault("sandbox_silent", "a sandbox did not answer in time")), spec.limits.wall_ms + SILENCE_MS_MAX);
    });
    try {
      return await Promise.race([(slot.sandbox as Sandbox).run(spec, ticket.signal), silence]);
    } finally {
      clearTimeout(watchdog);
    }
  }

  #settle(ticket: CallTicket, evidence: Evidence): void {
    const share = this.#meanRunMs === 0 ? 1 : 0.05;
    this.#meanRunMs += share * (evidence.runMs - this.#meanRunMs);
    const result = conclude(ticket.call, evidence, ticket);
    ticket.settle(result.outcome === "cancelled" ? { ...result, detail: gaveUp(ticket.givenUp, "while it ran") } : result);
  }

  #release(slot: Slot): void {
    if (this.#closed) return;
    slot.state = "idle";
    this.#idle.push(slot);
  }

  #failed(slot: Slot, ticket: CallTicket, error: unknown): void {
    const fault = error instanceof SandboxFault ? error : new SandboxFault("engine_bug", String(error), { cause: error });
    this.#lastFault = fault.message;
    this.#observer.fault(this.#engine.name, fault.kind);
    if (ticket.givenUp !== null) {
      ticket.settle(concludeWithoutRun(ticket.call, "cancelled", gaveUp(ticket.givenUp, "while it ran"), ticket));
    } else if (ticket.runs >= RUNS_MAX || this.#closed) {
      ticket.settle(concludeWithoutRun(ticket.call, "sandbox_failed", `the sandbox failed (${fault.kind}): ${fault.message}`, ticket));
    } else {
      this.#observer.retried(ticket.call.runtime.id);
      this.#enqueue(ticket, true);
    }
    slot.failures++;
    void this.#reopen(slot, fault.kind);
  }

  async #reopen(slot: Slot, why: string): Promise<void> {
    slot.state = "resetting";
    const { sandbox } = slot;
    slot.sandbox = null;
    await sandbox?.close();
    this.#observer.restarted(this.#engine.name, why);
    await this.#open(slot);
  }

  async #open(slot: Slot): Promise<void> {
    for (let attempt = slot.failures; !this.#closed; attempt++) {
      await delay(REOPEN_DELAY_MS[Math.min(attempt, REOPEN_DELAY_MS.length - 1)] as number);
      try {
        slot.sandbox = await this.#engine.openSandbox(slot.index);
        break;
      } catch (error) {
        this.#down(slot, error);
      }
    }
    if (this.#closed) {
      await slot.sandbox?.close();
      return;
    }
    if (this.#outage !== null) clearTimeout(this.#outage);
    this.#outage = null;
    this.#release(slot);
    this.#pump();
  }

  /** No sandbox for this slot now. When that is so for all and lasts, those who wait are told. */
  #down(slot: Slot, error: unknown): void {
    slot.state = "down";
    slot.failures++;
    this.#lastFault = error instanceof Error ? error.message : String(error);
    this.#observer.fault(this.#engine.name, error instanceof SandboxFault ? error.kind : "engine_bug");
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
    this.#closed = true;
    if (this.#outage !== null) clearTimeout(this.#outage);
    this.#idle.length = 0;
    this.#settleWaiting("cancelled", "the service was closed before the call started");
    await Promise.all(this.#slots.map((slot) => slot.sandbox?.close()));
    await this.#engine.close();
  }
}

function gaveUp(why: GivenUp | null, when: string): string {
  return why === "deadline" ? `the call's deadline_ms passed ${when}` : `the call was given up by its caller ${when}`;
}

function delay(ms: number): Promise<void> {
  return ms === 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, ms));
}
