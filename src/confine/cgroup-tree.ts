/**
 * The cgroups of one service: `<parent>/rollcall-<instance>/<container>/{init,slot-N}`.
 *
 * `init` belongs to the OCI runtime and holds the container's own processes. The `slot-N` leaves are made
 * here, each for one slot process, and only the files a slot must write are handed to the container's root:
 * a slot may lower and raise its own limit, never above the ceiling that its parent directory keeps.
 */
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { chown, mkdir, readFile, readdir, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { CgroupLayout } from "./cgroup-layout.ts";

export interface CgroupCeiling {
  readonly memoryBytes: number;
  readonly pids: number;
}

/** Files of a leaf that its slot writes. */
const SLOT_FILES = {
  1: {
    memory: ["cgroup.procs", "tasks", "memory.limit_in_bytes", "memory.max_usage_in_bytes"],
    pids: ["cgroup.procs", "tasks", "pids.max"],
    cpuacct: ["cgroup.procs", "tasks"],
  },
  2: ["cgroup.procs", "memory.max", "memory.peak", "pids.max"],
} as const;

const CONTROLLERS = ["memory", "pids", "cpuacct"] as const;

/** The part of a layout that a service which is not root uses: the hierarchies it needs, where `parent` is its own to write. */
export function writableLayout(
  layout: CgroupLayout,
  parent: string,
): CgroupLayout | { readonly missing: string } {
  const narrow: CgroupLayout =
    layout.version === 2
      ? layout
      : { ...layout, hierarchies: CONTROLLERS.map((name) => layout.controllers[name]) };
  const roots = narrow.version === 2 ? [narrow.mount] : narrow.hierarchies;
  const locked = roots.map((root) => join(root, parent)).find((path) => !isWritable(path));
  return locked === undefined ? narrow : { missing: `${locked} cannot be written` };
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** The kernel charges memory in batches, and kills for one that does not fit. */
const CHARGED_AHEAD_BYTES = 4 << 20;
const NAME_PREFIX = "rollcall-";

export class CgroupTree {
  readonly #layout: CgroupLayout;
  /** Path below each mount point, with a leading slash. */
  readonly path: string;

  constructor(layout: CgroupLayout, parent: string, instance: string) {
    this.#layout = layout;
    this.path = join("/", parent, `${NAME_PREFIX}${instance}`);
  }

  get version(): 1 | 2 {
    return this.#layout.version;
  }

  /** Makes the service's own directory with a ceiling over everything in it. */
  async create(ceiling: CgroupCeiling): Promise<void> {
    for (const root of this.#roots()) await mkdir(join(root, this.path), { recursive: true });
    if (this.#layout.version === 2) {
      await this.#enableControllers(dirnameOf(this.path));
      await this.#enableControllers(this.path);
    }
    await this.#limit(this.path, ceiling);
  }

  /** Path for `linux.cgroupsPath` of a container. */
  containerPath(container: string): string {
    return join(this.path, container, "init");
  }

  /** Makes the directory above a container's slots, with a ceiling that no slot of it can pass. */
  async createContainer(container: string, ceiling: CgroupCeiling): Promise<void> {
    const path = join(this.path, container);
    for (const root of this.#roots()) await mkdir(join(root, path), { recursive: true });
    if (this.#layout.version === 2) await this.#enableControllers(path);
    await this.#limit(path, ceiling);
  }

  /**
   * Makes the cgroup of the container's own processes where the OCI runtime does not. Returns the files through which
   * a process enters it.
   */
  async createInit(container: string, ceiling: CgroupCeiling): Promise<string[]> {
    const path = this.containerPath(container);
    for (const root of this.#roots()) await mkdir(join(root, path), { recursive: true });
    await this.#limit(path, ceiling);
    return this.#roots().map((root) => join(root, path, "cgroup.procs"));
  }

  /** Makes one slot's leaf and hands it to user `owner` of this machine. */
  async createLeaf(container: string, leaf: string, owner: number): Promise<void> {
    const path = join(this.path, container, leaf);
    if (this.#layout.version === 2) {
      const directory = join(this.#layout.mount, path);
      await mkdir(directory, { recursive: true });
      // Moving a process asks for write access to the common ancestor too.
      await chown(join(this.#layout.mount, this.path, container, "cgroup.procs"), owner, owner);
      await writeFile(join(directory, "memory.swap.max"), "0").catch(() => undefined);
      for (const file of SLOT_FILES[2]) {
        if (existsSync(join(directory, file))) await chown(join(directory, file), owner, owner);
      }
      return;
    }
    for (const controller of CONTROLLERS) {
      const directory = join(this.#layout.controllers[controller], path);
      await mkdir(directory, { recursive: true });
      if (controller === "memory")
        await writeFile(join(directory, "memory.swappiness"), "0").catch(() => undefined);
      for (const file of SLOT_FILES[1][controller]) await chown(join(directory, file), owner, owner);
    }
  }

  /** Mounts that show a container its own part of the tree, below `target`. */
  mounts(container: string, target: string): { source: string; target: string }[] {
    const path = join(this.path, container);
    if (this.#layout.version === 2) return [{ source: join(this.#layout.mount, path), target }];
    const { controllers } = this.#layout;
    return CONTROLLERS.map((controller) => ({
      source: join(controllers[controller], path),
      target: join(target, controller),
    }));
  }

  /** Process ids below the service's directory, or below one container's. */
  async processes(container = ""): Promise<number[]> {
    const root = this.#layout.version === 2 ? this.#layout.mount : this.#layout.controllers.pids;
    return processesBelow(join(root, this.path, container));
  }

  /**
   * Whether a container that has no slots came to `memoryBytes`, its own bound, at any time. The OCI runtime has removed
   * the cgroup that was bound by now; the directory above it has counted along. Null where that is gone or does not count.
   */
  reachedMemoryBound(container: string, memoryBytes: number): boolean | null {
    const path = join(this.path, container);
    const file =
      this.#layout.version === 2
        ? join(this.#layout.mount, path, "memory.peak")
        : join(this.#layout.controllers.memory, path, "memory.max_usage_in_bytes");
    try {
      return Number(readFileSync(file, "utf8")) >= memoryBytes - CHARGED_AHEAD_BYTES;
    } catch {
      return null;
    }
  }

  /** Removes the tree, or one container's part of it. The processes must be gone. */
  async remove(container = ""): Promise<void> {
    const { hybridMount } = this.#layout.version === 1 ? this.#layout : { hybridMount: null };
    // runc makes a directory in the cgroup2 beside v1 too.
    const roots = hybridMount === null ? this.#roots() : [...this.#roots(), hybridMount];
    for (const root of roots) await removeTree(join(root, this.path, container));
  }

  #roots(): readonly string[] {
    return this.#layout.version === 2 ? [this.#layout.mount] : this.#layout.hierarchies;
  }

  async #limit(path: string, ceiling: CgroupCeiling): Promise<void> {
    if (this.#layout.version === 2) {
      await writeFile(join(this.#layout.mount, path, "memory.max"), String(ceiling.memoryBytes));
      await writeFile(join(this.#layout.mount, path, "pids.max"), String(ceiling.pids));
      return;
    }
    const { memory, pids } = this.#layout.controllers;
    await writeFile(join(memory, path, "memory.limit_in_bytes"), String(ceiling.memoryBytes));
    await writeFile(join(pids, path, "pids.max"), String(ceiling.pids));
  }

  async #enableControllers(path: string): Promise<void> {
    if (this.#layout.version !== 2) return;
    await writeFile(join(this.#layout.mount, path, "cgroup.subtree_control"), "+memory +pids");
  }
}

function dirnameOf(path: string): string {
  return join(path, "..");
}

async function processesBelow(directory: string): Promise<number[]> {
  const own = (await readFile(join(directory, "cgroup.procs"), "utf8").catch(() => ""))
    .split("\n")
    .filter(Boolean)
    .map(Number);
  const children = await childrenOf(directory);
  const below = await Promise.all(children.map((child) => processesBelow(join(directory, child))));
  return [...own, ...below.flat()];
}

/** A cgroup can go while it is looked at: its OCI runtime or its engine removes it too. */
async function childrenOf(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENODEV") return [];
    throw error;
  }
}

/** Names of the services that have cgroups below `parent`. */
export async function instancesBelow(layout: CgroupLayout, parent: string): Promise<string[]> {
  const roots = layout.version === 2 ? [layout.mount] : layout.hierarchies;
  const names = await Promise.all(roots.map((root) => readdir(join(root, parent)).catch(() => [])));
  return [...new Set(names.flat())]
    .filter((name) => name.startsWith(NAME_PREFIX))
    .map((name) => name.slice(NAME_PREFIX.length));
}

/** How long the kernel may take to let go of a cgroup. Under a load of sixty on two cores a second was once not enough. */
const REMOVE_MS_MAX = 15_000;

async function removeTree(directory: string): Promise<void> {
  for (const child of await childrenOf(directory)) await removeTree(join(directory, child));
  // The kernel lets go of an emptied cgroup a moment after its last process is reaped.
  for (let waitedMs = 0, waitMs = 10; waitedMs < REMOVE_MS_MAX; waitedMs += waitMs) {
    try {
      await rmdir(directory);
      return;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT") return;
      if (code !== "EBUSY") throw error;
      waitMs = Math.min(500, waitMs * 2);
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }
}
