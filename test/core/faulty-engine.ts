/**
 * An engine without sandboxes that fails in every way an engine can, by the throw of a seeded die. It also checks
 * what core owes an engine; what it finds broken is in `broken`.
 */
import {
  type Engine,
  type Evidence,
  type RunSpec,
  type Sandbox,
  SandboxFault,
} from "../../src/core/ports.ts";
import { captured, evidence } from "./builders.ts";

/** A number in [0, 1), the same row of them for the same seed. */
export type Random = () => number;

/** Mulberry32. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export type RunFault =
  | "fault"
  | "bug"
  | "throws"
  | "nonsense"
  | "unasked_cancel"
  | "deaf"
  | "until_signal"
  | "until_close"
  | "after_close";
export type OpenFault = "refused" | "bug" | "hangs" | "late";
export type CloseFault = "rejects" | "hangs" | "slow";

/** How often each fault happens; what is left out never does. */
export interface FaultRates {
  run: Partial<Record<RunFault, number>>;
  open: Partial<Record<OpenFault, number>>;
  close: Partial<Record<CloseFault, number>>;
}

export const NO_FAULTS: FaultRates = { run: {}, open: {}, close: {} };

function pick<Name extends string>(rates: Partial<Record<Name, number>>, random: Random): Name | null {
  let at = random();
  for (const [name, rate] of Object.entries(rates) as [Name, number][]) {
    at -= rate;
    if (at < 0) return name;
  }
  return null;
}

const never = <T>(): Promise<T> => new Promise<T>(() => undefined);
/** Unreferenced: a timer that keeps a process alive is one of core. */
const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms).unref());

export class FaultyEngine implements Engine {
  readonly name = "container";
  readonly slots: number;
  readonly random: Random;
  rates: FaultRates = NO_FAULTS;
  readonly broken: string[] = [];
  /** By source: how often it was run, and how often that ended in a fault of ours. */
  readonly runs = new Map<string, number>();
  readonly faults = new Map<string, number>();
  readonly sandboxes = new Set<FaultySandbox>();
  running = 0;
  opened = 0;
  /** Openings that failed or will be too late. */
  refused = 0;
  closed = false;
  /** What becomes of the runs in each container when it ends. Which one a run is in is decided anew for each. */
  readonly #containers: readonly Set<() => void>[] = [new Set(), new Set()];

  constructor(slots: number, random: Random) {
    this.slots = slots;
    this.random = random;
  }

  start(): Promise<void> {
    return Promise.resolve();
  }

  /** All runs in one container fail at the same moment. */
  endContainer(): void {
    const runs = this.#containers[Math.floor(this.random() * this.#containers.length)];
    for (const end of runs ?? []) end();
  }

  /** Resolves when the container that a run is put into ends. */
  enterContainer(): { readonly ended: Promise<"died">; leave(): void } {
    const runs = this.#containers[Math.floor(this.random() * this.#containers.length)] as Set<() => void>;
    const { promise, resolve } = Promise.withResolvers<"died">();
    const end = (): void => resolve("died");
    runs.add(end);
    return { ended: promise, leave: () => void runs.delete(end) };
  }

  async openSandbox(index: number): Promise<Sandbox> {
    if (this.closed) this.broken.push(`slot ${index} was opened after close`);
    const fault = pick(this.rates.open, this.random);
    if (fault !== null) this.refused++;
    if (fault === "hangs") return never();
    await after(fault === "late" ? 200_000 : 5 * this.random());
    if (fault === "refused" || fault === "bug") {
      throw fault === "bug"
        ? new TypeError("a bug in open")
        : new SandboxFault("no_sandbox", "no sandbox now");
    }
    this.opened++;
    const sandbox = new FaultySandbox(this);
    this.sandboxes.add(sandbox);
    return sandbox;
  }

  describe() {
    return { engine: this.name, tier: "none" as const, layers: [], slots: this.slots, detail: {} };
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }
}

class FaultySandbox implements Sandbox {
  readonly #engine: FaultyEngine;
  /** Source of the run that it is busy with. */
  #source: string | null = null;
  #faulty = false;
  #closed = false;
  #onClose: (() => void)[] = [];

  constructor(engine: FaultyEngine) {
    this.#engine = engine;
  }

  run(spec: RunSpec, signal: AbortSignal): Promise<Evidence> {
    const { broken, runs, slots } = this.#engine;
    const source = spec.source.toString();
    if (this.#source !== null) broken.push(`${source}: a sandbox was given two runs at once`);
    if (this.#faulty) broken.push(`${source}: a faulty sandbox was used again`);
    if (this.#closed) broken.push(`${source}: a closed sandbox was used`);
    runs.set(source, (runs.get(source) ?? 0) + 1);
    this.#source = source;
    if (++this.#engine.running > slots) broken.push(`${this.#engine.running} runs at once in ${slots} slots`);
    const fault = pick(this.#engine.rates.run, this.#engine.random);
    if (fault === "throws") {
      this.#fail();
      throw new TypeError("a bug before the run");
    }
    const run = this.#carryOut(source, spec, signal, fault);
    return run.then(
      (found) => (this.#free(), found),
      (error: unknown) => {
        this.#fail();
        throw error;
      },
    );
  }

  async close(): Promise<void> {
    const fault = pick(this.#engine.rates.close, this.#engine.random);
    // Core gave a run up that did not answer.
    if (this.#source !== null) this.#fail();
    this.#closed = true;
    this.#engine.sandboxes.delete(this);
    for (const tell of this.#onClose.splice(0)) tell();
    if (fault === "slow") await after(100);
    if (fault === "hangs") await never();
    if (fault === "rejects") throw new Error("a bug in close");
  }

  async #carryOut(
    source: string,
    spec: RunSpec,
    signal: AbortSignal,
    fault: RunFault | null,
  ): Promise<Evidence> {
    const { random } = this.#engine;
    const aborted = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener("abort", () => resolve(), { once: true });
    });
    const closed = new Promise<void>((resolve) => this.#onClose.push(resolve));
    const found = evidence({ stdout: captured(source), runMs: 10 });
    const cancelled = { ...found, exitCode: null, signal: 9, endedBy: "cancel" } as const;
    if (fault === "deaf") return never();
    if (fault === "until_close" || fault === "after_close") {
      await closed;
      if (fault === "until_close") throw new SandboxFault("closed", "closed while it ran");
      await after(20);
      return found;
    }
    const wallMs = spec.limits.wall_ms * (fault === "until_signal" ? 1 : random());
    const container = this.#engine.enterContainer();
    const ended = await Promise.race([
      after(wallMs),
      aborted.then(() => "cancel" as const),
      container.ended,
    ]).finally(() => container.leave());
    if (ended === "died") throw new SandboxFault("container_died", "its container ended");
    if (fault === "fault") throw new SandboxFault("died", "the sandbox died");
    if (fault === "bug") throw new TypeError("a bug in a run");
    if (fault === "nonsense") {
      this.#fail();
      return undefined as unknown as Evidence;
    }
    if (ended === "cancel") return cancelled;
    if (fault === "unasked_cancel") {
      this.#fail();
      return cancelled;
    }
    if (fault === "until_signal") return { ...found, exitCode: null, signal: 9, endedBy: "wall" };
    return found;
  }

  #free(): void {
    if (this.#source === null) return;
    this.#source = null;
    this.#engine.running--;
  }

  #fail(): void {
    const { faults } = this.#engine;
    if (this.#source !== null) faults.set(this.#source, (faults.get(this.#source) ?? 0) + 1);
    this.#faulty = true;
    this.#free();
  }
}
