/** References that are processes of their own: the isolate loop, and an interpreter that starts and does nothing. */
import { execFile, spawnSync } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { Histogram } from "../load/histogram.ts";
import { quantilesOf, type Quantiles } from "../load/recorder.ts";

export interface IsolateLoopResult {
  readonly calls: number;
  readonly elapsedMs: number;
  readonly cpuMs: number;
}

const ENTRY = path.join(import.meta.dirname, `isolate-loop.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`);

export async function runIsolateLoop(threads: number, calls: number): Promise<IsolateLoopResult> {
  const args = ["--no-node-snapshot", ENTRY, String(threads), String(calls)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return JSON.parse(stdout) as IsolateLoopResult;
}

/** Wall time of `python3 -c pass`, start to end, one after the other. */
export function timeBareStart(interpreter: string, starts: number): Quantiles {
  const histogram = new Histogram();
  for (let start = 0; start < starts; start += 1) {
    const before = performance.now();
    spawnSync(interpreter, ["-c", "pass"]);
    histogram.record(performance.now() - before);
  }
  return quantilesOf(histogram);
}
