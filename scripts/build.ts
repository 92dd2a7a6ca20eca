/** `npm run build`: dist/ from src/, files that are not TypeScript included. */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";

const root = path.resolve(import.meta.dirname, "..");
const source = path.join(root, "src");
const dist = path.join(root, "dist");

function compile(...args: readonly string[]): void {
  const tsc = spawnSync(path.join(root, "node_modules/.bin/tsc"), ["-p", ...args], {
    cwd: root,
    stdio: "inherit",
  });
  if (tsc.status !== 0) process.exit(tsc.status ?? 1);
}

fs.rmSync(dist, { recursive: true, force: true });
compile("tsconfig.build.json");
const isAsset = (file: string): boolean => !file.endsWith(".ts") && !file.endsWith(".md");
fs.cpSync(source, dist, { recursive: true, filter: isAsset });

// The bench imports from src/ and workload/, so these are compiled with it; of src/ dist/ has its own already.
const compiled = path.join(dist, ".bench");
compile("tsconfig.bench.json", "--outDir", compiled);
for (const name of ["bench", "workload"]) {
  fs.cpSync(path.join(compiled, name), path.join(dist, name), { recursive: true });
  fs.cpSync(path.join(root, name), path.join(dist, name), { recursive: true, filter: isAsset });
}
fs.rmSync(compiled, { recursive: true });
for (const file of fs.globSync(path.join(dist, "{bench,workload}/**/*.js"))) {
  const text = fs.readFileSync(file, "utf8");
  fs.writeFileSync(file, text.replaceAll(/"((?:\.\.\/)+)src\//g, '"$1'));
}
fs.chmodSync(path.join(dist, "main.js"), 0o755);
