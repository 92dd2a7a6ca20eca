/**
 * The container engine: for each import profile one container with a fork server, and in each of them a slot
 * process for every slot that was used. What runs in a slot is forked from a warm interpreter, or is a
 * command line executed in the same confinement.
 */
import type { Confinement, Mount } from "../../confine/ports.ts";
import { type Engine, SandboxFault, type SessionSandbox, type SessionSandboxSpec } from "../../core/ports.ts";
import type { EngineDescription } from "../../contract/description.ts";
import { openContainerSession } from "./container-session.ts";
import { ContainerSandbox } from "./container-sandbox.ts";
import { ForkServer } from "./fork-server.ts";
import { IMPORT_PROFILES, type ImportProfile, LIGHTEST, NODE, SESSIONS } from "./import-profiles.ts";

export interface ContainerEngineOptions {
  readonly confinement: Confinement;
  readonly slots: number;
  /** Python inside the container. */
  readonly interpreter: string;
  /** Directory with the fork server's files and its compiled part, on this side. */
  readonly forkServerDirectory: string;
  /** Directory of Python packages on this side; null when they are part of the rootfs. */
  readonly packagesDirectory: string | null;
  /** Where packages are found inside. */
  readonly packagePaths: readonly string[];
  /** Node executable on this side, for programs of runtime `node`. */
  readonly nodePath: string;
  /** Whether programs of runtime `node` will come, for which a fork server is started. */
  readonly node: boolean;
  /** Scratch size that slots are opened with: the default of `limits.disk_bytes`. */
  readonly diskBytes: number;
  readonly onFault: (fault: SandboxFault) => void;
}

export const NODE_INSIDE = "/opt/node/bin/node";
const FORK_SERVER_INSIDE = "/opt/rollcall/forkserver";
export const PACKAGES_INSIDE = "/opt/rollcall/packages";
/** A process that is forked has none of the threads that V8 would hand work to. */
const NODE_FLAGS = ["--single-threaded", "--v8-pool-size=0"];
const SCRATCH_INODES = 16_384;
/** Of one container's own processes (the fork server), slots have cgroups of their own. Bytes. */
const FORK_SERVER_MEMORY_BYTES = 1 << 30;
const FORK_SERVER_PIDS = 256;
/** The machine's own packages are not part of the sandbox: what a program finds must not depend on them. */
const MACHINE_PACKAGES = [
  "/usr/lib/python3/dist-packages",
  "/usr/local/lib/python3.11/dist-packages",
  "/usr/local/lib/python3.12/dist-packages",
  "/usr/local/lib/python3.13/dist-packages",
];
/** A fork server that cannot start is tried again after this long, then after twice that, and so on. */
const RESTART_DELAY_MS_MIN = 200;
const RESTART_DELAY_MS_MAX = 5_000;

/** What the fork server needs inside its user namespace to make slots; slots keep five, programs none. */
const CAPABILITIES = [
  "CAP_SYS_ADMIN",
  "CAP_SYS_CHROOT",
  "CAP_SETUID",
  "CAP_SETGID",
  "CAP_SETPCAP",
  "CAP_SYS_PTRACE",
  "CAP_KILL",
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
];

/** The whole environment of a program; the call's own `env` is added to it. */
function baseEnvironment(packagePaths: readonly string[]): Record<string, string> {
  const oneThread = Object.fromEntries(
    [
      "OPENBLAS_NUM_THREADS",
      "OMP_NUM_THREADS",
      "MKL_NUM_THREADS",
      "NUMEXPR_NUM_THREADS",
      "NUMEXPR_MAX_THREADS",
    ].map((name) => [name, "1"]),
  );
  return {
    PATH: "/opt/node/bin:/usr/local/bin:/usr/bin:/bin",
    HOME: "/tmp",
    LANG: "C.UTF-8",
    PYTHONPATH: packagePaths.join(":"),
    PYTHONHASHSEED: "0",
    PYTHONDONTWRITEBYTECODE: "1",
    PYTHONNOUSERSITE: "1",
    MPLBACKEND: "Agg",
    MPLCONFIGDIR: "/tmp",
    ...oneThread,
  };
}

export class ContainerEngine implements Engine {
  readonly name = "container";
  readonly slots: number;
  readonly #options: ContainerEngineOptions;
  readonly #servers = new Map<string, Promise<ForkServer>>();
  #python = "";
  #landlock = 0;
  readonly #missing = new Set<string>();
  #started = 0;
  #families = 0;
  #sessions = 0;
  /** Starts in a row that did not succeed, by profile. */
  readonly #failures = new Map<string, number>();
  #closed = false;

