/** The executor inside this very process: the core and the engines with no HTTP around them. */
import { createExecutor } from "../../src/index.ts";
import { sendThrough } from "./native.ts";
import type { Target } from "./target.ts";

const BATCH_MAX = 10_000;

export async function createEmbeddedTarget(): Promise<Target> {
  const executor = await createExecutor();
  return {
    name: "rollcall, embedded",
    batchMax: BATCH_MAX,
    // The load itself runs in the same process, so its CPU time is in these figures too.
    pid: process.pid,
    metricsUrl: null,
    runs: () => true,
    send: (calls, onAnswer) => sendThrough(executor, calls, onAnswer),
    close: () => executor.close(),
  };
}
