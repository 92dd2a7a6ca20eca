/**
 * One bootstrap at a time: a directory made by the holder, with the holder's process in it. A holder that
 * is gone (its id is free, or belongs to a process started at another time) loses the lock.
 */
import fs from "node:fs";
import path from "node:path";
import { readIfThere } from "./repository.mjs";
import { say } from "./say.mjs";

const POLL_MS = 200;
/** How long a lock without a holder's name in it may stand: the holder is between its two system calls. */
const NAMELESS_MS = 2000;

/** Start time of a process in clock ticks since boot, or "" where there is no /proc. */
function startOf(pid) {
  const stat = readIfThere(`/proc/${pid}/stat`);
  return stat === null ? "" : (stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "");
}

function isAlive(holder) {
  const [pid, startedAt] = holder.split(" ");
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    if (error.code === "ESRCH") return false;
  }
  return startOf(pid) === startedAt;
}

function isStale(directory) {
  const holder = readIfThere(path.join(directory, "holder"));
  if (holder !== null) return !isAlive(holder);
  try {
    return Date.now() - fs.statSync(directory).mtimeMs > NAMELESS_MS;
  } catch {
    return false;
  }
}

/** Moves a stale lock out of the way; of several processes that try, one succeeds. */
function breakLock(directory) {
  const aside = `${directory}.stale-${process.pid}`;
  try {
    fs.renameSync(directory, aside);
  } catch (error) {
    if (error.code === "ENOENT") return;
    throw error;
  }
  fs.rmSync(aside, { recursive: true, force: true });
}

/** Waits for the lock and returns the function that gives it back. */
export async function lock(directory) {
  fs.mkdirSync(path.dirname(directory), { recursive: true });
  for (let told = false; ;) {
    try {
      fs.mkdirSync(directory);
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    if (isStale(directory)) {
      breakLock(directory);
      continue;
    }
    if (!told) say("another run is preparing this clone; waiting for it");
    told = true;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  fs.writeFileSync(path.join(directory, "holder"), `${process.pid} ${startOf(process.pid)}`);
  const release = () => fs.rmSync(directory, { recursive: true, force: true });
  const releaseAndEnd = (signal) => {
    release();
    process.kill(process.pid, signal);
  };
  process.once("SIGINT", releaseAndEnd);
  process.once("SIGTERM", releaseAndEnd);
  return () => {
    process.off("SIGINT", releaseAndEnd);
    process.off("SIGTERM", releaseAndEnd);
    release();
  };
}
