/**
 * Where this machine keeps its cgroups: v1 (a directory tree for each controller), v2 (one tree), or hybrid
 * (v1 controllers with a cgroup2 beside them that holds none we need; treated as v1).
 */
import { existsSync, readFileSync } from "node:fs";

export type CgroupLayout =
  | {
      readonly version: 1;
      /** Mount points by controller. */
      readonly controllers: Readonly<Record<"memory" | "pids" | "cpuacct", string>>;
      /** Mount points of every v1 hierarchy; an OCI runtime makes a directory in each. */
      readonly hierarchies: readonly string[];
      /** Mount point of a cgroup2 beside them, which crun refuses to see. */
      readonly hybridMount: string | null;
    }
  | { readonly version: 2; readonly mount: string };

interface MountLine {
  readonly target: string;
  readonly type: string;
  readonly options: readonly string[];
}

function readMounts(): MountLine[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .trim()
    .split("\n")
    .map((line) => {
      const [left = "", right = ""] = line.split(" - ");
      const [type = "", , options = ""] = right.split(" ");
      return { target: left.split(" ")[4] ?? "", type, options: options.split(",") };
    });
}

/** Finds the layout by what is mounted, or says why no cgroup of use is there. */
export function findCgroupLayout(): CgroupLayout | { readonly missing: string } {
  const mounts = readMounts();
  const v1 = mounts.filter((mount) => mount.type === "cgroup");
  const v2 = mounts.find((mount) => mount.type === "cgroup2");
  const controller = (name: string) => v1.find((mount) => mount.options.includes(name))?.target;
  const memory = controller("memory");
  const pids = controller("pids");
  const cpuacct = controller("cpuacct");
  if (memory !== undefined && pids !== undefined && cpuacct !== undefined) {
    return {
      version: 1,
      controllers: { memory, pids, cpuacct },
      hierarchies: v1.map((mount) => mount.target),
      hybridMount: v2?.target ?? null,
    };
  }
  if (v2 !== undefined && existsSync(`${v2.target}/cgroup.controllers`)) {
    const available = readFileSync(`${v2.target}/cgroup.controllers`, "utf8").trim().split(" ");
    const absent = ["memory", "pids"].filter((name) => !available.includes(name));
    if (absent.length === 0) return { version: 2, mount: v2.target };
    return { missing: `the cgroup2 at ${v2.target} lacks the controllers ${absent.join(" and ")}` };
  }
  return { missing: "neither cgroup v1 with memory, pids and cpuacct nor cgroup v2 is mounted" };
}
