/**
 * The room that makes containers: finds what this machine offers, sweeps what a killed service left, and
 * launches. Refuses, saying what is missing, where a container with its limits cannot be had.
 */
import { existsSync } from "node:fs";
import { once } from "node:events";
import { chmod, chown, mkdir, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { totalmem } from "node:os";
import { join } from "node:path";
import { uidRangeStart } from "./bundle.ts";
import { type CgroupLayout, findCgroupLayout } from "./cgroup-layout.ts";
import { CgroupTree } from "./cgroup-tree.ts";
import { OWNER_FILE, type Owner, sweepLeftovers } from "./janitor.ts";
import { launchContainer, type LaunchOptions } from "./launcher.ts";
import { findOciRuntime, type OciRuntime, type OciRuntimeName } from "./oci-runtime.ts";
import type { Confinement, Container, ContainerSpec, Control } from "./ports.ts";
import { newInstance, startTime } from "./process-identity.ts";
import { isReachable } from "./staging.ts";
import { imageRootfs, machineRootfs } from "./rootfs.ts";

export interface ConfinementOptions {
  readonly runtime: OciRuntimeName | "auto";
  /** Directory of a built image, or empty for the machine's own /usr. */
  readonly rootfs: string;
  /** Parent of the service's cgroup below each mount point; empty for the root. */
  readonly cgroupParent: string;
  readonly stateDirectory: string;
  /** Bound on everything the service runs. Bytes. */
  readonly memoryBytesMax?: number;
}

/** This machine cannot make containers as configured; the message says what is missing. */
export class ConfinementUnavailable extends Error {
  override readonly name = "ConfinementUnavailable";
}

const PIDS_MAX = 32_768;
/** Of the machine's memory, what the service's containers may use together. */
const MEMORY_SHARE = 0.85;

export async function createConfinement(options: ConfinementOptions): Promise<MachineConfinement> {
  if (process.getuid?.() !== 0) {
    throw new ConfinementUnavailable(
      "containers with limits need root: start the service as root, e.g. with sudo",
    );
  }
  const layout = findCgroupLayout();
  if ("missing" in layout) throw new ConfinementUnavailable(`no cgroups: ${layout.missing}`);
  const runtime = await findOciRuntime(options.runtime, layout);
  if (runtime === null) {
    const wanted = options.runtime === "auto" ? "neither crun nor runc" : `no ${options.runtime}`;
    throw new ConfinementUnavailable(`${wanted} was found: install one, e.g. apt-get install crun`);
  }
  await mkdir(options.stateDirectory, { recursive: true, mode: 0o755 });
  if (!(await isReachable(join(options.stateDirectory, "any")))) {
    throw new ConfinementUnavailable(
      `container.stateDirectory ${options.stateDirectory} cannot be passed through by everybody: chmod o+x it and the directories above it`,
    );
  }
  await sweepLeftovers(options.stateDirectory, options.cgroupParent, layout, runtime);
  const instance = newInstance();
  const directory = join(options.stateDirectory, instance);
  await mkdir(directory, { mode: 0o755 });
  const owner: Owner = {
    pid: process.pid,
    since: startTime(process.pid) ?? "",
    cgroupParent: options.cgroupParent,
    instance,
  };
  await writeFile(join(directory, OWNER_FILE), JSON.stringify(owner));
  const tree = new CgroupTree(layout, options.cgroupParent, instance);
  try {
    return new MachineConfinement(layout, await furnish(options, layout, runtime, tree, directory));
  } catch (error) {
    await tree.remove().catch(() => undefined);
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

/** Makes what all containers of the service share. */
async function furnish(
  options: ConfinementOptions,
  layout: CgroupLayout,
  runtime: OciRuntime,
  tree: CgroupTree,
  directory: string,
): Promise<LaunchOptions> {
  const rootfs = await (options.rootfs === ""
    ? machineRootfs(join(directory, "rootfs"))
    : imageRootfs(join(directory, "rootfs"), options.rootfs));
  const memoryBytes = options.memoryBytesMax ?? Math.floor(totalmem() * MEMORY_SHARE);
  await tree.create({ memoryBytes, pids: PIDS_MAX });
  return {
    runtime,
    tree,
    rootfs,
    directory,
    swapAccounted:
      layout.version === 2 || existsSync(join(layout.controllers.memory, "memory.memsw.limit_in_bytes")),
    slotCeiling: { memoryBytes, pids: PIDS_MAX },
  };
}

export class MachineConfinement implements Confinement {
  readonly layout: CgroupLayout;
  readonly runtime: OciRuntime;
  readonly tree: CgroupTree;
  readonly #options: LaunchOptions;
  readonly #containers = new Set<Container>();
  readonly #ordinals = new Map<string, number>();
  #next = 0;

  constructor(layout: CgroupLayout, options: LaunchOptions) {
    this.layout = layout;
    this.runtime = options.runtime;
    this.tree = options.tree;
    this.#options = options;
  }

  get cgroupVersion(): 1 | 2 {
    return this.tree.version;
  }

  async launch(spec: ContainerSpec): Promise<Container> {
    const { name } = spec;
    const launched = launchContainer(this.#options, spec, this.#ordinalOf(name));
    const container = await launched.catch(async (error: unknown) => {
      await this.#forget(name);
      throw error;
    });
    this.#containers.add(container);
    void container.exited.then(() => {
      this.#containers.delete(container);
      this.#ordinals.delete(name);
    });
    return container;
  }

  async openControl(name: string, uid: number): Promise<Control> {
    const listener = createServer();
    try {
      return { directory: await this.#listen(listener, name, uid), listener };
    } catch (error) {
      listener.close();
      await this.#forget(name);
      throw error;
    }
  }

  async #listen(listener: Server, name: string, uid: number): Promise<string> {
    const directory = join(this.#options.directory, name, "control");
    await mkdir(join(this.#options.directory, name), { recursive: true, mode: 0o755 });
    await mkdir(directory, { recursive: true, mode: 0o700 });
    for (const controller of ["memory", "pids", "cpuacct"])
      await mkdir(join(directory, "cgroup", controller), { recursive: true, mode: 0o755 });
    const path = join(directory, "control.sock");
    // Out of reach in its directory until it belongs to the one user who is to connect. Not by a umask: that is the
    // whole process's, whose other threads make directories at the same time.
    listener.listen(path);
    await once(listener, "listening");
    const owner = uidRangeStart(this.#ordinalOf(name)) + uid;
    await chown(path, owner, owner);
    await chmod(path, 0o600);
    await chmod(directory, 0o755);
    return directory;
  }

  /** Removes what was made for a container that did not start: one that is tried again must not fill the machine. */
  async #forget(name: string): Promise<void> {
    this.#ordinals.delete(name);
    await this.tree.remove(name).catch(() => undefined);
    await rm(join(this.#options.directory, name), { recursive: true, force: true }).catch(() => undefined);
  }

  /** The container's number, which decides its range of user ids. */
  #ordinalOf(name: string): number {
    const known = this.#ordinals.get(name);
    if (known !== undefined) return known;
    this.#ordinals.set(name, this.#next);
    return this.#next++;
  }

  /** Ends every container and removes the service's cgroup and state. */
  async close(): Promise<void> {
    await Promise.all([...this.#containers].map((container) => container.close()));
    await this.tree.remove();
    await rm(this.#options.directory, { recursive: true, force: true });
  }
}
