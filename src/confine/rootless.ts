/**
 * A service that is not root: it is root of a user namespace of its own, in which an OCI runtime makes containers. With
 * newuidmap and a range in /etc/subuid programs have users of their own there; else all have the service's own.
 */
import { readFileSync } from "node:fs";
import { userInfo } from "node:os";
import type { IdMapping } from "./bundle.ts";
import { findProgram } from "./oci-runtime.ts";

export interface RootlessUsers {
  /** Flags of `unshare`. */
  readonly asRoot: readonly string[];
  /** Of a container's user namespace, inside that of the service. */
  readonly mappings: readonly IdMapping[];
}

/** Most ids that a container has. */
const IDS_MAX = 65_536;

/** Ids beside its own that a user may map, by a file such as /etc/subuid. */
function ranged(file: string): number {
  const { username, uid } = userInfo();
  try {
    const line = readFileSync(file, "utf8")
      .split("\n")
      .find((one) => one.startsWith(`${username}:`) || one.startsWith(`${uid}:`));
    return Number(line?.split(":")[2] ?? 0);
  } catch {
    return 0;
  }
}

export function rootlessUsers(): RootlessUsers {
  const own: IdMapping = { containerID: 0, hostID: 0, size: 1 };
  const more = Math.min(ranged("/etc/subuid"), ranged("/etc/subgid"), IDS_MAX) - 1;
  if (more < 1 || findProgram("newuidmap") === null || findProgram("newgidmap") === null)
    return { asRoot: ["--user", "--map-root-user"], mappings: [own] };
  // The kernel asks that each range lies in one range of the namespace around it.
  return {
    asRoot: ["--user", "--map-root-user", "--map-auto"],
    mappings: [own, { containerID: 1, hostID: 1, size: more }],
  };
}
