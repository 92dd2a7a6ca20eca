/** What the machine itself must have: an OCI runtime, CPython, and a compiler while something is to be built. */
import fs from "node:fs";
import path from "node:path";
import { PYTHON } from "../../sandbox-images/python/build.mjs";
import { aptInstall } from "./apt.mjs";
import { findCommand } from "./command.mjs";
import { forkServerStep } from "./fork-server.mjs";
import { packagesStep } from "./python.mjs";
import { BootstrapError } from "./say.mjs";

/** Directory name of the interpreter's version, e.g. python3.11, without starting it. */
function versionedName() {
  try {
    return path.basename(fs.realpathSync(PYTHON));
  } catch {
    return "python3";
  }
}

const hasPip = () =>
  [
    "/usr/lib/python3/dist-packages/pip",
    `/usr/lib/${versionedName()}/site-packages/pip`,
    `/usr/local/lib/${versionedName()}/dist-packages/pip`,
  ].some((directory) => fs.existsSync(directory));

/** Each Debian package, how to see that what it brings is there, and when it is needed. */
const PARTS = [
  { debian: "crun", isThere: () => findCommand("crun") !== null },
  { debian: "runc", isThere: () => findCommand("runc") !== null },
  { debian: "python3", isThere: () => fs.existsSync(PYTHON) },
  { debian: "python3-pip", isThere: hasPip, isNeeded: () => packagesStep.missing() !== null },
  {
    debian: "python3-dev",
    isThere: () => fs.existsSync(`/usr/include/${versionedName()}/Python.h`),
    isNeeded: () => forkServerStep.missing() !== null,
  },
  {
    debian: "gcc",
    isThere: () => findCommand("cc") !== null,
    isNeeded: () => forkServerStep.missing() !== null,
  },
  {
    debian: "libc6-dev",
    isThere: () => fs.existsSync("/usr/include/stdio.h"),
    isNeeded: () => forkServerStep.missing() !== null,
  },
  { debian: "g++", isThere: () => fs.existsSync("/usr/bin/g++") },
];

const missingParts = () =>
  PARTS.filter((part) => !part.isThere() && (part.isNeeded?.() ?? true)).map((part) => part.debian);

export const systemStep = {
  missing() {
    const parts = missingParts();
    return parts.length === 0 ? null : `system packages by apt-get: ${parts.join(" ")}`;
  },
  async make() {
    await aptInstall(missingParts());
    const parts = missingParts();
    if (parts.length > 0)
      throw new BootstrapError(`apt-get ended well, but this is still not there: ${parts.join(" ")}`);
  },
};
