/**
 * Removes what a service that was killed could not: a state directory names its owner by process id and start
 * time, so that a leftover is told from a neighbour that is alive.
 */
import { readFile, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { CgroupTree, instancesBelow } from "./cgroup-tree.ts";
import { deleteContainer } from "./oci-runtime.ts";
import type { OciMachine } from "./oci-tier.ts";
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

/**
 * Ends and removes what dead services left below `stateDirectory` and in the cgroups below `cgroupParent`.
 * @param machine null where there are no OCI containers; what runs there ends with its service
 */
export async function sweepLeftovers(
  stateDirectory: string,
  cgroupParent: string,
  machine: OciMachine | null,
): Promise<void> {
  const layout = machine?.layout ?? null;
  for (const entry of await readdir(stateDirectory).catch(() => [])) {
    const directory = join(stateDirectory, entry);
    const owner = await readOwner(directory);
    if (owner === null || isAlive(owner.pid, owner.since)) continue;
    if (layout !== null) await sweepCgroups(new CgroupTree(layout, owner.cgroupParent, owner.instance));
    const state = join(directory, "runtime");
    if (machine !== null)
      for (const id of await readdir(state).catch(() => []))
        await deleteContainer(machine.runtime, state, id);
    await rm(directory, { recursive: true, force: true });
  }
  if (layout === null) return;
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
