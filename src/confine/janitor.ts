/**
 * Removes what a service that was killed could not: a state directory names its owner by process id and start
 * time, so that a leftover is told from a neighbour that is alive.
 */
import { readFile, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { CgroupLayout } from "./cgroup-layout.ts";
import { CgroupTree } from "./cgroup-tree.ts";
import { deleteContainer, type OciRuntime } from "./oci-runtime.ts";
import { isAlive, killProcess } from "./process-identity.ts";

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

/** Ends and removes every dead service's leftovers below `stateDirectory`; returns how many there were. */
export async function sweepLeftovers(
  stateDirectory: string,
  layout: CgroupLayout,
  runtime: OciRuntime,
): Promise<number> {
  const entries = await readdir(stateDirectory).catch(() => []);
  let swept = 0;
  for (const entry of entries) {
    const directory = join(stateDirectory, entry);
    const owner = await readOwner(directory);
    if (owner === null || isAlive(owner.pid, owner.since)) continue;
    await sweepOne(directory, owner, layout, runtime);
    swept++;
  }
  return swept;
}

async function sweepOne(
  directory: string,
  owner: Owner,
  layout: CgroupLayout,
  runtime: OciRuntime,
): Promise<void> {
  const tree = new CgroupTree(layout, owner.cgroupParent, owner.instance);
  for (let attempt = 0; attempt < 50; attempt++) {
    const pids = await tree.processes();
    if (pids.length === 0) break;
    for (const pid of pids) killProcess(pid);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const state = join(directory, "runtime");
  for (const id of await readdir(state).catch(() => [])) await deleteContainer(runtime, state, id);
  await tree.remove();
  await rm(directory, { recursive: true, force: true });
}
