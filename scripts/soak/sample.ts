/** What the service holds at one moment, counted from outside while no call is in flight. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { countLeftovers, descendants } from "../../test/support/leftovers.ts";
import { processesByPart } from "../../test/support/process-tree.ts";
import { readMetrics } from "./metrics.ts";

/** In the order of the table; each is checked for growth. */
export const SERIES = [
  { name: "service_rss_mib", label: "service RSS", unit: "MiB", tolerance: 8 },
  { name: "hosts_pss_mib", label: "JavaScript hosts", unit: "MiB", tolerance: 24 },
  { name: "fork_servers_pss_mib", label: "fork servers and slots", unit: "MiB", tolerance: 8 },
  { name: "descriptors", label: "descriptors of the service", unit: "", tolerance: 0.5 },
  { name: "sandbox_descriptors", label: "descriptors of sandboxes", unit: "", tolerance: 0.5 },
  { name: "processes", label: "processes", unit: "", tolerance: 0.5 },
  // A fork server reaps a slot that ended when it is next asked for one: up to one for each of them may wait.
  { name: "zombies", label: "zombies", unit: "", tolerance: 2 },
  { name: "mounts", label: "mounts", unit: "", tolerance: 0.5 },
  { name: "cgroups", label: "cgroups", unit: "", tolerance: 0.5 },
  { name: "lag_p99_ms", label: "event-loop lag, p99", unit: "ms", tolerance: 5 },
] as const;

export type SeriesName = (typeof SERIES)[number]["name"];

export type Sample = Readonly<Record<SeriesName, number>> & {
  /** Calls answered before it. */
  readonly calls: number;
  /** Since the soak began. */
  readonly seconds: number;
};

const read = (path: string): string => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
};

const kibOf = (text: string, field: string): number =>
  Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? 0);

/** Shares of what processes have in common are counted once. */
const pssMib = (pids: readonly number[]): number =>
  pids.reduce((sum, pid) => sum + kibOf(read(`/proc/${pid}/smaps_rollup`), "Pss"), 0) / 1024;

function descriptorsOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0;
  }
}

function isZombie(pid: number): boolean {
  const stat = read(`/proc/${pid}/stat`);
  return stat[stat.lastIndexOf(")") + 2] === "Z";
}

/** Mounts below the service's own state directory, and those inside of each of its mount namespaces. */
function mountsOf(pids: readonly number[], stateDirectory: string): number {
  const seen = new Set<string>();
  let count = read("/proc/self/mountinfo")
    .split("\n")
    .filter((line) => line.includes(stateDirectory)).length;
  for (const pid of pids) {
    try {
      const namespace = readlinkSync(`/proc/${pid}/ns/mnt`);
      if (seen.has(namespace)) continue;
      seen.add(namespace);
      count += read(`/proc/${pid}/mountinfo`).split("\n").length - 1;
    } catch {
      // Ended while we looked.
    }
  }
  return count;
}

const round = (value: number) => Math.round(value * 100) / 100;

/** @param calls answered so far */
export async function takeSample(
  service: { readonly pid: number; readonly url: string; readonly stateDirectory: string },
  calls: number,
  seconds: number,
): Promise<Sample> {
  const metrics = await readMetrics(service.url);
  const parts = processesByPart(service.pid);
  const inside = [...parts.forkServer, ...parts.slot, ...parts.javascriptHost];
  const counts = countLeftovers(service.pid);
  const zombies = descendants(service.pid).filter((pid) => isZombie(pid)).length;
  return {
    calls,
    seconds: round(seconds),
    service_rss_mib: round(kibOf(read(`/proc/${service.pid}/status`), "VmRSS") / 1024),
    hosts_pss_mib: round(pssMib(parts.javascriptHost)),
    fork_servers_pss_mib: round(pssMib([...parts.forkServer, ...parts.slot])),
    // Connections are the load's own.
    descriptors: counts.descriptors - metrics.value("rollcall_http_connections"),
    sandbox_descriptors: inside.reduce((sum, pid) => sum + descriptorsOf(pid), 0),
    processes: counts.processes - zombies,
    zombies,
    mounts: mountsOf(inside, service.stateDirectory),
    cgroups: counts.cgroups,
    lag_p99_ms: round(metrics.value("nodejs_eventloop_lag_p99_seconds") * 1000),
  };
}
