/** `npm run build`: dist/ from src/, files that are not TypeScript included. */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";

const root = path.resolve(import.meta.dirname, "..");
const source = path.join(root, "src");
const dist = path.join(root, "dist");

/** Places in a built file where a path to a TypeScript file is left: tsc rewrites imports, not strings. */
function leftoverPaths(text: string): string[] {
  return text
    .split("\n")
    .filter((line) => /["'`]\.{0,2}\/?[\w/-]+\.ts["'`]/.test(line) && !line.startsWith("//#"));
}

fs.rmSync(dist, { recursive: true, force: true });
const tsc = spawnSync(path.join(root, "node_modules/.bin/tsc"), ["-p", "tsconfig.build.json"], {
  cwd: root,
  stdio: "inherit",
});
if (tsc.status !== 0) process.exit(tsc.status ?? 1);

fs.cpSync(source, dist, { recursive: true, filter: (file) => !file.endsWith(".ts") });
fs.chmodSync(path.join(dist, "main.js"), 0o755);

for (const file of fs.readdirSync(dist, { recursive: true, encoding: "utf8" })) {
  if (!file.endsWith(".js")) continue;
  for (const line of leftoverPaths(fs.readFileSync(path.join(dist, file), "utf8"))) {
    console.error(`dist/${file} names a TypeScript file: ${line.trim()}`);
    process.exitCode = 1;
  }
}
