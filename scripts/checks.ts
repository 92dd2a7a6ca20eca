/** What is looked at without running the product: types, lint, format, dead code. */
import { spawnSync } from "node:child_process";
import path from "node:path";

const CHECKS: readonly (readonly string[])[] = [
  ["tsc"],
  ["oxlint", "--type-aware"],
  ["oxfmt", "--check"],
  ["knip", "--no-progress"],
];

const root = path.resolve(import.meta.dirname, "..");

/** Runs every check, prints the output of those that fail, and tells how many passed and failed. */
export function runChecks(): { passed: number; failed: number } {
  let passed = 0;
  for (const [name, ...args] of CHECKS) {
    const startedAt = performance.now();
    const command = path.join(root, "node_modules/.bin", name ?? "");
    const done = spawnSync(command, args, {
      cwd: root,
      encoding: "utf8",
      env: { ...process.env, NO_COLOR: "1" },
    });
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    console.log(`check ${[name, ...args].join(" ")}: ${done.status === 0 ? "ok" : "FAILED"} (${seconds} s)`);
    if (done.status === 0) passed += 1;
    else console.log(`${done.stdout}${done.stderr}${done.error?.message ?? ""}`);
  }
  return { passed, failed: CHECKS.length - passed };
}
