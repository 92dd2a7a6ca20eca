/**
 * An engine of sessions that fails in every way an engine can, by the throw of a seeded die. A session's state is the list of
 * the calls that took effect in it, its parent's before its fork included, and a call prints that list: whose state an
 * answer was made from is seen in it.
 */
import {
  type Engine,
  ForkRefused,
  type RunSpec,
  SandboxFault,
  type SessionEvidence,
  type SessionSandbox,
} from "../../src/core/ports.ts";
import { captured, evidence } from "./builders.ts";
import type { Random } from "./faulty-engine.ts";

/** How often each fault happens to a session, from 0 to 1. */
export interface SessionRates {
  readonly fault: number;
  readonly silent: number;
  readonly died: number;
  readonly slow: number;
}

export const NO_SESSION_FAULTS: SessionRates = { fault: 0, silent: 0, died: 0, slow: 0 };

const never = <T>(): Promise<T> => new Promise<T>(() => undefined);
const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms).unref());
/** Longer than core waits for an opening or a fork. */
const LATE_MS = 90_000;

export class FaultySessions implements Engine {
  readonly name = "container";
  readonly slots = 1;
  readonly broken: string[] = [];
  readonly open = new Set<FaultySession>();
  /** By call: how often it took effect. */
  readonly effects = new Map<string, number>();
  rates: SessionRates = NO_SESSION_FAULTS;
  mostOpen = 0;
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  start = () => Promise.resolve();
  close = () => Promise.resolve();
  describe = () => ({ engine: this.name, tier: "none" as const, layers: [], slots: 1, detail: {} });
  openSandbox = () =>
    Promise.resolve({ run: () => Promise.resolve(evidence()), close: () => Promise.resolve() });

  happens(rate: number): boolean {
    return this.#random() < rate;
  }

  async openSession(): Promise<SessionSandbox> {
    await this.pass();
    return this.make([]);
  }

  /** The time and the faults of whatever makes sandboxes. */
  async pass(): Promise<void> {
    if (this.happens(this.rates.silent)) await (this.happens(0.5) ? never() : after(LATE_MS));
    await after(20 * this.#random());
    if (this.happens(this.rates.fault)) throw new SandboxFault("no_sandbox", "no sandbox now");
  }

  make(state: readonly string[]): FaultySession {
    const sandbox = new FaultySession(this, state);
    this.open.add(sandbox);
    this.mostOpen = Math.max(this.mostOpen, this.open.size);
    return sandbox;
  }

  /** A container ends, and with it the sessions in it, whatever they do. */
  endContainer(): void {
    for (const sandbox of this.open) if (this.happens(0.5)) sandbox.die();
  }

  duration(): number {
    return 100 * this.#random();
  }
}

class FaultySession implements SessionSandbox {
  readonly lost: Promise<SandboxFault>;
  readonly #engine: FaultySessions;
  readonly #state: string[];
  #inside = false;
  #isClosed = false;
  readonly #death = Promise.withResolvers<SandboxFault>();
  readonly #lost = Promise.withResolvers<SandboxFault>();

  constructor(engine: FaultySessions, state: readonly string[]) {
    this.#engine = engine;
    this.#state = [...state];
    this.lost = this.#lost.promise;
  }

  die(): void {
    const fault = new SandboxFault("slot_died", "the container ended");
    this.#death.resolve(fault);
    if (!this.#inside) this.#lost.resolve(fault);
  }

  run(spec: RunSpec, signal: AbortSignal): Promise<SessionEvidence> {
    return this.#alone("run", () => this.#carryOut(spec.source.toString(), spec.limits.wall_ms, signal));
  }

  fork({ count }: { readonly count: number }): Promise<readonly SessionSandbox[]> {
    return this.#alone("fork", async () => {
      const engine = this.#engine;
      if (engine.happens(engine.rates.fault / 2)) throw new ForkRefused("no memory for a fork");
      await this.#orDeath(engine.pass());
      return Array.from({ length: count }, () => engine.make(this.#state));
    });
  }

  async close(): Promise<void> {
    if (this.#isClosed) this.#engine.broken.push("a session's sandbox was closed twice");
    this.#isClosed = true;
    this.#engine.open.delete(this);
    if (this.#engine.happens(this.#engine.rates.slow)) await after(50);
  }

  async #alone<T>(what: string, work: () => Promise<T>): Promise<T> {
    if (this.#inside) this.#engine.broken.push(`${what} while another was in the sandbox`);
    if (this.#isClosed) this.#engine.broken.push(`${what} in a closed sandbox`);
    this.#inside = true;
    try {
      return await work();
    } finally {
      this.#inside = false;
    }
  }

  async #orDeath<T>(work: Promise<T>): Promise<T> {
    const fault = await Promise.race([work.then(() => null), this.#death.promise]);
    if (fault !== null) throw fault;
    return work;
  }

  async #carryOut(source: string, wallMs: number, signal: AbortSignal): Promise<SessionEvidence> {
    const { rates } = this.#engine;
    if (this.#engine.happens(rates.silent)) return never();
    const aborted = new Promise<"cancel">((resolve) => {
      if (signal.aborted) resolve("cancel");
      else signal.addEventListener("abort", () => resolve("cancel"), { once: true });
    });
    const lastsMs = this.#engine.duration() * (this.#engine.happens(0.1) ? 100 : 1);
    const work = after(Math.min(lastsMs, wallMs)).then(() => (lastsMs > wallMs ? ("wall" as const) : null));
    const endedBy = await this.#orDeath(Promise.race([work, aborted]));
    if (this.#engine.happens(rates.fault)) throw new SandboxFault("slot_hung", "the slot hung");
    if (this.#engine.happens(rates.died)) return { ...evidence({ exitCode: 3 }), kept: false };
    if (endedBy !== null) return { ...evidence({ exitCode: null, signal: 9, endedBy }), kept: true };
    this.#state.push(source);
    this.#engine.effects.set(source, (this.#engine.effects.get(source) ?? 0) + 1);
    return { ...evidence({ stdout: captured(this.#state.join(" ")) }), kept: true };
  }
}
