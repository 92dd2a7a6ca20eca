/** What this machine can and cannot do for the container tier, and the command that mends it. */
import { constants } from "node:fs";
import { access, chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { findCgroupLayout } from "./cgroup-layout.ts";
import { createConfinement } from "./confinement.ts";
import { findOciRuntime, findProgram, type OciRuntimeName, runCommand } from "./oci-runtime.ts";

export interface Finding {
  readonly name: string;
  readonly state: "ok" | "warn" | "fail";
  readonly found: string;
  /** The command or change that mends it. */
  readonly fix?: string;
}

export interface DiagnoseOptions {
  readonly runtime: OciRuntimeName | "auto";
  readonly rootfs: string;
  readonly cgroupParent: string;
  readonly interpreter: string;
  /** Directory with the fork server's compiled part. */
  readonly forkServerDirectory: string;
}

const ok = (name: string, found: string): Finding => ({ name, state: "ok", found });
const fail = (name: string, found: string, fix: string): Finding => ({ name, state: "fail", found, fix });
const warn = (name: string, found: string, fix: string): Finding => ({ name, state: "warn", found, fix });

/** Every finding, in the order in which one needs the other. */
export async function diagnose(options: DiagnoseOptions): Promise<Finding[]> {
  const findings = [
    findPlatform(),
    findNode(),
    findUser(),
    await findUserNamespaces(),
    await findSeccomp(),
    findCgroups(),
    await findRuntime(options),
    await findPython(options),
    await findForkServer(options),
    findMemory(),
  ];
  if (findings.some(({ state }) => state === "fail")) {
    return [
      ...findings,
      fail("container", "not tried, since something above is missing", "mend what is above"),
    ];
  }
  return [...findings, await tryContainer(options)];
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
  return process.getuid?.() === 0
    ? ok("user", "root")
    : fail("user", `uid ${process.getuid?.()}`, "run as root, e.g. sudo npm start");
}

async function findUserNamespaces(): Promise<Finding> {
  const max = Number((await readFile("/proc/sys/user/max_user_namespaces", "utf8").catch(() => "0")).trim());
  return max > 0
    ? ok("user namespaces", `up to ${max}`)
    : fail("user namespaces", "none allowed", "sysctl -w user.max_user_namespaces=15000");
}

async function findSeccomp(): Promise<Finding> {
  const status = await readFile("/proc/self/status", "utf8");
  return status.includes("Seccomp_filters:")
    ? ok("seccomp", "filters supported")
    : fail("seccomp", "this kernel has no seccomp filters", "use a kernel with CONFIG_SECCOMP_FILTER");
}

function findCgroups(): Finding {
  const layout = findCgroupLayout();
  if ("missing" in layout)
    return fail(
      "cgroups",
      layout.missing,
      "mount a cgroup2 file system at /sys/fs/cgroup, or run the container with its cgroups writable",
    );
  if (layout.version === 2) return ok("cgroups", `v2 at ${layout.mount}`);
  return ok(
    "cgroups",
    layout.hybridMount === null ? "v1" : `v1, with a cgroup2 at ${layout.hybridMount} that is left alone`,
  );
}

async function findRuntime(options: DiagnoseOptions): Promise<Finding> {
  const layout = findCgroupLayout();
  const runtime = "missing" in layout ? null : await findOciRuntime(options.runtime, layout);
  return runtime === null
    ? fail("OCI runtime", "none found", "apt-get install crun")
    : ok("OCI runtime", runtime.version);
}

async function findPython({ interpreter }: DiagnoseOptions): Promise<Finding> {
  const { code, stdout, stderr } = await runCommand([interpreter, "--version"]);
  return code === 0
    ? ok("python", `${(stdout || stderr).trim()} at ${interpreter}`)
    : fail("python", `${interpreter} cannot be run`, "apt-get install python3");
}

async function findForkServer({ forkServerDirectory }: DiagnoseOptions): Promise<Finding> {
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

/** Makes a container with its limits, for real, and runs a program in it. */
async function tryContainer(options: DiagnoseOptions): Promise<Finding> {
  const stateDirectory = await mkdtemp(join(tmpdir(), "rollcall-doctor-"));
  await chmod(stateDirectory, 0o755);
  try {
    const confinement = await createConfinement({ ...options, stateDirectory });
    try {
      const { directory, listener } = await confinement.openControl("doctor", 1000);
      listener.close();
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
      await container.close();
      if (code === 0)
        return ok("container", `a container with its limits ran, by ${confinement.runtime.name}`);
      return fail(
        "container",
        `the container ended with ${signal ?? code}: ${stderr.trim()}`,
        "see the message; try --container.runtime runc",
      );
    } finally {
      await confinement.close();
    }
  } catch (error) {
    return fail(
      "container",
      error instanceof Error ? error.message : String(error),
      "run as root with writable cgroups",
    );
  } finally {
    await rm(stateDirectory, { recursive: true, force: true });
  }
}
