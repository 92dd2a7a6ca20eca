/**
 * gVisor's runsc: each container has a kernel of its own, a process that answers the system calls of its programs, so that
 * the machine's kernel is not theirs to try. It makes the same bundle, as far as that kernel goes: a JavaScript host runs
 * in it; a fork server does not come to open a slot.
 */
import type { ContainerSpec, Isolation } from "./ports.ts";
import { absent, enforced } from "./tier.ts";

/** No network at all; the engine's control socket may be connected to, none be made; files are the bundle's, with no layer over them. */
export const GVISOR_FLAGS = [
  "--platform=ptrace",
  "--network=none",
  "--host-uds=open",
  "--overlay2=none",
] as const;

/** What that kernel and its file server take beside the programs. */
const OWN_MEMORY_BYTES = 256 << 20;
/** Threads of its own, and one on this machine for each thread of a program. */
const OWN_PIDS = 512;

/** Bounds of the container with its kernel in it. */
export function withKernel(spec: ContainerSpec): ContainerSpec {
  return { ...spec, memoryBytes: spec.memoryBytes + OWN_MEMORY_BYTES, pids: spec.pids + OWN_PIDS };
}

/** Why a container that makes namespaces inside, as a fork server's does, is refused. */
export function refusal(version: string): string {
  return (
    `${version} makes containers for runtime javascript only: the fork servers of the others need to return to a pid namespace ` +
    "(setns), to bound the files of a tmpfs (nr_inodes), close_range, MADV_REMOVE and /proc/PID/smaps_rollup, which it does not have. " +
    "Switch off runtimes.python, node, bash and cpp, or choose crun or runc"
  );
}

type Layers = Isolation["layers"];

/** Those of a container, and what is other with a kernel of its own: a profile of seccomp keeps Node from making threads there. */
export function withKernelLayers(version: string, layers: Layers): Layers {
  const kernel = enforced(
    "second kernel",
    `${version} answers the programs' system calls, by platform ptrace`,
  );
  const seccomp = absent(
    "seccomp",
    "programs may make every system call that the second kernel knows; a filter of its own is between it and the machine's",
  );
  return [kernel, ...layers.map((layer) => (layer.name === "seccomp" ? seccomp : layer))];
}
