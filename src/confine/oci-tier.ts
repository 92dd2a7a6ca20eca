/**
 * Containers by an OCI runtime. With cgroups that can be written the kernel keeps a call's limits (tier `container`);
 * without, they are kept by looking (`watched_container`). Root maps a range of users for each container; a service
 * that is not root is root of a user namespace of its own.
 */
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { totalmem } from "node:os";
import { join } from "node:path";
import { type IdMapping, ownRange, uidRangeStart } from "./bundle.ts";
import { type CgroupLayout, findCgroupLayout } from "./cgroup-layout.ts";
import { CgroupTree, writableLayout } from "./cgroup-tree.ts";
import { refusal, withKernel, withKernelLayers } from "./gvisor.ts";
import { launchContainer, type LaunchOptions } from "./launcher.ts";
import { findOciRuntime, findProgram, type OciRuntime, type OciRuntimeName } from "./oci-runtime.ts";
import type { ConfinementOptions } from "./options.ts";
import type { Container, ContainerSpec, Isolation, SlotBounds } from "./ports.ts";
import { rootlessUsers } from "./rootless.ts";
import { imageRootfs, machineRootfs } from "./rootfs.ts";
import {
  absent,
  assertFloor,
  BY_CGROUP,
  BY_LOOKING,
  ConfinementUnavailable,
  containerLayers,
  type Tier,
} from "./tier.ts";

export interface OciMachine {
  readonly runtime: OciRuntime;
  /** Null where no cgroup can be written. */
  readonly layout: CgroupLayout | null;
  /** Of each container, where the service is not root. */
  readonly mappings: readonly IdMapping[] | null;
}

const PIDS_MAX = 32_768;
/** Of the machine's memory, what the service's containers may use together. */
const MEMORY_SHARE = 0.85;

/** @throws ConfinementUnavailable, saying what is missing for the tier that is asked for. */
export async function findOciMachine(options: ConfinementOptions): Promise<OciMachine> {
  const isRoot = process.getuid?.() === 0;
  const layout = usableLayout(options, isRoot);
  if ("missing" in layout) assertFloor("watched_container", options.minimum, `no cgroups: ${layout.missing}`);
  const users = isRoot ? null : rootlessUsers();
  const wanted = options.runtime as "auto" | OciRuntimeName;
  const runtime = await findOciRuntime(wanted, "missing" in layout ? seenLayout() : layout, {
    asRoot: users?.asRoot ?? [],
    managesCgroups: isRoot && !("missing" in layout),
  });
  if (runtime === null) {
    const names = wanted === "auto" ? "neither crun nor runc" : `no ${wanted}`;
    throw new ConfinementUnavailable(`${names} was found: install one, e.g. apt-get install crun`);
  }
  if (!isRoot && findProgram("unshare") === null)
    throw new ConfinementUnavailable("unshare was not found: apt-get install util-linux");
  return { runtime, layout: "missing" in layout ? null : layout, mappings: users?.mappings ?? null };
}

/** What is mounted, whether it can be written or not. */
function seenLayout(): CgroupLayout | null {
  const layout = findCgroupLayout();
  return "missing" in layout ? null : layout;
}

function usableLayout(
  options: ConfinementOptions,
  isRoot: boolean,
): CgroupLayout | { readonly missing: string } {
  const layout = findCgroupLayout();
  if ("missing" in layout) return layout;
  const writable = writableLayout(layout, options.cgroupParent);
  if (!("missing" in writable)) return isRoot ? layout : writable;
  return {
    missing: isRoot
      ? writable.missing
      : `${writable.missing} by this user: name one that can in container.cgroupParent, or start as root`,
  };
}

/** Makes what all containers of the service share. */
export async function createOciTier(
  machine: OciMachine,
  options: ConfinementOptions,
  directory: string,
  instance: string,
): Promise<Tier> {
  const { layout, runtime } = machine;
  const tree = layout === null ? null : new CgroupTree(layout, options.cgroupParent, instance);
  try {
    const rootfs = await (options.rootfs === ""
      ? machineRootfs(join(directory, "rootfs"))
      : imageRootfs(join(directory, "rootfs"), options.rootfs));
    const memoryBytes = options.memoryBytesMax ?? Math.floor(totalmem() * MEMORY_SHARE);
    await tree?.create({ memoryBytes, pids: PIDS_MAX });
    const swapAccounted =
      layout !== null &&
      (layout.version === 2 || existsSync(join(layout.controllers.memory, "memory.memsw.limit_in_bytes")));
    return new OciTier(machine, {
      runtime,
      tree,
      rootfs,
      directory,
      instance,
      swapAccounted,
      slotCeiling: { memoryBytes, pids: PIDS_MAX },
    });
  } catch (error) {
    await tree?.remove().catch(() => undefined);
    throw error;
  }
}

class OciTier implements Tier {
  readonly isolation: Isolation;
  readonly slotBounds: SlotBounds;
  readonly #machine: OciMachine;
  readonly #options: LaunchOptions;

  constructor(machine: OciMachine, options: LaunchOptions) {
    this.#machine = machine;
    this.#options = options;
    const cgroup = options.tree?.version ?? "none";
    const { name, version } = machine.runtime;
    this.slotBounds = { cgroup, namespaces: true, readable: [], uidShift: 0 };
    const layers = containerLayers(usersOf(machine), cgroup === "none" ? BY_LOOKING : BY_CGROUP).concat(
      machine.mappings?.length === 1
        ? absent("users", "all programs have the service's own user; namespaces alone part them")
        : [],
    );
    this.isolation = {
      tier: cgroup === "none" ? "watched_container" : "container",
      layers: name === "runsc" ? withKernelLayers(version, layers) : layers,
      detail: {
        runtime: version,
        cgroup: cgroup === "none" ? "none" : `v${cgroup}`,
        rootless: String(machine.mappings !== null),
      },
    };
  }

  socketOwner(ordinal: number, uid: number): number | null {
    return this.#machine.mappings === null ? uidRangeStart(ordinal) + uid : null;
  }

  launch(spec: ContainerSpec, ordinal: number): Promise<Container> {
    const { mappings, runtime } = this.#machine;
    const isGvisor = runtime.name === "runsc";
    if (isGvisor && spec.capabilities.length > 0)
      return Promise.reject(new ConfinementUnavailable(refusal(runtime.version)));
    const bounded = isGvisor ? withKernel(spec) : spec;
    return mappings === null
      ? launchContainer(this.#options, bounded, { mappings: ownRange(ordinal), root: uidRangeStart(ordinal) })
      : launchContainer(this.#options, bounded, { mappings, root: process.getuid?.() ?? 0 });
  }

  async forget(name: string): Promise<void> {
    await this.#options.tree?.remove(name).catch(() => undefined);
    await rm(join(this.#options.directory, name), { recursive: true, force: true }).catch(() => undefined);
  }

  async close(): Promise<void> {
    await this.#options.tree?.remove();
  }
}

function usersOf({ mappings }: OciMachine): string {
  if (mappings === null)
    return "root inside is an unprivileged user outside; a range of ids for each container";
  return "the service is not root: root inside is its own user outside";
}
