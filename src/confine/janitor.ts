/**
 * Removes what a service that was killed could not: a state directory names its owner by process id and start
 * time, so that a leftover is told from a neighbour that is alive.
 */
import { readFile, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { CgroupLayout } from "./cgroup-layout.ts";
import { CgroupTree, instancesBelow } from "./cgroup-tree.ts";
import { deleteContainer, type OciRuntime } from "./oci-runtime.ts";
import { isAlive, isDeadInstance, killProcess } from "./process-identity.ts";

export const OWNER_FILE = "owner.json";

export interface Owner {
  readonly pid: number;
  readonly since: string;
  readonly cgroupParent: string;
  readonly instance: string;
}

async function readOwner(directory: string): Promise<Owner | null> {
  try {
    return JSON.parse(await readFile(join(directory, OWNER_FILE), "utf8")) as Owner;
  } catch {
    return null;
  }
}

/** Ends and removes what dead services left below `stateDirectory` and in the cgroups below `cgroupParent`. */
export async function sweepLeftovers(
  stateDirectory: string,
  cgroupParent: string,
  layout: CgroupLayout,
  runtime: OciRuntime,
): Promise<void> {
  for (const entry of await readdir(stateDirectory).catch(() => [])) {
    const directory = join(stateDirectory, entry);
    const owner = await readOwner(directory);
    if (owner === null || isAlive(owner.pid, owner.since)) continue;
    await sweepCgroups(new CgroupTree(layout, owner.cgroupParent, owner.instance));
    const state = join(directory, "runtime");
    for (const id of await readdir(state).catch(() => [])) await deleteContainer(runtime, state, id);
    await rm(directory, { recursive: true, force: true });
  }
  // A service with another state directory, or one that was lost, is known by its cgroup's name.
  for (const instance of await instancesBelow(layout, cgroupParent)) {
    if (isDeadInstance(instance)) await sweepCgroups(new CgroupTree(layout, cgroupParent, instance));
  }
}

async function sweepCgroups(tree: CgroupTree): Promise<void> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const pids = await tree.processes();
    if (pids.length === 0) break;
    for (const pid of pids) killProcess(pid);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await tree.remove();
}
