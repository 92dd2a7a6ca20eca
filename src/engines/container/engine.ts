/**
 * The container engine: for each import profile one container with a fork server, and in each of them a slot
 * process for every slot that was used. What runs in a slot is forked from a warm interpreter, or is a
 * command line executed in the same confinement.
 */
import { type Engine, SandboxFault, type SessionSandbox, type SessionSandboxSpec } from "../../core/ports.ts";
import type { EngineDescription } from "../../contract/description.ts";
import { openContainerSession } from "./container-session.ts";
import { ContainerSandbox } from "./container-sandbox.ts";
import { ForkServers } from "./fork-servers.ts";
import { type ForkServerLaunchOptions, launchForkServer } from "./fork-server-launch.ts";
import { chooseSessionProfile, LIGHTEST, NODE } from "./import-profiles.ts";

export { PACKAGES_INSIDE } from "./fork-server-launch.ts";

export interface ContainerEngineOptions extends ForkServerLaunchOptions {
  readonly slots: number;
  /** Whether programs of runtime `node` will come, for which a fork server is started. */
  readonly node: boolean;
  /** Whether a second fork server with all modules is kept ready. */
  readonly spare: boolean;
  /** Scratch size that slots are opened with: the default of `limits.disk_bytes`. */
  readonly diskBytes: number;
  readonly onFault: (fault: SandboxFault) => void;
}

export class ContainerEngine implements Engine {
  readonly name = "container";
  readonly slots: number;
  readonly #options: ContainerEngineOptions;
  readonly #servers: ForkServers;
  #python = "";
  #landlock = 0;
  readonly #missing = new Set<string>();
  #families = 0;
  #sessions = 0;
  #closed = false;

  constructor(options: ContainerEngineOptions) {
    this.#options = options;
    this.slots = options.slots;
    this.#servers = new ForkServers({
      launch: (profile, number) => launchForkServer(options, profile, number),
      onReady: (profile, ready) => {
        if (profile.interpreter === "python") this.#python = ready.version;
        this.#landlock = ready.landlock;
        for (const module of ready.missing) this.#missing.add(module);
      },
      onFault: options.onFault,
    });
  }

  get pythonVersion(): string {
    return this.#python;
  }

  /** Modules that fork servers were to import and this machine lacks; programs that import them fail. */
  get missingModules(): readonly string[] {
    return [...this.#missing].toSorted();
  }

  /** A Node that is forked needs room in its address space that only a cgroup does not count. */
  get #forksNode(): boolean {
    const { namespaces, cgroup } = this.#options.confinement.slotBounds;
    return namespaces && cgroup !== "none";
  }

  /** Ready is who can answer every program: the other fork servers come while these serve. */
  async start(): Promise<void> {
    const { node, spare } = this.#options;
    await this.#servers.start({ node: node && this.#forksNode, spare });
  }

  async openSandbox(index: number): Promise<ContainerSandbox> {
    if (this.#closed) throw new SandboxFault("closed", "the engine is closed");
    const sandbox = new ContainerSandbox({
      index,
      diskBytes: this.#options.diskBytes,
      forksNode: this.#forksNode,
      servers: this.#servers,
    });
    await sandbox.warm(LIGHTEST);
    return sandbox;
  }

  /** @throws SandboxFault, also where slots have no namespaces or no cgroups: then a session could not be told from its forks. */
  async openSession(spec: SessionSandboxSpec): Promise<SessionSandbox> {
    if (this.#closed) throw new SandboxFault("closed", "the engine is closed");
    const { namespaces, cgroup } = this.#options.confinement.slotBounds;
    if (!namespaces || cgroup === "none")
      throw new SandboxFault(
        "no_sessions",
        "sessions need namespaces and cgroups, which this machine's containers have not",
      );
    const isNode = spec.entry.kind === "fork" && spec.entry.interpreter === "node";
    const server = await this.#servers.of(isNode ? NODE : chooseSessionProfile(spec.imports));
    return openContainerSession({ server, user: this.#families++, nextNumber: () => this.#sessions++ }, spec);
  }

  describe(): EngineDescription {
    const { tier, layers, detail } = this.#options.confinement.isolation;
    return {
      engine: this.name,
      tier,
      slots: this.slots,
      layers: layers.some(({ name }) => name === "Landlock") ? layers : [...layers, this.#landlockLayer()],
      detail: {
        ...detail,
        python: this.#python,
        missing_modules: this.missingModules.join(", ") || "none",
        fork_servers_away: this.#servers.away.join(", ") || "none",
      },
    };
  }

  #landlockLayer(): EngineDescription["layers"][number] {
    return this.#landlock > 0
      ? {
          name: "Landlock",
          state: "enforced",
          detail: `version ${this.#landlock}: a second opinion on files, sockets and signals`,
        }
      : { name: "Landlock", state: "absent", detail: "this kernel has none; the other layers hold" };
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#servers.close();
  }
}
