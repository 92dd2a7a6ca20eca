/** A process id is reused; a process id with its start time is not. */
import { readFileSync } from "node:fs";

/** Start time in clock ticks since boot, or null when there is no such process. */
export function startTime(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in the second field may hold spaces and brackets; fields are counted after its end.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? null;
  } catch {
    return null;
  }
}

/** Whether the process that had this id and start time is still there, dead but unreaped ones aside. */
export function isAlive(pid: number, since: string | null): boolean {
  return since !== null && startTime(pid) === since && !isZombie(pid);
}

function isZombie(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat[stat.lastIndexOf(")") + 2] === "Z";
  } catch {
    return true;
  }
}

/** Kills a process unless it is gone already. */
export function killProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Gone between the look and the kill, which is what was wanted.
  }
}
