/**
 * CPU time and memory of a process and everything that descends from it, from /proc. What children that have
 * ended used is in the figures of the parent that waited for them, so the sum over the living tree is the whole.
 */
import fs from "node:fs";

/** Clock ticks in a second; the kernel shows times to user space in this unit on every Linux. */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;

export interface CpuUse {
  readonly totalMs: number;
}

export interface TreeUse extends CpuUse {
  /** CPU time of the first process alone, without its children. */
  readonly ownMs: number;
  /** Resident memory of the first process alone. Bytes. */
  readonly rssBytes: number;
  /** Resident memory of all, pages that they share counted for each. Bytes. */
  readonly treeRssBytes: number;
  readonly processes: number;
}

interface ProcessStat {
  readonly parent: number;
  readonly ticks: number;
  readonly ownTicks: number;
  readonly pages: number;
}

function readStat(pid: string): ProcessStat | null {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name, in parentheses, may itself hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [user = 0, system = 0, ofChildren = 0, systemOfChildren = 0] = fields.slice(11, 15).map(Number);
    const ownTicks = user + system;
    const ticks = ownTicks + ofChildren + systemOfChildren;
    return { parent: Number(fields[1]), ticks, ownTicks, pages: Number(fields[21]) };
  } catch {
    return null;
  }
}

function readAll(): Map<number, ProcessStat> {
  const all = new Map<number, ProcessStat>();
  for (const name of fs.readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const one = readStat(name);
    if (one !== null) all.set(Number(name), one);
  }
  return all;
}

function treeOf(root: number, all: ReadonlyMap<number, ProcessStat>): [number, ProcessStat][] {
  const descends = (pid: number): boolean => {
    for (let at = pid, depth = 0; at > 1 && depth < 64; depth++) {
      if (at === root) return true;
      at = all.get(at)?.parent ?? 0;
    }
    return false;
  };
  return [...all].filter(([pid]) => descends(pid));
}

/** CPU time used so far, and memory now, of the tree below and including `root`. */
export function readTree(root: number): TreeUse {
  const all = readAll();
  const tree = treeOf(root, all);
  const sum = (pick: (stat: ProcessStat) => number) => tree.reduce((total, [, one]) => total + pick(one), 0);
  return {
    totalMs: (sum((one) => one.ticks) * 1000) / TICKS_PER_SECOND,
    ownMs: ((all.get(root)?.ownTicks ?? 0) * 1000) / TICKS_PER_SECOND,
    rssBytes: (all.get(root)?.pages ?? 0) * PAGE_BYTES,
    treeRssBytes: sum((one) => one.pages) * PAGE_BYTES,
    processes: tree.length,
  };
}

export function readCpu(root: number): CpuUse {
  return { totalMs: readTree(root).totalMs };
}

/** The topmost processes of the tree whose command line holds `text`: their forks have the same one. */
export function findProcesses(root: number, text: string): number[] {
  const tree = treeOf(root, readAll()).filter(([pid]) => {
    try {
      return fs.readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(text);
    } catch {
      return false;
    }
  });
  const found = new Set(tree.map(([pid]) => pid));
  return tree.filter(([, { parent }]) => !found.has(parent)).map(([pid]) => pid);
}

export function childrenOf(parent: number): number[] {
  return [...readAll()].filter(([, one]) => one.parent === parent).map(([pid]) => pid);
}

export function cpuBetween(before: CpuUse, after: CpuUse): CpuUse {
  return { totalMs: after.totalMs - before.totalMs };
}
