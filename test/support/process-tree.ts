/** The processes of a service by their part in it, found from outside, so that tests can end them. */
import { readFileSync } from "node:fs";
import { descendants } from "./leftovers.ts";

export const PARTS = ["runtime", "forkServer", "slot", "call", "javascriptHost"] as const;
export type Part = (typeof PARTS)[number];

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

function readProcess(pid: number): Process | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (fields[0] === "Z") return null;
    return {
      pid,
      parent: Number(fields[1]),
      command: readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " "),
    };
  } catch {
    return null;
  }
}

/** Python's and Node's. */
const FORK_SERVER = /fork_server\.py|fork-server\.js/;

/** A fork server's slots have its command line, and so has a call until it executes something else: depth tells. */
function partOf(one: Process, all: ReadonlyMap<number, Process>): Part | null {
  if (/\b(?:crun|runc)\b.* run --bundle/.test(one.command)) return "runtime";
  if (one.command.includes("isolate/host")) return "javascriptHost";
  if (!FORK_SERVER.test(one.command)) return null;
  let depth = 0;
  for (
    let up = all.get(one.parent);
    up !== undefined && FORK_SERVER.test(up.command);
    up = all.get(up.parent)
  )
    depth++;
  return (["forkServer", "slot", "call"] as const)[depth] ?? "call";
}

/** Ids of the processes below `root` by part. */
export function processesByPart(root: number): Record<Part, number[]> {
  const all = new Map<number, Process>();
  for (const pid of descendants(root)) {
    const one = readProcess(pid);
    if (one !== null) all.set(pid, one);
  }
  const parts: Record<Part, number[]> = {
    runtime: [],
    forkServer: [],
    slot: [],
    call: [],
    javascriptHost: [],
  };
  for (const one of all.values()) {
    const part = partOf(one, all);
    if (part !== null) parts[part].push(one.pid);
  }
  return parts;
}
