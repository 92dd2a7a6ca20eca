/** References that are processes of their own: the isolate loop, and an interpreter that starts and does nothing. */
import { execFile, spawnSync } from "node:child_process";
import { promisify } from "node:util";
import { moduleFile } from "../machine/place.ts";
import { Histogram } from "../load/histogram.ts";
import { quantilesOf, type Quantiles } from "../load/recorder.ts";

export interface IsolateLoopResult {
  readonly calls: number;
  readonly elapsedMs: number;
  readonly cpuMs: number;
}

export async function runIsolateLoop(threads: number, calls: number): Promise<IsolateLoopResult> {
  const args = [
    "--no-node-snapshot",
    moduleFile("bench/reference/isolate-loop"),
    String(threads),
    String(calls),
  ];
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
