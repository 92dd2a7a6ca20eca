/**
 * The isolate engine: JavaScript in V8 isolates, one fresh isolate for each call, in confined host processes.
 *
 * A host has one slot. V8 is no hard boundary: a catastrophic heap error ends its process, and some native
 * loops (a BigInt power, a huge sort) hear no termination, so that only killing the process ends them. With
 * several calls in a process nobody could tell which of them it was, and neighbours would lose their runs to
 * it again and again. With one, the process's memory, CPU time and end are the call's own, and blame is
 * certain. The price is about 70 MB for each idle slot. One spare for all stands ready, so that a slot whose
 * host was killed goes on at once. After each run a slot's host and the spare change places: the one that has just
 * run makes its next isolate while the other, which has one, waits for the next call.
 */
import type { Confinement } from "../../confine/ports.ts";
import type { EngineDescription } from "../../contract/description.ts";
import { type Engine, type Sandbox, SandboxFault } from "../../core/ports.ts";
import { type HostLaunchOptions, launchHost } from "./host-launch.ts";
import type { HostProcess } from "./host-process.ts";
import { IsolateSandbox } from "./isolate-sandbox.ts";

export interface IsolateEngineOptions {
  readonly confinement: Confinement;
  /** Calls that run at once; each has a host of its own. */
  readonly slots: number;
  /** Node executable on this side; it must be of the version that the engine itself runs on. */
  readonly nodePath: string;
  /** Heap limit that isolates are made ready with: the default of `limits.memory_bytes`. Bytes. */
  readonly isolateMemoryBytes?: number;
  /** Bound on a host's container, above the most a call may ask for; a call beyond it meets the kernel. Bytes. */
  readonly hostMemoryBytes?: number;
  /** Told of every host that ended unasked, by a stable word for metrics. */
  readonly onFault?: (kind: string, message: string) => void;
  /** Milliseconds of a clock that never goes back. Default: performance.now. */
  readonly now?: () => number;
}

const MiB = 1 << 20;
const DEFAULT_ISOLATE_MEMORY_BYTES = 512 * MiB;
/** The default ceiling of `limits.memory_bytes` and what a host needs besides. */
const DEFAULT_HOST_MEMORY_BYTES = (4096 + 256) * MiB;
const RETRY_DELAY_MS_MAX = 5_000;

export function createIsolateEngine(options: IsolateEngineOptions): Engine {
  return new IsolateEngine(options);
}

class IsolateEngine implements Engine {
  readonly name = "isolate";
  readonly slots: number;
  readonly #options: IsolateEngineOptions;
  readonly #launchOptions: HostLaunchOptions;
  readonly #hosts = new Set<HostProcess>();
  readonly #discarding = new Set<Promise<void>>();
  #spare: Promise<HostProcess> | undefined;
  /** The spare once it is there. */
  #rested: HostProcess | undefined;
  #versions: Readonly<Record<string, string>> = {};
  #ordinal = 0;
  #failures = 0;
  #isClosed = false;

  constructor(options: IsolateEngineOptions) {
    this.#options = options;
    this.slots = options.slots;
    this.#launchOptions = {
      confinement: options.confinement,
      nodePath: options.nodePath,
      memoryBytes: options.hostMemoryBytes ?? DEFAULT_HOST_MEMORY_BYTES,
      isolateMemoryBytes: options.isolateMemoryBytes ?? DEFAULT_ISOLATE_MEMORY_BYTES,
      now: options.now ?? (() => performance.now()),
    };
  }

  async start(): Promise<void> {
    const first = this.#spare ?? this.#launch();
    this.#spare = first;
    try {
      this.#versions = await (await first).versions;
    } catch (error) {
      this.#spare = undefined;
      throw error;
    }
  }

  async openSandbox(index: number): Promise<Sandbox> {
    if (!Number.isInteger(index) || index < 0 || index >= this.slots)
      throw new RangeError(`there is no slot ${index}`);
    return new IsolateSandbox(
      {
        take: () => this.#take(),
        relieve: (host) => this.#relieve(host),
        discard: (host) => this.#discard(host),
      },
      await this.#take(),
    );
  }

  describe(): EngineDescription {
    const { tier, layers, detail } = this.#options.confinement.isolation;
    return {
      engine: this.name,
      tier,
      slots: this.slots,
      layers: [
        {
          name: "V8 isolate",
          state: "enforced",
          detail: "a fresh heap for each call; no function of the host within reach",
        },
        {
          name: "language",
          state: "enforced",
          detail: "no WebAssembly, SharedArrayBuffer or Atomics; a clock in whole milliseconds",
        },
        {
          name: "process",
          state: "enforced",
          detail: "one host process for each slot, killed half a second past a call's wall limit",
        },
        ...layers,
      ],
      detail: { ...detail, ...this.#versions },
    };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const spare = this.#spare;
    this.#spare = undefined;
    this.#rested = undefined;
    const host = await spare?.catch(() => undefined);
    if (host !== undefined) this.#discard(host);
    for (const each of this.#hosts) this.#discard(each);
    await Promise.all(this.#discarding);
  }

  /** The spare, and another is made; or, when it is not ready yet, whichever of it and a new one there is. */
  async #take(): Promise<HostProcess> {
    if (this.#isClosed) throw new SandboxFault("closed", "the engine is closed");
    const ready = this.#spare ?? this.#launch();
    this.#spare = undefined;
    this.#rested = undefined;
    const host = await ready;
    this.#keepSpare();
    // A spare can end while it waits; the next launch will say why if there is a reason.
    return host.isUsable ? host : this.#launch();
  }

  #keepSpare(): void {
    if (this.#isClosed || this.#spare !== undefined) return;
    const spare = this.#launch();
    this.#spare = spare;
    spare.then(
      (host) => {
        if (this.#spare === spare) this.#rested = host;
      },
      () => {
        if (this.#spare === spare) this.#spare = undefined;
        setTimeout(() => this.#keepSpare(), Math.min(RETRY_DELAY_MS_MAX, 100 * 2 ** this.#failures)).unref();
      },
    );
  }

  #replaceSpare(): void {
    this.#spare = undefined;
    this.#rested = undefined;
    this.#keepSpare();
  }

  #relieve(host: HostProcess): HostProcess {
    const rested = this.#rested;
    if (rested?.isUsable !== true || !host.isUsable) return host;
    this.#rested = host;
    this.#spare = Promise.resolve(host);
    return rested;
  }

  async #launch(): Promise<HostProcess> {
    try {
      const host = await launchHost(`isolate-${this.#ordinal++}`, this.#launchOptions);
      this.#failures = 0;
      this.#hosts.add(host);
      void host.exited.then(({ code, signal }) => {
        if (host.diedUnasked)
          this.#options.onFault?.(
            "host_died",
            `a host ended unasked (${signal ?? `exit code ${code}`}) and is replaced`,
          );
        this.#discard(host);
        if (this.#rested === host) this.#replaceSpare();
      });
      if (this.#isClosed) this.#discard(host);
      return host;
    } catch (error) {
      this.#failures++;
      const fault =
        error instanceof SandboxFault
          ? error
          : new SandboxFault("host_start", `a host could not be started: ${String(error)}`, { cause: error });
      this.#options.onFault?.(fault.kind, fault.message);
      throw fault;
    }
  }

  #discard(host: HostProcess): void {
    if (!this.#hosts.delete(host)) return;
    const closed = host.close().finally(() => this.#discarding.delete(closed));
    this.#discarding.add(closed);
  }
}
