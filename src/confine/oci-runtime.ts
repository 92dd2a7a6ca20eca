/**
 * The OCI runtime, and the only place in this project's src that starts a process.
 *
 * crun refuses a hybrid cgroup layout, even where the cgroup2 holds nothing: there it runs in a private mount
 * namespace in which that mount is out of its sight. runc takes every layout as it is.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { CgroupLayout } from "./cgroup-layout.ts";

export type OciRuntimeName = "crun" | "runc";

export interface OciRuntime {
  readonly name: OciRuntimeName;
  /** First line of `--version`. */
  readonly version: string;
  readonly path: string;
  /** A mount that must be out of the runtime's sight, or null. */
  readonly hidden: string | null;
}

/** What is mounted for the runtime alone, in a mount namespace of its own that ends with it. */
export interface StagedMount {
  readonly source: string;
  readonly target: string;
}

const SEARCH_PATH = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

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
  layout: CgroupLayout,
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
      hidden: name === "crun" && layout.version === 1 ? layout.hybridMount : null,
    };
  }
  return null;
}

const STAGE =
  'if [ -n "$1" ]; then umount "$1"; fi; shift; while [ "$1" != -- ]; do mount --bind "$1" "$2"; shift 2; done; shift; exec "$@"';

/** The command line of a runtime, with its own view of the mounts where it needs one. */
function commandLine(
  runtime: OciRuntime,
  staged: readonly StagedMount[],
  args: readonly string[],
): [string, ...string[]] {
  if (runtime.hidden === null && staged.length === 0) return [runtime.path, ...args];
  const unshare = findProgram("unshare") ?? "unshare";
  const pairs = staged.flatMap(({ source, target }) => [source, target]);
  return [
    unshare,
    "--mount",
    "--propagation",
    "private",
    "sh",
    "-ec",
    STAGE,
    "sh",
    runtime.hidden ?? "",
    ...pairs,
    "--",
    runtime.path,
    ...args,
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
  staged: readonly StagedMount[],
): ContainerProcess {
  const pidFile = join(bundle, "pid");
  const [program, ...args] = commandLine(runtime, staged, [
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
  await runCommand(commandLine(runtime, [], ["--root", state, "delete", "--force", id]));
}
