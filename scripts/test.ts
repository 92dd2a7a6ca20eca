/**
 * `npm test`: the checks, then the suite, then one plain line that counts both. Arguments go to vitest, e.g.
 * `npm test -- test/http`; with arguments the checks are left out.
 */
import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { runChecks } from "./checks.ts";

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** The part that is read here of what vitest's json reporter writes. */
interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly { readonly status: string; readonly assertionResults: readonly unknown[] }[];
}

const root = path.resolve(import.meta.dirname, "..");

function runSuite(reportFile: string, args: readonly string[]): Promise<number> {
  const vitest = path.join(root, "node_modules/vitest/vitest.mjs");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${reportFile}`];
  const child = spawn(process.execPath, [vitest, "run", ...reporters, ...args], {
    cwd: root,
    stdio: "inherit",
  });
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code) => {
      resolve(code ?? 1);
    });
  });
}

/** Counts tests; a file that could not be loaded, and an error outside any test, count as a failed one. */
function count(reportFile: string, exitCode: number): Counts {
  if (!fs.existsSync(reportFile)) return { passed: 0, failed: 1, skipped: 0 };
  const report = JSON.parse(fs.readFileSync(reportFile, "utf8")) as Report;
  const unloaded = report.testResults.filter(
    (file) => file.status === "failed" && file.assertionResults.length === 0,
  );
  const failed = report.numFailedTests + unloaded.length;
  return {
    passed: report.numPassedTests,
    failed: failed === 0 && exitCode !== 0 ? 1 : failed,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

const args = process.argv.slice(2);
const checks = args.length === 0 ? runChecks() : { passed: 0, failed: 0 };
const directory = fs.mkdtempSync(path.join(os.tmpdir(), "rollcall-test-"));
try {
  const reportFile = path.join(directory, "report.json");
  const exitCode = await runSuite(reportFile, args);
  const counts = count(reportFile, exitCode);
  const passed = checks.passed + counts.passed;
  const failed = checks.failed + counts.failed;
  console.log(
    // What reads the last line knows these two numbers and no third.
    `${counts.skipped > 0 ? `\n${counts.skipped} skipped, each with its reason above` : ""}\n${passed} passed, ${failed} failed`,
  );
  process.exitCode = failed === 0 ? exitCode : 1;
} finally {
  fs.rmSync(directory, { recursive: true, force: true });
}
