/** Node 24: the one we run under, when it is new enough, otherwise one from an npm package. */
import fs from "node:fs";
import { findCommand, run } from "./command.mjs";
import { fromRoot, readIfThere } from "./repository.mjs";
import { BootstrapError } from "./say.mjs";

/** The first version that strips types without a warning; "engines" in package.json says the same. */
const OLDEST = [24, 12];
const NEWEST_MAJOR = 24;
const INSTALLED = "24.21.0";

const home = fromRoot(".rollcall/node");
const packageName = `node-linux-${process.arch}`;
const installedPath = `${home}/node_modules/${packageName}/bin/node`;

/** The native isolate module has binaries for this major version, so a later one does not do. */
function isFit(version) {
  const [major, minor] = version.split(".").map(Number);
  return major === NEWEST_MAJOR && minor >= OLDEST[1];
}

/** Path of the Node that entries run under. */
export function nodePath() {
  return isFit(process.versions.node) ? process.execPath : installedPath;
}

export const nodeStep = {
  missing() {
    if (isFit(process.versions.node)) return null;
    const installed = JSON.parse(readIfThere(`${home}/node_modules/${packageName}/package.json`) ?? "{}");
    if (installed.version === INSTALLED && fs.existsSync(installedPath)) return null;
    return `Node ${INSTALLED} into .rollcall/node (this one is ${process.versions.node})`;
  },
  async make() {
    if (process.platform !== "linux" || !["x64", "arm64"].includes(process.arch)) {
      throw new BootstrapError(
        `Node ${OLDEST.join(".")} or later of major version ${NEWEST_MAJOR} is needed; there is none to install for ${process.platform} ${process.arch}`,
      );
    }
    fs.mkdirSync(home, { recursive: true });
    await run(npm(), [
      "install",
      "--prefix",
      home,
      "--no-save",
      "--ignore-scripts",
      "--no-audit",
      "--no-fund",
      "--loglevel=error",
      `${packageName}@${INSTALLED}`,
    ]);
  },
};

/** @throws BootstrapError when there is no npm. */
export function npm() {
  const command = findCommand("npm");
  if (command === null) throw new BootstrapError("npm is needed to install packages and is not on PATH");
  return command;
}
