/** One container from start to end: bundle, runtime process, cgroup, and nothing of them left afterwards. */
import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type IdMapping, ociConfig } from "./bundle.ts";
import type { CgroupTree } from "./cgroup-tree.ts";
import { type ContainerProcess, deleteContainer, type OciRuntime, startContainer } from "./oci-runtime.ts";
import type { Container, ContainerExit, ContainerSpec } from "./ports.ts";
import { isAlive, killProcess, startTime } from "./process-identity.ts";
import { stageMounts } from "./staging.ts";
import { makeMountPoint, type Rootfs } from "./rootfs.ts";

const STDERR_BYTES_MAX = 16 << 10;

export interface LaunchOptions {
  readonly runtime: OciRuntime;
  /** Null where no cgroup can be written. */
  readonly tree: CgroupTree | null;
  readonly rootfs: Rootfs;
  /** Directory of this service's state. */
  readonly directory: string;
  readonly instance: string;
  readonly swapAccounted: boolean;
  /** Bound on all slots of a container together. */
  readonly slotCeiling: { readonly memoryBytes: number; readonly pids: number };
}

/** Users of one container. */
export interface ContainerUsers {
  readonly mappings: readonly IdMapping[];
  /** The machine's user that is root inside. */
  readonly root: number;
}

/** Writes the bundle and starts the container. */
export async function launchContainer(
  options: LaunchOptions,
  spec: ContainerSpec,
  users: ContainerUsers,
): Promise<Container> {
  const { tree, runtime } = options;
  const bundle = join(options.directory, spec.name, "bundle");
  const state = join(options.directory, "runtime");
  const id = `rollcall-${options.instance}-${spec.name}`;
  await mkdir(bundle, { recursive: true });
  await mkdir(state, { recursive: true });
  await tree?.createContainer(spec.name, options.slotCeiling);
  const joined = runtime.managesCgroups ? [] : await tree?.createInit(spec.name, spec);
  const staging = join(options.directory, spec.name, "staged");
  const base = await stageMounts(options.rootfs.base, staging, "base");
  const own = await stageMounts(spec.mounts, staging, "own");
  for (const mount of [...options.rootfs.base, ...spec.mounts]) await makeMountPoint(options.rootfs, mount);
  const config = ociConfig({
    spec: { ...spec, mounts: own.mounts },
    mappings: users.mappings,
    rootfs: options.rootfs.path,
    base: base.mounts,
    cgroupsPath: runtime.managesCgroups && tree !== null ? tree.containerPath(spec.name) : null,
    cgroupMounts:
      tree !== null && spec.capabilities.includes("CAP_SYS_ADMIN")
        ? tree.mounts(spec.name, "/run/rollcall/cgroup")
        : [],
    arch: process.arch,
    swapAccounted: options.swapAccounted,
  });
  await writeFile(join(bundle, "config.json"), JSON.stringify(config));
  const started = startContainer(runtime, state, bundle, id, {
    staged: [...base.staged, ...own.staged],
    joined: joined ?? [],
  });
  return new RunningContainer(
    options,
    { name: spec.name, id, state, owner: users.root, memoryBytes: spec.memoryBytes },
    started,
  );
}

interface Identity {
  readonly name: string;
  readonly id: string;
  /** The runtime's state directory. */
  readonly state: string;
  /** The machine's user id that is root inside. */
  readonly owner: number;
  /** Bound on memory of the container without its slots. Bytes. */
  readonly memoryBytes: number;
}

class RunningContainer implements Container {
  readonly exited: Promise<ContainerExit>;
  readonly #options: LaunchOptions;
  readonly #identity: Identity;
  readonly #process: ChildProcess;
  readonly #pidFile: string;
  /** Leaves that are being made. */
  readonly #making = new Set<Promise<void>>();
  #stderr = "";
  #init: { pid: number; since: string | null } | null = null;
  #closing: Promise<void> | null = null;

  constructor(options: LaunchOptions, identity: Identity, started: ContainerProcess) {
    this.#options = options;
    this.#identity = identity;
    this.#process = started.process;
    this.#pidFile = started.pidFile;
    const { process } = started;
    process.stdout?.on("data", (chunk: Buffer) => this.#remember(chunk));
    process.stderr?.on("data", (chunk: Buffer) => this.#remember(chunk));
    // A container whose runtime process is gone has lost the one that cleans up after it: it goes too.
    process.once("exit", () => this.kill());
    this.exited = new Promise((resolve) => {
      process.once("error", (error) =>
        resolve({ code: null, signal: null, stderr: error.message, reachedMemoryBound: null }),
      );
      process.once("close", (code, signal) =>
        resolve({
          code,
          signal,
          stderr: this.#stderr,
          reachedMemoryBound: options.tree?.reachedMemoryBound(identity.name, identity.memoryBytes) ?? null,
        }),
      );
    });
  }

  get name(): string {
    return this.#identity.name;
  }

  get pid(): number {
    return this.#readInit()?.pid ?? this.#process.pid ?? 0;
  }

  kill(): void {
    const init = this.#readInit();
    // The first process of a pid namespace takes all others with it.
    if (init !== null && isAlive(init.pid, init.since)) killProcess(init.pid);
    else if (init === null && this.#process.exitCode === null) this.#process.kill("SIGKILL");
  }

  /** A leaf made while the tree is being removed would bring the directories above it back. */
  async createLeaf(leaf: string): Promise<void> {
    if (this.#closing !== null) throw new Error(`the container ${this.name} is closed`);
    const { tree } = this.#options;
    if (tree === null) return;
    const made = tree.createLeaf(this.name, leaf, this.#identity.owner);
    this.#making.add(made);
    try {
      await made;
    } finally {
      this.#making.delete(made);
    }
  }

  async killLeaf(leaf: string): Promise<void> {
    const { tree } = this.#options;
    // Which processes are the slot's cannot be told from outside.
    if (tree === null) this.kill();
    else for (const pid of await tree.processes(join(this.name, leaf)).catch(() => [])) killProcess(pid);
  }

  async removeLeaf(leaf: string): Promise<void> {
    const { tree } = this.#options;
    if (tree === null) return;
    await this.killLeaf(leaf);
    // Closing the container removes all there is.
    if (this.#closing === null) await tree.remove(join(this.name, leaf)).catch(() => undefined);
  }

  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    this.kill();
    await this.exited;
    await Promise.allSettled(this.#making);
    // The runtime process may have died before the container did.
    const { tree } = this.#options;
    for (const pid of (await tree?.processes(this.name).catch(() => [])) ?? []) killProcess(pid);
    await deleteContainer(this.#options.runtime, this.#identity.state, this.#identity.id);
    await tree?.remove(this.name).catch(() => undefined);
    await rm(join(this.#options.directory, this.name), { recursive: true, force: true });
  }

  #remember(chunk: Buffer): void {
    this.#stderr = (this.#stderr + chunk.toString("utf8")).slice(-STDERR_BYTES_MAX);
  }

  #readInit(): { pid: number; since: string | null } | null {
    if (this.#init !== null) return this.#init;
    try {
      const pid = Number(readFileSync(this.#pidFile, "utf8"));
      if (Number.isInteger(pid) && pid > 1) this.#init = { pid, since: startTime(pid) };
    } catch {
      // Not written yet, or the container never started.
    }
    return this.#init;
  }
}
