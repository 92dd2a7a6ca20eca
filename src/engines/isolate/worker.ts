/**
 * The worker thread of a host: Piscina hands it one run at a time, and while it has none it makes the isolate
 * of the next. So a run begins in an isolate that is ready, and never in one that another run was in.
 */
import type { MessagePort } from "node:worker_threads";
import { workerData } from "node:worker_threads";
import { IsolateRun, type RunOutcome, type RunTask } from "./isolate-run.ts";
import { GuestLibrary, type WarmIsolate } from "./warm-isolate.ts";

export interface WorkerTask extends RunTask {
  /** Says "started" when the program starts; a message on it ends the program. */
  readonly port: MessagePort;
}

const library = new GuestLibrary();
let memoryBytes = Number((workerData as { memoryBytes?: unknown } | null)?.memoryBytes ?? 512 << 20);
let warm: WarmIsolate | undefined = library.makeIsolate(memoryBytes);

function takeIsolate(memoryBytesAsked: number): WarmIsolate {
  const ready = warm;
  warm = undefined;
  memoryBytes = memoryBytesAsked;
  if (ready?.memoryBytes === memoryBytesAsked) return ready;
  ready?.isolate.dispose();
  return library.makeIsolate(memoryBytesAsked);
}

/** Returns once this module has loaded, and with it made the first isolate. */
export function ready(): void {
  // Nothing is left to do.
}

export async function run(task: WorkerTask): Promise<RunOutcome> {
  const { port, message } = task;
  const taken = takeIsolate(message.limits.memoryBytes);
  try {
    const current = new IsolateRun(taken, task);
    port.on("message", (reason: "cancel" | "memory") => current.endBy(reason));
    port.postMessage("started");
    return await current.execute();
  } finally {
    port.close();
    // After the answer is on its way.
    setImmediate(() => {
      if (!taken.isolate.isDisposed) taken.isolate.dispose();
      warm ??= library.makeIsolate(memoryBytes);
    });
  }
}
