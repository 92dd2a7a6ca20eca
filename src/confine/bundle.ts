/**
 * The OCI bundle of one container: what it sees of the file system, its namespaces and its bounds. Pure; the
 * launcher writes it down.
 */
import type { ContainerSpec, Mount } from "./ports.ts";
import { seccompProfile } from "./seccomp.ts";

/** User ids of the machine that a container's ids 0 to 65535 are mapped to start here, a range for each container. */
const UID_RANGE_BASE = 1_000_000;
export const UIDS_PER_CONTAINER = 65_536;

/** First of the machine's user ids that container number `ordinal` is mapped to. */
export function uidRangeStart(ordinal: number): number {
  return UID_RANGE_BASE + (ordinal % 1024) * UIDS_PER_CONTAINER;
}

/** The range of a container by its number, where the service may map any. */
export function ownRange(ordinal: number): IdMapping[] {
  return [{ containerID: 0, hostID: uidRangeStart(ordinal), size: UIDS_PER_CONTAINER }];
}

/** A range of user ids inside and what they are outside. */
export interface IdMapping {
  readonly containerID: number;
  readonly hostID: number;
  readonly size: number;
}

export interface BundleOptions {
  readonly spec: ContainerSpec;
  /** Of users and groups alike; one that maps user 0 alone has no other for the container's first process. */
  readonly mappings: readonly IdMapping[];
  readonly rootfs: string;
  /** Base mounts when the root is only a skeleton over the machine's own /usr. */
  readonly base: readonly Mount[];
  /** Null: the OCI runtime makes no cgroup and sets no limit. */
  readonly cgroupsPath: string | null;
  readonly cgroupMounts: readonly { source: string; target: string }[];
  readonly arch: string;
  /** Whether this machine counts swap; where it does not, there is no limit to set. */
  readonly swapAccounted: boolean;
}

interface OciMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

const tmpfs = (destination: string, size: string, mode: string): OciMount => ({
  destination,
  type: "tmpfs",
  source: "tmpfs",
  options: ["nosuid", "nodev", `size=${size}`, `mode=${mode}`],
});

const bind = (mount: Mount, ...more: string[]): OciMount => ({
  destination: mount.target,
  type: "bind",
  source: mount.source,
  options: ["rbind", mount.readOnly ? "ro" : "rw", "nosuid", "nodev", ...more],
});

/** Paths of /proc that would show or change the machine. Left open where slots mount a proc of their own over it. */
const MASKED_PATHS = [
  "/proc/acpi",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/sched_debug",
  "/proc/scsi",
  "/proc/interrupts",
  "/proc/kallsyms",
];
const READONLY_PATHS = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

function cgroup(cgroupsPath: string, { spec, swapAccounted }: BundleOptions): object {
  const limit = spec.memoryBytes;
  return {
    cgroupsPath,
    resources: {
      memory: { limit, ...(swapAccounted ? { swap: limit } : {}) },
      pids: { limit: spec.pids },
    },
  };
}

export function ociConfig(options: BundleOptions): object {
  const { spec } = options;
  const nested = spec.capabilities.includes("CAP_SYS_ADMIN");
  const capabilities = [...spec.capabilities];
  const uid = options.mappings.some(({ containerID, size }) => containerID + size > spec.uid) ? spec.uid : 0;
  return {
    ociVersion: "1.0.2",
    hostname: "sandbox",
    root: { path: options.rootfs, readonly: true },
    process: {
      terminal: false,
      user: { uid, gid: uid },
      args: [...spec.argv],
      env: Object.entries(spec.env).map(([name, value]) => `${name}=${value}`),
      cwd: "/",
      capabilities: {
        bounding: capabilities,
        effective: capabilities,
        permitted: capabilities,
        inheritable: [],
        ambient: [],
      },
      rlimits: [
        { type: "RLIMIT_NOFILE", hard: 4096, soft: 4096 },
        { type: "RLIMIT_CORE", hard: 0, soft: 0 },
      ],
      noNewPrivileges: true,
      oomScoreAdj: 500,
    },
    mounts: [
      { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "nodev", "noexec"] },
      tmpfs("/dev", "64k", "755"),
      tmpfs("/dev/shm", "16m", "1777"),
      tmpfs("/tmp", "64m", "1777"),
      ...options.base.map((mount) => bind(mount)),
      bind({ source: spec.controlDirectory, target: "/run/rollcall", readOnly: true }, "noexec"),
      ...options.cgroupMounts.map((mount) => bind({ ...mount, readOnly: false }, "noexec")),
      ...spec.mounts.map((mount) => bind(mount)),
    ],
    linux: {
      namespaces: ["pid", "network", "ipc", "uts", "mount", "user", ...(nested ? [] : ["cgroup"])].map(
        (type) => ({ type }),
      ),
      uidMappings: options.mappings,
      gidMappings: options.mappings,
      ...(options.cgroupsPath === null ? {} : cgroup(options.cgroupsPath, options)),
      seccomp: seccompProfile(options.arch, nested),
      // A proc with covered parts cannot be mounted anew inside; there the slots' own proc hides more.
      maskedPaths: [...(nested ? [] : MASKED_PATHS), ...(spec.masked ?? [])],
      readonlyPaths: nested ? [] : READONLY_PATHS,
      rootfsPropagation: "private",
    },
  };
}
