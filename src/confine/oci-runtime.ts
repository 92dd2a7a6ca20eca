/**
 * The OCI runtime, and the only place in this project's src that starts a process.
 *
 * crun refuses a hybrid cgroup layout, even where the cgroup2 holds nothing: there it runs in a private mount
 * namespace in which that mount is out of its sight. runc and runsc take every layout as it is.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { CgroupLayout } from "./cgroup-layout.ts";
import { GVISOR_FLAGS } from "./gvisor.ts";

export type OciRuntimeName = "crun" | "runc" | "runsc";

export interface OciRuntime {
  readonly name: OciRuntimeName;
  /** First line of `--version`. */
  readonly version: string;
  readonly path: string;
  /** A mount that must be out of the runtime's sight, or null. */
  readonly hidden: string | null;
  /** Flags of `unshare` for a user namespace in which an unprivileged service is root; empty for root. */
  readonly asRoot: readonly string[];
  /** Whether the runtime makes cgroups and sets their limits; else we do, or there are none. */
  readonly managesCgroups: boolean;
}

/** What is done for one container, by the process that becomes the runtime, before it does. */
export interface Preparation {
  readonly staged: readonly StagedMount[];
  /** Files `cgroup.procs` that it enters itself into. */
  readonly joined: readonly string[];
}

/** What is mounted for the runtime alone, in a mount namespace of its own that ends with it. */
export interface StagedMount {
  readonly source: string;
  readonly target: string;
}

export const SEARCH_PATH = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/** Absolute path of a program, or null. The caller's PATH is not asked: the service must not depend on it. */
export function findProgram(name: string): string | null {
  return SEARCH_PATH.map((directory) => join(directory, name)).find((path) => existsSync(path)) ?? null;
}

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const OUTPUT_BYTES_MAX = 1 << 20;

/** Runs a short command to its end. Never rejects; a command that cannot be started has code null. */
export function runCommand(command: readonly string[], timeoutMs = 10_000): Promise<Finished> {
  const [program = "", ...args] = command;
  return new Promise((resolve) => {
    execFile(
      program,
      args,
      { timeout: timeoutMs, maxBuffer: OUTPUT_BYTES_MAX, env: { PATH: SEARCH_PATH.join(":") } },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : null;
        resolve({ code, stdout, stderr: stderr === "" && error !== null ? error.message : stderr });
      },
    );
  });
}

/** The runtime named by configuration, or the first there is; null when there is none. */
export async function findOciRuntime(
  wanted: OciRuntimeName | "auto",
  layout: CgroupLayout | null,
  rights: Pick<OciRuntime, "asRoot" | "managesCgroups">,
): Promise<OciRuntime | null> {
  const names: readonly OciRuntimeName[] = wanted === "auto" ? ["crun", "runc"] : [wanted];
  for (const name of names) {
    const path = findProgram(name);
    if (path === null) continue;
    const { code, stdout } = await runCommand([path, "--version"]);
    if (code !== 0) continue;
    return {
      name,
      version: stdout.split("\n")[0] ?? name,
      path,
      hidden: name === "crun" && layout?.version === 1 ? layout.hybridMount : null,
      ...rights,
    };
  }
  return null;
}

/** A mount that came with a more privileged namespace cannot be undone, but covered. */
const HIDE = 'if [ -n "$1" ]; then umount "$1" 2>/dev/null || mount -t tmpfs none "$1"; fi; shift';
const JOIN = 'while [ "$1" != -- ]; do echo $$ >"$1"; shift; done; shift';
const STAGE = 'while [ "$1" != -- ]; do mount --bind "$1" "$2"; shift 2; done; shift';
const PREPARE = `${HIDE}; ${JOIN}; ${STAGE}; exec "$@"`;

function globalFlags({ name, managesCgroups }: OciRuntime): readonly string[] {
  if (name === "runsc") return managesCgroups ? GVISOR_FLAGS : [...GVISOR_FLAGS, "--ignore-cgroups"];
  return name === "crun" && !managesCgroups ? ["--cgroup-manager=disabled"] : [];
}

/** The command line of a runtime, with its own view of the mounts where it needs one. */
function commandLine(
  runtime: OciRuntime,
  { staged, joined }: Preparation,
  args: readonly string[],
): [string, ...string[]] {
  const command: [string, ...string[]] = [runtime.path, ...globalFlags(runtime), ...args];
  if (runtime.hidden === null && staged.length === 0 && joined.length === 0 && runtime.asRoot.length === 0)
    return command;
  const unshare = findProgram("unshare") ?? "unshare";
  const pairs = staged.flatMap(({ source, target }) => [source, target]);
  return [
    unshare,
    ...runtime.asRoot,
    "--mount",
    "--propagation",
    "private",
    "sh",
    "-ec",
    PREPARE,
    "sh",
    runtime.hidden ?? "",
    ...joined,
    "--",
    ...pairs,
    "--",
    ...command,
  ];
}

export interface ContainerProcess {
  readonly process: ChildProcess;
  readonly pidFile: string;
}

/** Starts `run` for a bundle in the foreground: the child process lives as long as the container. */
export function startContainer(
  runtime: OciRuntime,
  state: string,
  bundle: string,
  id: string,
  preparation: Preparation,
): ContainerProcess {
  const pidFile = join(bundle, "pid");
  const [program, ...args] = commandLine(runtime, preparation, [
    "--root",
    state,
    "run",
    "--bundle",
    bundle,
    "--pid-file",
    pidFile,
    id,
  ]);
  // A group of its own: a Ctrl-C at the terminal is the service's to answer, not the containers'.
  const child = spawn(program, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: SEARCH_PATH.join(":") },
    detached: true,
  });
  return { process: child, pidFile };
}

/** Removes what the runtime still knows of a container. Never rejects. */
export async function deleteContainer(runtime: OciRuntime, state: string, id: string): Promise<void> {
  await runCommand(
    commandLine(runtime, { staged: [], joined: [] }, ["--root", state, "delete", "--force", id]),
  );
}
