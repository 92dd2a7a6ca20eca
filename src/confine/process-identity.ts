/** A process id is reused; a process id with its start time is not. */
import { readFileSync, readlinkSync } from "node:fs";

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

/** Inode of this process's pid namespace: an id says nothing about a process of another one. */
function pidNamespace(): string {
  return /\d+/.exec(readlinkSync("/proc/self/ns/pid"))?.[0] ?? "0";
}

let instances = 0;

/** A name for one more service of this process, from which others can tell whether it is still there. */
export function newInstance(): string {
  return `${process.pid}-${startTime(process.pid) ?? "0"}-${pidNamespace()}-${instances++}`;
}

/** Whether the process that made this name, in this pid namespace, is gone; false for names from elsewhere. */
export function isDeadInstance(instance: string): boolean {
  const [pid = "", since = "", namespace = ""] = instance.split("-");
  return namespace === pidNamespace() && !isAlive(Number(pid), since);
}
