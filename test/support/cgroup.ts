/** The cgroups of a service, for tests that take from it what it needs. */
import { existsSync, readdirSync } from "node:fs";

const MOUNT = "/sys/fs/cgroup";

/** Directory of the service's own cgroup in the hierarchy of that controller. */
export function cgroupOf(pid: number, controller: "memory" | "pids"): string {
  const root = existsSync(`${MOUNT}/cgroup.controllers`) ? MOUNT : `${MOUNT}/${controller}`;
  const name = readdirSync(root).find((entry) => entry.startsWith(`rollcall-${pid}-`));
  if (name === undefined) throw new Error(`process ${pid} has no cgroup below ${root}`);
  return `${root}/${name}`;
}
