/**
 * The Python packages that programs may import, into .rollcall/python/packages. From PyPI, in the exact
 * versions of sandbox-images/python/packages.json; where PyPI cannot be reached, Debian's own packages of
 * the same names stay where apt puts them. `.rollcall/python/source.json` says which it was.
 */
import fs from "node:fs";
import path from "node:path";
import { PYTHON } from "../../sandbox-images/python/build.mjs";
import { aptInstall } from "./apt.mjs";
import { run } from "./command.mjs";
import { fromRoot, isStamped, keyOf, readIfThere, stamp } from "./repository.mjs";
import { BootstrapError, say } from "./say.mjs";

const NAME = "python-packages";
const home = fromRoot(".rollcall/python");
const target = `${home}/packages`;

const listText = () => fs.readFileSync(fromRoot("sandbox-images/python/packages.json"), "utf8");

/** Where the interpreter's link leads tells its version without a start. */
function interpreterName() {
  try {
    return fs.realpathSync(PYTHON);
  } catch {
    return "";
  }
}

const currentKey = () => keyOf(listText(), interpreterName());

export const packagesStep = {
  missing() {
    if (isStamped(NAME, currentKey()) && readIfThere(`${home}/source.json`) !== null) return null;
    return "Python packages for the sandbox";
  },
  async make() {
    const packages = JSON.parse(listText());
    fs.mkdirSync(home, { recursive: true });
    try {
      await installFromPypi(packages);
      await record("pypi", packages, target);
    } catch (error) {
      if (!(error instanceof BootstrapError)) throw error;
      say(`${error.message}\nrollcall: PyPI did not do; taking Debian's packages instead`);
      await aptInstall(packages.filter((item) => item.debian !== null).map((item) => item.debian));
      await record("debian", packages, null);
    }
    stamp(NAME, currentKey());
  },
};

/** Installs into a directory beside the final one and swaps, so that a half-done install is never used. */
async function installFromPypi(packages) {
  const fresh = `${target}.new`;
  fs.rmSync(fresh, { recursive: true, force: true });
  const requirements = `${home}/requirements.txt`;
  fs.writeFileSync(requirements, packages.map((item) => `${item.pypi}\n`).join(""));
  // Isolated mode and --target together: nothing of the host's own packages counts as installed already.
  // Wheels only and no dependencies beyond the list: nothing is built and nothing unpinned comes in.
  const options = [
    "--no-deps",
    "--only-binary",
    ":all:",
    "--no-warn-script-location",
    "--disable-pip-version-check",
    "--root-user-action",
    "ignore",
    "--no-input",
    "--quiet",
  ];
  await run(PYTHON, ["-I", "-m", "pip", "install", "--target", fresh, ...options, "-r", requirements]);
  fs.rmSync(path.join(fresh, "bin"), { recursive: true, force: true });
  makeReadable(fresh);
  fs.rmSync(target, { recursive: true, force: true });
  fs.renameSync(fresh, target);
}

/** Whoever a sandbox runs as must be able to read the packages. */
function makeReadable(directory) {
  fs.chmodSync(directory, 0o755);
  for (const entry of fs.readdirSync(directory, { withFileTypes: true })) {
    const file = path.join(directory, entry.name);
    if (entry.isDirectory()) makeReadable(file);
    else if (entry.isFile()) fs.chmodSync(file, fs.statSync(file).mode | 0o444);
  }
}

/** Asks the interpreter itself which of the modules it now finds, and in which version. */
const PROBE = `
import importlib.metadata, importlib.util, json, sys
directory, wanted = json.loads(sys.argv[1])
if directory: sys.path.insert(0, directory)
found = []
for name, module in wanted:
    try: version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError: version = None
    found.append({"name": name, "module": module, "version": version, "found": importlib.util.find_spec(module) is not None})
print(json.dumps({"version": sys.version.split()[0], "packages": found}))
`;

async function record(source, packages, directory) {
  const wanted = packages.map((item) => [item.pypi.split("==")[0], item.module]);
  const { version, packages: found } = JSON.parse(
    await run(PYTHON, ["-I", "-c", PROBE, JSON.stringify([directory, wanted])]),
  );
  const missing = found.filter((item) => !item.found).map((item) => item.name);
  if (source === "pypi" && missing.length > 0)
    throw new BootstrapError(`pip ended well, but these are not there: ${missing.join(" ")}`);
  if (missing.length > 0) say(`without, because Debian has no package of it: ${missing.join(" ")}`);
  const present = found
    .filter((item) => item.found)
    .map(({ name, module, version: packageVersion }) => ({ name, module, version: packageVersion }));
  const text = JSON.stringify({ source, interpreter: PYTHON, version, packages: present, missing }, null, 2);
  fs.writeFileSync(`${home}/source.json`, `${text}\n`);
}
