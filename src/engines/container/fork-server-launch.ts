/**
 * How the container of a fork server is made: its command line, environment, mounts, capabilities and bounds.
 */
import type { Confinement, ContainerSpec, Mount } from "../../confine/ports.ts";
import { ForkServer, type ReadyMessage } from "./fork-server.ts";
import type { ImportProfile } from "./import-profiles.ts";

export interface ForkServerLaunchOptions {
  readonly confinement: Confinement;
  /** Python inside the container. */
  readonly interpreter: string;
  /** Directory with the fork server's files and its compiled part, on this side. */
  readonly forkServerDirectory: string;
  /** Directory of Python packages on this side; null when they are part of the rootfs. */
  readonly packagesDirectory: string | null;
  /** Where packages are found inside. */
  readonly packagePaths: readonly string[];
  /** Node executable on this side, for programs of runtime `node`. */
  readonly nodePath: string;
}

const NODE_INSIDE = "/opt/node/bin/node";
const FORK_SERVER_INSIDE = "/opt/rollcall/forkserver";
export const PACKAGES_INSIDE = "/opt/rollcall/packages";
/** A process that is forked has none of the threads that V8 would hand work to. */
const NODE_FLAGS = ["--single-threaded", "--v8-pool-size=0"];
const SCRATCH_INODES = 16_384;
/** Of one container's own processes (the fork server), slots have cgroups of their own. Bytes. */
const FORK_SERVER_MEMORY_BYTES = 1 << 30;
const FORK_SERVER_PIDS = 256;
/** The machine's own packages are not part of the sandbox: what a program finds must not depend on them. */
const MACHINE_PACKAGES = [
  "/usr/lib/python3/dist-packages",
  "/usr/local/lib/python3.11/dist-packages",
  "/usr/local/lib/python3.12/dist-packages",
  "/usr/local/lib/python3.13/dist-packages",
];
/** What the fork server needs inside its user namespace to make slots; slots keep five, programs none. */
const CAPABILITIES = [
  "CAP_SYS_ADMIN",
  "CAP_SYS_CHROOT",
  "CAP_SETUID",
  "CAP_SETGID",
  "CAP_SETPCAP",
  "CAP_SYS_PTRACE",
  "CAP_KILL",
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
];

/** The whole environment of a program; the call's own `env` is added to it. */
function baseEnvironment(packagePaths: readonly string[]): Record<string, string> {
  const oneThread = Object.fromEntries(
    [
      "OPENBLAS_NUM_THREADS",
      "OMP_NUM_THREADS",
      "MKL_NUM_THREADS",
      "NUMEXPR_NUM_THREADS",
      "NUMEXPR_MAX_THREADS",
    ].map((name) => [name, "1"]),
  );
  return {
    PATH: "/opt/node/bin:/usr/local/bin:/usr/bin:/bin",
    HOME: "/tmp",
    LANG: "C.UTF-8",
    PYTHONPATH: packagePaths.join(":"),
    PYTHONHASHSEED: "0",
    PYTHONDONTWRITEBYTECODE: "1",
    PYTHONNOUSERSITE: "1",
    MPLBACKEND: "Agg",
    MPLCONFIGDIR: "/tmp",
    ...oneThread,
  };
}

function command(
  options: ForkServerLaunchOptions,
  profile: ImportProfile,
  text: string,
): Pick<ContainerSpec, "argv" | "env"> {
  const env = baseEnvironment(options.packagePaths);
  if (profile.interpreter === "python")
    return { argv: [options.interpreter, "-S", `${FORK_SERVER_INSIDE}/fork_server.py`, text], env };
  return {
    argv: [NODE_INSIDE, ...NODE_FLAGS, `${FORK_SERVER_INSIDE}/node/fork-server.js`, text],
    env: { ...env, LD_PRELOAD: `${FORK_SERVER_INSIDE}/node/outlive.so` },
  };
}

function mountsOf({ forkServerDirectory, packagesDirectory, nodePath }: ForkServerLaunchOptions): Mount[] {
  const mounts: Mount[] = [
    { source: forkServerDirectory, target: FORK_SERVER_INSIDE, readOnly: true },
    { source: nodePath, target: NODE_INSIDE, readOnly: true },
  ];
  if (packagesDirectory !== null)
    mounts.push({ source: packagesDirectory, target: PACKAGES_INSIDE, readOnly: true });
  return mounts;
}

/**
 * Starts the fork server of a profile and waits until it has imported everything.
 * @param number told apart from that of every other fork server of this engine
 */
export function launchForkServer(
  options: ForkServerLaunchOptions,
  profile: ImportProfile,
  number: number,
): Promise<{ server: ForkServer; ready: ReadyMessage }> {
  const bounds = options.confinement.slotBounds;
  const mounts = mountsOf(options);
  const forkServerOptions = {
    control: "/run/rollcall/control.sock",
    modules: profile.modules,
    sys_path: options.packagePaths,
    cgroup_root: bounds.cgroup === "none" ? "" : "/run/rollcall/cgroup",
    cgroup_v2: bounds.cgroup === 2,
    directory: bounds.namespaces ? "" : "/run/rollcall/slots",
    readable: [...bounds.readable, ...mounts.map(({ target }) => target)].join(":"),
    uid_shift: bounds.uidShift,
    inodes: SCRATCH_INODES,
  };
  return ForkServer.start(options.confinement, {
    name: `${profile.interpreter}-${profile.name}-${number}`,
    ...command(options, profile, JSON.stringify(forkServerOptions)),
    uid: 0,
    mounts,
    masked: options.packagesDirectory === null ? [] : MACHINE_PACKAGES,
    capabilities: CAPABILITIES,
    memoryBytes: FORK_SERVER_MEMORY_BYTES,
    pids: FORK_SERVER_PIDS,
  });
}
