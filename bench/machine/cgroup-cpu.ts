/**
 * CPU time of a service's containers as their cgroups count it: a second opinion on the sum over /proc, free
 * of the tick that each living process may hide there.
 */
import fs from "node:fs";
import path from "node:path";

const ROOT = "/sys/fs/cgroup";

function read(file: string): string | null {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return null;
  }
}

/** Milliseconds used by one cgroup and all below it; null when none counts it. */
function usageMs(directory: string): number | null {
  const v1 = read(path.join(directory, "cpuacct.usage"));
  if (v1 !== null) return Number(v1) / 1e6;
  const v2 = /^usage_usec (\d+)$/m.exec(read(path.join(directory, "cpu.stat")) ?? "")?.[1];
  return v2 === undefined ? null : Number(v2) / 1000;
}

function servicesIn(directory: string, prefix: string): string[] {
  try {
    return fs
      .readdirSync(directory)
      .filter((name) => name.startsWith(prefix))
      .map((name) => path.join(directory, name));
  } catch {
    return [];
  }
}

/** CPU time so far of the containers of the service with this process id; null where no cgroup counts CPU time. */
export function readContainersCpuMs(servicePid: number, root = ROOT): number | null {
  const hierarchies = [root, path.join(root, "cpuacct"), path.join(root, "cpu,cpuacct")];
  for (const hierarchy of hierarchies) {
    const used = servicesIn(hierarchy, `rollcall-${servicePid}-`)
      .map(usageMs)
      .filter((ms) => ms !== null);
    if (used.length > 0) return used.reduce((sum, ms) => sum + ms, 0);
  }
  return null;
}
