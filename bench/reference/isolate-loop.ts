/**
 * The least that a fresh JavaScript state can cost: new isolate, context, run, dispose, over and over on each of
 * some threads. Started by path, under `--no-node-snapshot`; prints one JSON line.
 *
 * Usage: isolate-loop.ts THREADS CALLS SOURCE
 */
import { Worker, isMainThread, parentPort, workerData } from "node:worker_threads";
// oxlint-disable unicorn/require-post-message-target-origin -- these are threads, not windows
import ivm from "isolated-vm";

interface Work {
  readonly calls: number;
  readonly source: string;
}

/** That of a call which asks for none: V8 sizes an isolate's young generation by it. */
const MEMORY_MIB = 512;

function loop({ calls, source }: Work): void {
  for (let call = 0; call < calls; call += 1) {
    const isolate = new ivm.Isolate({ memoryLimit: MEMORY_MIB });
    const context = isolate.createContextSync();
    isolate.compileScriptSync(source).runSync(context);
    isolate.dispose();
  }
}

async function runThreads(threads: number, calls: number, source: string): Promise<void> {
  const each = Math.ceil(calls / threads);
  const workers = Array.from(
    { length: threads },
    () => new Worker(new URL(import.meta.url), { workerData: { calls: each, source } satisfies Work }),
  );
  const next = (word: string) =>
    Promise.all(
      workers.map(
        (worker) =>
          new Promise<void>((resolve, reject) => {
            worker.once("error", reject);
            worker.on("message", (said) => said === word && resolve());
          }),
      ),
    );
  await next("ready");
  const startedAt = performance.now();
  const before = process.cpuUsage();
  const done = next("done");
  for (const worker of workers) worker.postMessage("go");
  await done;
  const used = process.cpuUsage(before);
  const elapsedMs = performance.now() - startedAt;
  const result = { calls: each * threads, elapsedMs, cpuMs: (used.user + used.system) / 1000 };
  await new Promise<void>((resolve) => process.stdout.write(`${JSON.stringify(result)}\n`, () => resolve()));
  process.exit(0);
}

if (isMainThread) {
  const [threads, calls, source = "6 * 7"] = process.argv.slice(2);
  await runThreads(Number(threads), Number(calls), source);
} else {
  const work = workerData as Work;
  // One before the clock starts, so that what the thread does once is not counted.
  loop({ ...work, calls: 1 });
  parentPort?.once("message", () => {
    loop(work);
    parentPort?.postMessage("done");
  });
  parentPort?.postMessage("ready");
}
