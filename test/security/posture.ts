/**
 * The effective posture of a live process, read from outside in /proc, where what it says of itself does not
 * count: users, capabilities, filters, namespaces, descriptors, limits, mounts, of every thread.
 */
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";

export const NAMESPACES = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"] as const;

const CAPABILITY_SETS = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] as const;
const LIMITS = [
  "core file size",
  "locked memory",
  "msgqueue size",
  "open files",
  "nice priority",
  "realtime priority",
];

export interface Posture {
  /** Real, effective, saved and file system user, then the same of groups. */
  readonly ids: readonly number[];
  readonly groups: string;
  readonly capabilities: Readonly<Record<(typeof CAPABILITY_SETS)[number], string>>;
  readonly noNewPrivileges: string;
  readonly seccomp: string;
  readonly filters: string;
  readonly tracer: string;
}

const field = (status: string, name: string): string =>
  new RegExp(`^${name}:[ \\t]*(.*)$`, "m").exec(status)?.[1]?.trim() ?? "missing";

function postureOfTask(path: string): Posture {
  const status = readFileSync(`${path}/status`, "utf8");
  const numbers = (name: string) => field(status, name).split(/\s+/).map(Number);
  return {
    ids: [...numbers("Uid"), ...numbers("Gid")],
    groups: field(status, "Groups"),
    capabilities: Object.fromEntries(
      CAPABILITY_SETS.map((name) => [name, BigInt(`0x${field(status, name)}`).toString(16)]),
    ) as Posture["capabilities"],
    noNewPrivileges: field(status, "NoNewPrivs"),
    seccomp: field(status, "Seccomp"),
    filters: field(status, "Seccomp_filters"),
    tracer: field(status, "TracerPid"),
  };
}

/** One posture for each thread. */
export function postures(pid: number): Posture[] {
  return readdirSync(`/proc/${pid}/task`).map((tid) => postureOfTask(`/proc/${pid}/task/${tid}`));
}

export function namespacesOf(pid: number | "self"): Record<string, string> {
  return Object.fromEntries(NAMESPACES.map((name) => [name, readlinkSync(`/proc/${pid}/ns/${name}`)]));
}

/** Targets of open descriptors without their numbers, by descriptor. */
export function descriptorsOf(pid: number): Record<string, string> {
  const entries = readdirSync(`/proc/${pid}/fd`).map((fd) => [fd, readlinkSync(`/proc/${pid}/fd/${fd}`)]);
  return Object.fromEntries(entries.map(([fd, target]) => [fd, target?.replace(/:\[\d+\]$/, "")]));
}

/** Hard limits by name. */
export function limitsOf(pid: number): Record<string, string> {
  const text = readFileSync(`/proc/${pid}/limits`, "utf8");
  return Object.fromEntries(
    LIMITS.map((name) => [
      name,
      new RegExp(`^Max ${name}\\s+\\S+\\s+(\\S+)`, "m").exec(text)?.[1] ?? "missing",
    ]),
  );
}

export function oomScoreAdjustment(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/oom_score_adj`, "utf8"));
}

/** Whether other processes of its user may look into it. */
export function isDumpable(pid: number): boolean {
  return statSync(`/proc/${pid}/environ`).uid === postureOfTask(`/proc/${pid}`).ids[1];
}

interface MountFlags {
  readonly writable: boolean;
  readonly suid: boolean;
  readonly type: string;
}

/** What is on top at each mount point. */
export function mountsOf(pid: number): Map<string, MountFlags> {
  const lines = readFileSync(`/proc/${pid}/mountinfo`, "utf8").trim().split("\n");
  return new Map(
    lines.map((line) => {
      const [left = "", right = ""] = line.split(" - ");
      const [, , , , target = "", flags = ""] = left.split(" ");
      const set = flags.split(",");
      return [
        target,
        { writable: set.includes("rw"), suid: !set.includes("nosuid"), type: right.split(" ")[0] ?? "" },
      ];
    }),
  );
}
