/**
 * What a service holds on its machine, counted from outside: processes, descriptors, mounts, cgroups, files,
 * memory of its slots. Two inventories with the same number of slots are the same, whatever ran between them.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { descendants, machineMounts } from "../support/leftovers.ts";

export interface Inventory {
  /** Processes by cgroup, or by name where they have none. */
  readonly processes: Readonly<Record<string, number>>;
  readonly cgroups: readonly string[];
  readonly files: readonly string[];
  readonly mounts: readonly string[];
  /** Open descriptors of the service by kind. */
  readonly descriptors: Readonly<Record<string, number>>;
}

const attempt = <T>(read: () => T, otherwise: T): T => {
  try {
    return read();
  } catch {
    return otherwise;
  }
};

/** Slots and containers that were replaced have a new number, and are the same otherwise. */
const withoutNumbers = (path: string): string =>
  path
    .replace(/rollcall-\d+-\d+-\d+/g, "rollcall")
    .replace(/\b\d+-\d+-\d+\b/g, "instance")
    .replace(/(slot-\d+)-\d+/g, "$1")
    .replace(/(isolate|python-[a-z]+)-\d+/g, "$1");

function below(directory: string, onlyDirectories: boolean): string[] {
  const entries = attempt(() => readdirSync(directory, { withFileTypes: true }), []);
  return entries.flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return [path, ...below(path, onlyDirectories)];
    return onlyDirectories ? [] : [path];
  });
}

/** Mount points of the cgroup hierarchies with memory and pids: one for v2, two for v1. */
function cgroupRoots(): string[] {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8").trim().split("\n");
  const lines = mounts.map((line) => line.split(" - "));
  const target = (line: string[]) => line[0]?.split(" ")[4] ?? "";
  const v1 = lines.filter(([, right = ""]) =>
    /^cgroup .*\b(?:memory|pids)\b/.test(right.replaceAll(",", " ")),
  );
  const v2 = lines.filter(([, right = ""]) => right.startsWith("cgroup2 "));
  return (v1.length > 0 ? v1 : v2).map(target);
}

/** Directories of this process's services in every hierarchy. */
function serviceCgroups(): string[] {
  return cgroupRoots().flatMap((root) =>
    attempt(() => readdirSync(root), [])
      .filter((name) => name.startsWith(`rollcall-${process.pid}-`))
      .map((name) => join(root, name)),
  );
}

/** Process ids in this process's services, with their cgroup. */
export function serviceProcesses(): { readonly pid: number; readonly cgroup: string }[] {
  return serviceCgroups()
    .filter((path, _, all) => path.includes("pids") || all.every((other) => !other.includes("pids")))
    .flatMap((path) => [path, ...below(path, true)])
    .flatMap((cgroup) =>
      attempt(() => readFileSync(join(cgroup, "cgroup.procs"), "utf8"), "")
        .split("\n")
        .filter(Boolean)
        .map((pid) => ({ pid: Number(pid), cgroup })),
    );
}

const count = (items: readonly string[]): Record<string, number> =>
  Object.fromEntries(
    [...Map.groupBy(items, (item) => item)]
      .map(([item, group]) => [item, group.length] as const)
      .sort(([a], [b]) => a.localeCompare(b)),
  );

function descriptors(): string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    const target = attempt(() => readlinkSync(`/proc/self/fd/${fd}`), "");
    // Files that the test runner reads come and go.
    const kind = /^(socket|pipe|anon_inode:\[\w+\])/.exec(target)?.[1];
    return kind === undefined ? [] : [kind];
  });
}

/** Mounts of a daemon's containers, which have other names when they are replaced. */
const OF_DAEMON = / - (?:overlay|nsfs|fuse\S*) | shm | \/var\/lib\/(?:containers|docker)\//;

const mounts = (pid: string): string[] => attempt(() => machineMounts(pid), []);

/** Names of the programs that a service runs, where no cgroup tells them. */
function programs(service: number): string[] {
  return descendants(service).flatMap((pid) => {
    const status = attempt(() => readFileSync(`/proc/${pid}/status`, "utf8"), "");
    const name = /^Name:\t(.*)/.exec(status)?.[1];
    // A slot that ended is reaped when its fork server is next asked for one.
    return name === undefined || /^State:\tZ/m.test(status) ? [] : [name];
  });
}

/** @param service process id of a service without cgroups; null: those of this process are looked at */
export function takeInventory(stateDirectory: string, service: number | null = null): Inventory {
  const cgroups = serviceCgroups().flatMap((path) => [path, ...below(path, true)]);
  return {
    processes: count(
      service === null ? serviceProcesses().map(({ cgroup }) => withoutNumbers(cgroup)) : programs(service),
    ),
    cgroups: cgroups.map(withoutNumbers).sort(),
    files: below(stateDirectory, false)
      .map((path) => withoutNumbers(path.slice(stateDirectory.length)))
      .sort(),
    mounts: [...mounts("self"), ...mounts("1")].filter((line) => !OF_DAEMON.test(line)).sort(),
    // Of a service that is a process of its own, this one's are its client's.
    descriptors: service === null || service === process.pid ? count(descriptors()) : {},
  };
}

/** Bytes that the fullest slot of this process's services is charged for. */
export function slotMemoryBytes(): number {
  const usage = serviceCgroups()
    .flatMap((path) => below(path, true))
    .filter((path) => /\/slot-\d+(?:-\d+)?$/.test(path))
    .flatMap((path) =>
      ["memory.usage_in_bytes", "memory.current"].map((file) =>
        Number(attempt(() => readFileSync(join(path, file), "utf8"), "0")),
      ),
    );
  return Math.max(0, ...usage);
}
