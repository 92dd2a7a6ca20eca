/**
 * What this machine can and cannot do for the tier that is configured, and the command that mends it. What only a
 * stronger tier than that needs is a warning.
 */
import { constants } from "node:fs";
import { access, chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { ISOLATION_TIERS, type IsolationTier } from "../contract/description.ts";
import { fail, ok, warn, type Finding } from "../lib/finding.ts";
import { findCgroupLayout } from "./cgroup-layout.ts";
import { writableLayout } from "./cgroup-tree.ts";
import { createConfinement } from "./confinement.ts";
import { refusal } from "./gvisor.ts";
import { findProgram, runCommand } from "./oci-runtime.ts";
import type { ConfinementOptions } from "./options.ts";
import { rootlessUsers } from "./rootless.ts";

export type DiagnoseOptions = ConfinementOptions;

/** A failure where the configuration asks for `tier` or a stronger one, else a warning. */
function missing(
  options: DiagnoseOptions,
  tier: IsolationTier,
  name: string,
  found: string,
  fix: string,
): Finding {
  const asked = options.runtime === "process" ? "confined_process" : options.minimum;
  return ISOLATION_TIERS.indexOf(asked) <= ISOLATION_TIERS.indexOf(tier)
    ? fail(name, found, fix)
    : warn(name, found, fix);
}

/** Every finding, in the order in which one needs the other. */
export async function diagnose(options: DiagnoseOptions): Promise<Finding[]> {
  const findings = [
    findPlatform(),
    findNode(),
    findUser(),
    await findUserNamespaces(options),
    await findSeccomp(),
    await findLandlock(options),
    findCgroups(options),
    await findRuntime(options),
    await findPython(options),
    await findForkServer(options),
    findMemory(),
  ];
  if (findings.some(({ state }) => state === "fail")) {
    return [
      ...findings,
      fail("isolation", "not tried, since something above is missing", "mend what is above"),
    ];
  }
  return [...findings, await tryIsolation(options)];
}

function findPlatform(): Finding {
  const here = `${process.platform} ${process.arch}`;
  const known = process.platform === "linux" && (process.arch === "x64" || process.arch === "arm64");
  return known ? ok("platform", here) : fail("platform", here, "use Linux on x64 or arm64");
}

function findNode(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const recent = major > 24 || (major === 24 && minor >= 12);
  return recent
    ? ok("node", process.version)
    : fail("node", process.version, "use Node 24.12 or later; npm start brings it by itself");
}

function findUser(): Finding {
  const uid = process.getuid?.();
  if (uid === 0) return ok("user", "root");
  if (rootlessUsers().mappings.length > 1) return ok("user", `uid ${uid}, with more users by newuidmap`);
  return warn(
    "user",
    `uid ${uid}, without more users: all programs have this one`,
    `apt-get install uidmap; usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER`,
  );
}

/** By making one: what forbids it is as often a seccomp profile or AppArmor as a number in /proc. */
async function findUserNamespaces(options: DiagnoseOptions): Promise<Finding> {
  const unshare = findProgram("unshare");
  if (unshare === null)
    return missing(
      options,
      "watched_container",
      "user namespaces",
      "unshare was not found",
      "apt-get install util-linux",
    );
  const { code, stderr } = await runCommand([
    unshare,
    "--user",
    "--map-root-user",
    "--mount",
    "--pid",
    "--fork",
    "true",
  ]);
  if (code === 0) return ok("user namespaces", "can be made, with mount and pid namespaces");
  return missing(
    options,
    "watched_container",
    "user namespaces",
    stderr.trim().split("\n").at(-1) ?? "refused",
    "sysctl -w user.max_user_namespaces=15000 kernel.apparmor_restrict_unprivileged_userns=0; in a Docker container: --security-opt seccomp=unconfined --security-opt systempaths=unconfined; or --container.runtime process --isolation.minimum confined_process",
  );
}

async function findSeccomp(): Promise<Finding> {
  const status = await readFile("/proc/self/status", "utf8");
  return status.includes("Seccomp_filters:")
    ? ok("seccomp", "filters supported")
    : fail("seccomp", "this kernel has no seccomp filters", "use a kernel with CONFIG_SECCOMP_FILTER");
}

async function findLandlock({ runtime, confiner }: DiagnoseOptions): Promise<Finding> {
  const probe = "import sys; sys.path.insert(0, sys.argv[1]); import _slot; print(_slot.landlock_abi())";
  const { stdout } = await runCommand([
    confiner.interpreter,
    "-I",
    "-c",
    probe,
    confiner.forkServerDirectory,
  ]);
  const version = Number(stdout);
  if (version > 0) return ok("Landlock", `version ${version}`);
  const fix = "use Linux 5.13 or later with landlock in the kernel's lsm= list";
  return (runtime === "process" ? fail : warn)(
    "Landlock",
    "this kernel has none, or the fork server is missing",
    fix,
  );
}

function findCgroups(options: DiagnoseOptions): Finding {
  const layout = findCgroupLayout();
  const lacks = (found: string, fix: string): Finding => missing(options, "container", "cgroups", found, fix);
  if ("missing" in layout)
    return lacks(
      layout.missing,
      "mount a cgroup2 file system at /sys/fs/cgroup, or run the container with its cgroups writable; or --isolation.minimum watched_container, which bounds calls by looking at them",
    );
  const writable = writableLayout(layout, options.cgroupParent);
  if ("missing" in writable)
    return lacks(
      writable.missing,
      "start as root, or under systemd with Delegate=yes and DelegateSubgroup=service and that cgroup as container.cgroupParent; or --isolation.minimum watched_container, which bounds calls by looking at them",
    );
  if (layout.version === 2) return ok("cgroups", `v2 at ${layout.mount}`);
  return ok(
    "cgroups",
    layout.hybridMount === null ? "v1" : `v1, with a cgroup2 at ${layout.hybridMount} that is left alone`,
  );
}

async function findRuntime(options: DiagnoseOptions): Promise<Finding> {
  const { runtime } = options;
  if (runtime === "docker" || runtime === "podman")
    return ok("OCI runtime", `${runtime}'s, as container.runtime says`);
  if (runtime === "process") return ok("OCI runtime", "none, as container.runtime says");
  for (const name of runtime === "auto" ? ["crun", "runc"] : [runtime]) {
    const path = findProgram(name);
    const { code, stdout } = path === null ? { code: 1, stdout: "" } : await runCommand([path, "--version"]);
    if (code !== 0) continue;
    const version = stdout.split("\n")[0] ?? name;
    return name === "runsc" ? warn("OCI runtime", version, refusal(version)) : ok("OCI runtime", version);
  }
  return fail("OCI runtime", "none found", `apt-get install ${runtime === "auto" ? "crun" : runtime}`);
}

async function findPython({ confiner: { interpreter } }: DiagnoseOptions): Promise<Finding> {
  const { code, stdout, stderr } = await runCommand([interpreter, "--version"]);
  return code === 0
    ? ok("python", `${(stdout || stderr).trim()} at ${interpreter}`)
    : fail("python", `${interpreter} cannot be run`, "apt-get install python3");
}

async function findForkServer({ confiner: { forkServerDirectory } }: DiagnoseOptions): Promise<Finding> {
  const path = join(forkServerDirectory, "_slot.so");
  try {
    await access(path, constants.R_OK);
    return ok("fork server", path);
  } catch {
    const compiler =
      findProgram("cc") === null
        ? "apt-get install gcc libc6-dev python3-dev, then npm start"
        : "npm start, which builds it";
    return fail("fork server", `${path} is missing`, compiler);
  }
}

function findMemory(): Finding {
  const gib = totalmem() / 2 ** 30;
  const found = `${gib.toFixed(1)} GiB`;
  return gib >= 2 ? ok("memory", found) : warn("memory", found, "2 GiB or more for all import profiles");
}

/** Runs a program, for real, in what the configuration chooses. */
async function tryIsolation(options: DiagnoseOptions): Promise<Finding> {
  const stateDirectory = await mkdtemp(join(tmpdir(), "rollcall-doctor-"));
  await chmod(stateDirectory, 0o755);
  try {
    const confinement = await createConfinement({ ...options, stateDirectory });
    try {
      const { directory, listener } = await confinement.openControl("doctor", 1000);
      const container = await confinement.launch({
        name: "doctor",
        argv: ["/usr/bin/env", "true"],
        env: { PATH: "/usr/bin:/bin" },
        uid: 1000,
        mounts: [],
        capabilities: [],
        memoryBytes: 64 << 20,
        pids: 16,
        controlDirectory: directory,
      });
      const { code, signal, stderr } = await container.exited;
      listener.close();
      await container.close();
      const { tier, detail } = confinement.isolation;
      if (code === 0) return ok("isolation", `tier ${tier}: a program ran, by ${detail["runtime"]}`);
      return fail(
        "isolation",
        `what was to run in tier ${tier} ended with ${signal ?? code}: ${stderr.trim()}`,
        "see the message; try --container.runtime runc",
      );
    } finally {
      await confinement.close();
    }
  } catch (error) {
    return fail("isolation", error instanceof Error ? error.message : String(error), "see the message");
  } finally {
    await rm(stateDirectory, { recursive: true, force: true });
  }
}
