/** What a service could leave behind on the machine, counted from outside. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";

export interface Leftovers {
  readonly processes: number;
  readonly mounts: number;
  readonly cgroups: number;
  readonly descriptors: number;
}

const CGROUPS = "/sys/fs/cgroup";

/** Directories of one service's cgroups, in every hierarchy. */
function cgroupsOf(pid: number): string[] {
  const hierarchies = [CGROUPS, ...readdirSync(CGROUPS).map((name) => `${CGROUPS}/${name}`)].filter((path) =>
    statSync(path).isDirectory(),
  );
  const roots = hierarchies.flatMap((path) =>
    readdirSync(path)
      .filter((name) => name.startsWith(`rollcall-${pid}-`))
      .map((name) => `${path}/${name}`),
  );
  return roots.flatMap((root) => [
    root,
    ...readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => `${entry.parentPath}/${entry.name}`),
  ]);
}

/** Ids of all descendants of a process. */
export function descendants(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
    } catch {
      // Ended while we looked.
    }
  }
  const found: number[] = [];
  for (const queue = [root]; queue.length > 0;) {
    const below = children.get(queue.pop() as number) ?? [];
    found.push(...below);
    queue.push(...below);
  }
  return found;
}

/** The machine's mounts, those aside that other tests make for themselves meanwhile. */
export function machineMounts(pid: number | string = "self"): string[] {
  return readFileSync(`/proc/${pid}/mountinfo`, "utf8")
    .trim()
    .split("\n")
    .filter((line) => !line.includes(" /tmp/rollcall-small-"));
}

/** Counts for one service: its descendants, cgroups and descriptors, and the machine's mounts. */
export function countLeftovers(pid: number): Leftovers {
  return {
    processes: descendants(pid).length,
    mounts: machineMounts().length,
    cgroups: cgroupsOf(pid).length,
    descriptors: existsSync(`/proc/${pid}/fd`) ? readdirSync(`/proc/${pid}/fd`).length : 0,
  };
}

/** Cgroups and state directories of one service, by its process id. */
export function remainsOf(pid: number, stateDirectory: string): string[] {
  const state = existsSync(stateDirectory)
    ? readdirSync(stateDirectory).filter((name) => name.startsWith(`${pid}-`))
    : [];
  return [...cgroupsOf(pid), ...state];
}
