/**
 * `npm run demo`: starts the service, sends it 2,000 calls from another process, holds every answer against
 * what the program must print, and stops the service. Ends with 0 only when all of that went right.
 */
import { fork } from "node:child_process";
import path from "node:path";
import { cpuBetween, readCpu } from "../../bench/machine/cpu.ts";
import { ink, whole } from "../../bench/terminal/ink.ts";
import { allCalls, makePlan } from "./plan.ts";
import { Service } from "../../bench/machine/service.ts";
import { finalTable } from "./table.ts";
import { type Report, isRight } from "./tally.ts";

/** Runs the client process and gives its report. */
function runClient(url: string, signal: AbortSignal): Promise<Report> {
  const child = fork(path.join(import.meta.dirname, "client.ts"), [url], { signal });
  return new Promise((resolve, reject) => {
    let report: Report | null = null;
    child.on("message", (message) => {
      report = message as Report;
    });
    child.on("error", reject);
    child.on("exit", (code) => {
      if (report === null) reject(new Error(`the client ended with ${code} and no report`));
      else resolve(report);
    });
  });
}

/** Everything between the service's start and its stop. */
async function demonstrate(service: Service, signal: AbortSignal): Promise<boolean> {
  const before = readCpu(service.pid);
  const report = await runClient(service.url, signal);
  console.log(finalTable(report, cpuBetween(before, readCpu(service.pid))));
  return isRight(report);
}

const interrupt = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, () => interrupt.abort());

/** The whole demo; says whether all went right. */
async function run(): Promise<boolean> {
  const startedAt = performance.now();
  const service = await Service.start();
  const readyS = (performance.now() - startedAt) / 1000;
  console.log(`  ${ink.bold("service")} at ${service.url}, ready in ${readyS.toFixed(1)} s`);
  console.log(
    `  ${ink.bold("client")} sends ${whole(allCalls(makePlan()).length)} calls, up to 256 in flight\n`,
  );
  const answeredRight = await demonstrate(service, interrupt.signal).catch((error: unknown) => {
    complain(error);
    return false;
  });
  if (!answeredRight) console.error(`  the end of the service's log:\n${service.log}`);
  const stoppingAt = performance.now();
  const code = await service.stop();
  const stopText = `service stopped with ${code ?? "a kill"} in ${((performance.now() - stoppingAt) / 1000).toFixed(1)} s`;
  console.log(`  ${code === 0 ? stopText : ink.red(stopText)}`);
  return answeredRight && code === 0;
}

function complain(error: unknown): void {
  console.error(ink.red(`  ${error instanceof Error ? error.message : String(error)}`));
}

const isGood = await run().catch((error: unknown) => {
  complain(error);
  return false;
});
if (isGood) console.log(`  ${ink.green("every call was answered once and rightly")}`);
process.exitCode = isGood ? 0 : 1;
