/** A slot's place for runs: always some host, never one that another slot has. */
import { type Evidence, type RunSpec, type Sandbox, SandboxFault } from "../../core/ports.ts";
import type { HostProcess } from "./host-process.ts";

/** Runs after which a host is replaced: bounds what a leak of V8 or of isolated-vm can come to. */
const RUNS_PER_HOST_MAX = 5_000;
/** Resident memory of an idle host above which it is replaced. Bytes. */
const IDLE_RESIDENT_BYTES_MAX = 512 << 20;

export interface HostSupply {
  /** A ready host that nobody has. */
  take(): Promise<HostProcess>;
  /** A host that has rested, for one that has just run and makes its next isolate now; the same one if none has. */
  relieve(host: HostProcess): HostProcess;
  /** Takes back a host that is of no more use, and ends it. */
  discard(host: HostProcess): void;
}

export class IsolateSandbox implements Sandbox {
  readonly #supply: HostSupply;
  #host: HostProcess;
  #isClosed = false;

  constructor(supply: HostSupply, host: HostProcess) {
    this.#supply = supply;
    this.#host = host;
  }

  async run(spec: RunSpec, signal: AbortSignal): Promise<Evidence> {
    if (this.#isClosed) throw new SandboxFault("closed", "the sandbox is closed");
    // A host can end between two runs, or with the run before: the run that ended it had its evidence all the same.
    if (!this.#host.isUsable) await this.#replace();
    const evidence = await this.#host.run(spec, signal);
    if (this.#host.calls >= RUNS_PER_HOST_MAX || this.#host.residentBytes > IDLE_RESIDENT_BYTES_MAX)
      this.#host.kill();
    if (!this.#isClosed) this.#host = this.#supply.relieve(this.#host);
    return evidence;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#supply.discard(this.#host);
  }

  async #replace(): Promise<void> {
    this.#supply.discard(this.#host);
    this.#host = await this.#supply.take();
  }
}
