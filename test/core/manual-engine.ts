/** An engine whose runs a test ends by hand. */
import {
  type Engine,
  type Evidence,
  type RunSpec,
  type Sandbox,
  SandboxFault,
} from "../../src/core/ports.ts";
import { captured, evidence } from "./builders.ts";

export class ManualRun {
  readonly source: string;
  readonly signal: AbortSignal;
  readonly #settled = Promise.withResolvers<Evidence>();

  constructor(spec: RunSpec, signal: AbortSignal) {
    this.source = spec.source.toString();
    this.signal = signal;
  }

  get evidence(): Promise<Evidence> {
    return this.#settled.promise;
  }

  /** The program ends; its output is its source. */
  end(fields: Partial<Evidence> = {}): void {
    this.#settled.resolve(evidence({ stdout: captured(this.source), ...fields }));
  }

  /** The sandbox has done what an abort asks of it. */
  cancel(): void {
    this.end({ exitCode: null, signal: 9, endedBy: "cancel" });
  }

  fail(error: unknown = new SandboxFault("died", "the sandbox died")): void {
    this.#settled.reject(error);
  }
}

export class ManualEngine implements Engine {
  readonly name = "container";
  readonly slots: number;
  /** Every run that was begun, the first one first. */
  readonly runs: ManualRun[] = [];
  /** What becomes of the next openings; when there is none left they succeed at once. */
  readonly openings: (() => Promise<void>)[] = [];
  opened = 0;
  closedSandboxes = 0;
  closed = 0;
  /** Whether an abort ends a run, as it should. */
  obedient = true;

  constructor(slots = 1) {
    this.slots = slots;
  }

  start(): Promise<void> {
    return Promise.resolve();
  }

  async openSandbox(): Promise<Sandbox> {
    await this.openings.shift()?.();
    this.opened++;
    return {
      run: (spec, signal) => {
        const run = new ManualRun(spec, signal);
        this.runs.push(run);
        if (this.obedient) signal.addEventListener("abort", () => run.cancel(), { once: true });
        return run.evidence;
      },
      close: () => {
        this.closedSandboxes++;
        return Promise.resolve();
      },
    };
  }

  run(index: number): ManualRun {
    const run = this.runs.at(index);
    if (run === undefined) throw new Error(`there is no run ${index} of ${this.runs.length}`);
    return run;
  }

  describe() {
    return { engine: this.name, tier: "none" as const, layers: [], slots: this.slots, detail: {} };
  }

  close(): Promise<void> {
    this.closed++;
    return Promise.resolve();
  }
}
