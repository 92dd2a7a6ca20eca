/**
 * CPU time of a process and everything that descends from it, from /proc. What children that have ended
 * used is in the figures of the parent that waited for them, so the sum over the living tree is the whole.
 */
import fs from "node:fs";

/** Clock ticks in a second; the kernel shows times to user space in this unit on every Linux. */
const TICKS_PER_SECOND = 100;

export interface CpuUse {
  readonly totalMs: number;
}

interface ProcessTimes {
  readonly parent: number;
  readonly ticks: number;
}

function readTimes(pid: string): ProcessTimes | null {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name, in parentheses, may itself hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    return { parent: Number(fields[1]), ticks };
  } catch {
    return null;
  }
}

/** CPU time used so far by the tree below and including `root`. */
export function readCpu(root: number): CpuUse {
  const times = new Map<number, ProcessTimes>();
  for (const name of fs.readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const one = readTimes(name);
    if (one !== null) times.set(Number(name), one);
  }
  const descends = (pid: number): boolean => {
    for (let at = pid, depth = 0; at > 1 && depth < 64; depth++) {
      if (at === root) return true;
      at = times.get(at)?.parent ?? 0;
    }
    return false;
  };
  let ticks = 0;
  for (const [pid, one] of times) if (descends(pid)) ticks += one.ticks;
  return { totalMs: (ticks * 1000) / TICKS_PER_SECOND };
}

export function cpuBetween(before: CpuUse, after: CpuUse): CpuUse {
  return { totalMs: after.totalMs - before.totalMs };
}
