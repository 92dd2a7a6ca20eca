/** Where things are, in the repository and in the built package, whose dist/ holds what src/ and bench/ hold here. */
import fs from "node:fs";
import path from "node:path";

const isSource = import.meta.url.endsWith(".ts");

function findPackage(from: string): string {
  if (fs.existsSync(path.join(from, "package.json"))) return from;
  const above = path.dirname(from);
  if (above === from) throw new Error("the bench lies in no package");
  return findPackage(above);
}

export const PACKAGE_ROOT = findPackage(import.meta.dirname);

/** The file of a module named as in the repository, e.g. `src/main`. */
export function moduleFile(name: string): string {
  if (isSource) return path.join(PACKAGE_ROOT, `${name}.ts`);
  return path.join(PACKAGE_ROOT, "dist", `${name.replace(/^src\//, "")}.js`);
}
