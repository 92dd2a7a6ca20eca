/** `npm run build`: dist/ from src/, files that are not TypeScript included. */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";

const root = path.resolve(import.meta.dirname, "..");
const source = path.join(root, "src");
const dist = path.join(root, "dist");

fs.rmSync(dist, { recursive: true, force: true });
const tsc = spawnSync(path.join(root, "node_modules/.bin/tsc"), ["-p", "tsconfig.build.json"], {
  cwd: root,
  stdio: "inherit",
});
if (tsc.status !== 0) process.exit(tsc.status ?? 1);

fs.cpSync(source, dist, { recursive: true, filter: (file) => !file.endsWith(".ts") });
fs.chmodSync(path.join(dist, "main.js"), 0o755);