  constructor(options: ContainerEngineOptions) {
    this.#options = options;
    this.slots = options.slots;
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

  async start(): Promise<void> {
    const profiles = this.#options.node && this.#forksNode ? [...IMPORT_PROFILES, NODE] : IMPORT_PROFILES;
    await Promise.all(profiles.map((profile) => this.#server(profile)));
  }

  async openSandbox(index: number): Promise<ContainerSandbox> {
    if (this.#closed) throw new SandboxFault("closed", "the engine is closed");
    const sandbox = new ContainerSandbox({
      index,
      diskBytes: this.#options.diskBytes,
      forksNode: this.#forksNode,
      serverOf: (profile) => this.#server(profile),
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
    const server = await this.#server(isNode ? NODE : SESSIONS);
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
    await Promise.all(
      [...this.#servers.values()].map((server) =>
        server.then(
          (running) => running.close(),
          () => undefined,
        ),
      ),
    );
  }

  #server(profile: ImportProfile): Promise<ForkServer> {
    const known = this.#servers.get(profile.name);
    if (known !== undefined) return known;
    if (this.#closed) return Promise.reject(new SandboxFault("closed", "the engine is closed"));
    const started = this.#launch(profile);
    this.#servers.set(profile.name, started);
    started.then(
      async (server) => {
        this.#failures.delete(profile.name);
        await server.ended;
        const message = `the fork server of profile ${profile.name} ended and is replaced`;
        this.#replace(profile, started, new SandboxFault("fork_server_died", message), 0);
      },
      (error: unknown) => {
        const failures = this.#failures.get(profile.name) ?? 0;
        this.#failures.set(profile.name, failures + 1);
        const delayMs = Math.min(RESTART_DELAY_MS_MAX, RESTART_DELAY_MS_MIN * 2 ** failures);
        const message = `the fork server of profile ${profile.name} cannot start: ${asFault(error).message}`;
        this.#replace(profile, started, new SandboxFault("fork_server_not_started", message), delayMs);
      },
    );
    return started;
  }

  /** A fork server that ended is started anew at once, one that cannot start after a while. */
  #replace(profile: ImportProfile, ended: Promise<ForkServer>, fault: SandboxFault, delayMs: number): void {
    if (this.#servers.get(profile.name) !== ended || this.#closed) return;
    this.#options.onFault(fault);
    const restart = () => {
      if (this.#servers.get(profile.name) === ended) this.#servers.delete(profile.name);
      if (!this.#closed) this.#server(profile).catch(() => undefined);
    };
    if (delayMs === 0) restart();
    else setTimeout(restart, delayMs).unref();
  }

  async #launch(profile: ImportProfile): Promise<ForkServer> {
    const options = this.#options;
    const bounds = options.confinement.slotBounds;
    const mounts = this.#mounts();
    const forkServerOptions = {
      control: "/run/rollcall/control.sock",
      modules: profile.modules,
      sys_path: options.packagePaths,
      cgroup_root: bounds.cgroup === "none" ? "" : "/run/rollcall/cgroup",
      cgroup_v2: bounds.cgroup === 2,
      directory: bounds.namespaces ? "" : "/run/rollcall/slots",
      readable: [...bounds.readable, ...mounts.map(({ target }) => target)].join(":"),
      uid_shift: bounds.uidShift,
      inodes: SCRATCH_INODES,
    };
    const starting = ForkServer.start(options.confinement, {
      name: `${profile.interpreter}-${profile.name}-${this.#started++}`,
      ...this.#command(profile, JSON.stringify(forkServerOptions)),
      uid: 0,
      mounts,
      masked: options.packagesDirectory === null ? [] : MACHINE_PACKAGES,
      capabilities: CAPABILITIES,
      memoryBytes: FORK_SERVER_MEMORY_BYTES,
      pids: FORK_SERVER_PIDS,
    });
    const { server, ready } = await starting.catch((error: unknown) => {
      throw asFault(error);
    });
    if (profile.interpreter === "python") this.#python = ready.version;
    this.#landlock = ready.landlock;
    for (const module of ready.missing) this.#missing.add(module);
    return server;
  }

  #command(profile: ImportProfile, text: string): { argv: string[]; env: Record<string, string> } {
    const env = baseEnvironment(this.#options.packagePaths);
    if (profile.interpreter === "python")
      return { argv: [this.#options.interpreter, "-S", `${FORK_SERVER_INSIDE}/fork_server.py`, text], env };
    return {
      argv: [NODE_INSIDE, ...NODE_FLAGS, `${FORK_SERVER_INSIDE}/node/fork-server.js`, text],
      env: { ...env, LD_PRELOAD: `${FORK_SERVER_INSIDE}/node/outlive.so` },
    };
  }

  #mounts(): Mount[] {
    const { forkServerDirectory, packagesDirectory, nodePath } = this.#options;
    const mounts: Mount[] = [
      { source: forkServerDirectory, target: FORK_SERVER_INSIDE, readOnly: true },
      { source: nodePath, target: NODE_INSIDE, readOnly: true },
    ];
    if (packagesDirectory !== null)
      mounts.push({ source: packagesDirectory, target: PACKAGES_INSIDE, readOnly: true });
    return mounts;
  }
}

/** What the machine refuses (no space, no process) is a fault of a sandbox like any other. */
function asFault(error: unknown): SandboxFault {
  if (error instanceof SandboxFault) return error;
  return new SandboxFault("fork_server_not_started", String(error), { cause: error });
}
