/** node_modules, exactly as package-lock.json says. */
import fs from "node:fs";
import path from "node:path";
import { run } from "./command.mjs";
import { nodePath, npm } from "./node.mjs";
import { fromRoot, isStamped, keyOf, readIfThere, root, stamp } from "./repository.mjs";

const NAME = "modules";

const lockText = () => fs.readFileSync(fromRoot("package-lock.json"), "utf8");
const installedText = () => readIfThere(fromRoot("node_modules/.package-lock.json"));

/** Whether what npm says it installed is what the lock file asks for. */
function matches(lockFile, installed) {
  if (installed === null) return false;
  const wanted = JSON.parse(lockFile).packages;
  const present = JSON.parse(installed).packages;
  const isWanted = (name) =>
    wanted[name]?.version === present[name].version && wanted[name].integrity === present[name].integrity;
  return (
    Object.keys(present).every(isWanted) &&
    Object.keys(wanted).every((name) => name === "" || name in present || wanted[name].optional === true)
  );
}

export const modulesStep = {
  missing() {
    const key = keyOf(lockText());
    if (isStamped(NAME, key) && installedText() !== null) return null;
    if (matches(lockText(), installedText())) {
      stamp(NAME, key);
      return null;
    }
    return "node_modules by npm ci";
  },
  async make() {
    const key = keyOf(lockText());
    const env = { PATH: `${path.dirname(nodePath())}${path.delimiter}${process.env.PATH ?? ""}` };
    await run(npm(), ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], {
      cwd: root,
      env,
    });
    // The one native module: say here, not in the middle of a start, that this machine cannot load it.
    await run(nodePath(), [
      "--no-node-snapshot",
      "--input-type=module",
      "--eval",
      'await import("isolated-vm")',
    ]);
    stamp(NAME, key);
  },
};
