/**
 * Programs without containers, for a service that may make no namespaces: inside an unprivileged container, say. Fork
 * servers run as plain processes whose slots confine each call by Landlock, seccomp, rlimits and, where the service is
 * root, a user of its own; a call is one process. JavaScript hosts confine themselves likewise before they are one.
 *
 * There are no mounts here: what a container would show at a mount's target is found at its source, so paths on command
 * lines and in the environment are translated.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { runCommand } from "./oci-runtime.ts";
import type { ConfinementOptions, Confiner } from "./options.ts";
import type { Container, ContainerExit, ContainerSpec, Isolation, SlotBounds } from "./ports.ts";
import { killProcess } from "./process-identity.ts";
import { absent, assertFloor, ConfinementUnavailable, enforced, type Tier } from "./tier.ts";

/** Of the machine, as far as there is: what programs may read beside what the engine names. */
const READABLE = [
  "/usr",
  "/bin",
  "/sbin",
  "/lib",
  "/lib32",
  "/lib64",
  "/etc/alternatives",
  "/etc/ld.so.cache",
  "/etc/localtime",
  // Node does not start without being told that there is none, or reading it.
  "/etc/ssl/openssl.cnf",
];
/** Slots of root's service have users from here on. */
const UID_SHIFT = 1_000_000;
/** And hosts from here on. */
const HOST_UIDS = UID_SHIFT + 100_000;
const CONTROL_INSIDE = "/run/rollcall";
/** Where a program that confined itself finds its control socket. */
const CONTROL_DESCRIPTOR = "3";
const STDERR_BYTES_MAX = 16 << 10;
/** How often the memory of a host is looked at. */
const LOOK_MS = 50;
const PAGE_BYTES = 4096;
const REMOVAL_MS_MAX = 60_000;

/** @throws ConfinementUnavailable */
export async function findProcessMachine(options: ConfinementOptions): Promise<Confiner> {
  assertFloor("confined_process", options.minimum, "container.runtime is process");
  if (options.rootfs !== "")
    throw new ConfinementUnavailable("container.rootfs needs a container; container.runtime is process");
  const { interpreter, forkServerDirectory } = options.confiner;
  const probe = "import sys; sys.path.insert(0, sys.argv[1]); import _slot; print(_slot.landlock_abi())";
  const { code, stdout, stderr } = await runCommand([interpreter, "-I", "-c", probe, forkServerDirectory]);
  if (code !== 0) throw new ConfinementUnavailable(`the fork server cannot be loaded: ${stderr.trim()}`);
  if (Number(stdout) < 1)
    throw new ConfinementUnavailable(
      "this kernel has no Landlock, without which a confined process could write everywhere: use Linux 5.13 or later with lsm=landlock",
    );
  return options.confiner;
}

export function createProcessTier(confiner: Confiner, directory: string): Tier {
  return new ProcessTier(confiner, directory);
}

class ProcessTier implements Tier {
  readonly isolation: Isolation;
  readonly slotBounds: SlotBounds = {
    cgroup: "none",
    namespaces: false,
    readable: READABLE,
    uidShift: UID_SHIFT,
  };
  readonly #confiner: Confiner;
  readonly #directory: string;
  readonly #ownUsers = process.getuid?.() === 0;

  constructor(confiner: Confiner, directory: string) {
    this.#confiner = confiner;
    this.#directory = directory;
    this.isolation = {
      tier: "confined_process",
      layers: layers(this.#ownUsers),
      detail: { runtime: "process", cgroup: "none" },
    };
  }

  socketOwner(): number | null {
    return process.getuid?.() ?? null;
  }

  async launch(spec: ContainerSpec, ordinal: number): Promise<Container> {
    const home = join(this.#directory, spec.name);
    // Slots make their directories here.
    await mkdir(join(spec.controlDirectory, "slots"), { recursive: true, mode: 0o755 });
    const outside = translation(spec);
    const argv = spec.argv.map(outside);
    const env = Object.fromEntries(Object.entries(spec.env).map(([name, value]) => [name, outside(value)]));
    // What makes slots confines those; all else confines itself.
    const command = spec.capabilities.length > 0 ? argv : this.#confined(spec, argv, ordinal);
    const [program = "", ...args] = command;
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], env, cwd: "/", detached: true });
    return new ConfinedProcess(spec, child, home);
  }

  #confined(spec: ContainerSpec, argv: readonly string[], ordinal: number): string[] {
    const control = join(spec.controlDirectory, "control.sock");
    const options = {
      control,
      uid: this.#ownUsers ? HOST_UIDS + ordinal : process.getuid?.(),
      readable: [...READABLE, ...spec.mounts.map(({ source }) => source)].join(":"),
      argv: argv.map((argument) => (argument === control ? CONTROL_DESCRIPTOR : argument)),
    };
    const { interpreter, forkServerDirectory } = this.#confiner;
    return [interpreter, "-S", join(forkServerDirectory, "confined.py"), JSON.stringify(options)];
  }

  async forget(name: string): Promise<void> {
    await removeTree(join(this.#directory, name));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function layers(ownUsers: boolean): Isolation["layers"] {
  return [
    absent(
      "namespaces",
      "programs share the machine's; Landlock and seccomp keep them from its files, network and processes",
    ),
    enforced("Landlock", "reading /usr and what the runtimes need; writing a directory of the slot's own"),
    enforced(
      "seccomp",
      "no new process, no socket but a socket pair, no signal to others, on top of the slots' filter",
    ),
    enforced("capabilities", "none in a program; no_new_privs"),
    ownUsers
      ? enforced("users", "one for each slot and host")
      : absent(
          "users",
          "the service is not root: programs have its user, and may not change owner, mode or times of any file",
        ),
    absent(
      "cgroup",
      "memory, threads, CPU time and files of a call are looked at every 5 ms and it is ended above them; RLIMIT_AS and RLIMIT_FSIZE bound what it can have between two looks",
    ),
  ];
}

/** Turns paths of what a container would see into paths of this machine. */
function translation(spec: ContainerSpec): (text: string) => string {
  const pairs = [
    [CONTROL_INSIDE, spec.controlDirectory] as const,
    ...spec.mounts.map(({ source, target }) => [target, source] as const),
    // The directory of a program that is mounted alone, for PATH.
    ...spec.mounts
      .filter(({ source, target }) => target.endsWith("/node") && source.endsWith("/node"))
      .map(({ source, target }) => [dirname(target), dirname(source)] as const),
  ];
  return (text) => pairs.reduce((done, [inside, outside]) => done.replaceAll(inside, outside), text);
}

/**
 * By rm, which goes into trees whose paths are too long for a path. Directories that a program closed to its own user,
 * which may be ours, are opened first.
 */
async function removeTree(directory: string): Promise<void> {
  const { code } = await runCommand(["rm", "-rf", directory], REMOVAL_MS_MAX);
  if (code === 0) return;
  await runCommand(["chmod", "-R", "u+rwX", directory], REMOVAL_MS_MAX);
  await runCommand(["rm", "-rf", directory], REMOVAL_MS_MAX);
}

class ConfinedProcess implements Container {
  readonly name: string;
  readonly pid: number;
  readonly exited: Promise<ContainerExit>;
  readonly #home: string;
  readonly #slots: string;
  #isOver = false;
  #wasTooLarge = false;

  constructor(spec: ContainerSpec, child: ChildProcess, home: string) {
    this.name = spec.name;
    this.pid = child.pid ?? 0;
    this.#home = home;
    this.#slots = join(spec.controlDirectory, "slots");
    let stderr = "";
    const remember = (chunk: Buffer): void => {
      stderr = (stderr + chunk.toString("utf8")).slice(-STDERR_BYTES_MAX);
    };
    child.stdout?.on("data", remember);
    child.stderr?.on("data", remember);
    // Slots bound themselves.
    const watch =
      spec.capabilities.length > 0 ? undefined : setInterval(() => this.#look(spec.memoryBytes), LOOK_MS);
    watch?.unref();
    child.once("exit", () => {
      this.#isOver = true;
      clearInterval(watch);
    });
    this.exited = new Promise((resolve) => {
      child.once("error", (error) =>
        resolve({ code: null, signal: null, stderr: error.message, reachedMemoryBound: null }),
      );
      // Once the streams are closed too: by every slot, which end with their fork server.
      child.once("close", (code, signal) =>
        resolve({ code, signal, stderr, reachedMemoryBound: this.#wasTooLarge || null }),
      );
    });
  }

  kill(): void {
    if (!this.#isOver && this.pid > 0) killProcess(this.pid);
  }

  createLeaf(): Promise<void> {
    return Promise.resolve();
  }

  /** Which processes are the slot's cannot be told from outside. */
  killLeaf(): Promise<void> {
    this.kill();
    return Promise.resolve();
  }

  async removeLeaf(leaf: string): Promise<void> {
    await removeTree(join(this.#slots, leaf));
    await rm(join(this.#slots, `${leaf}.disk`), { force: true }).catch(() => undefined);
  }

  async close(): Promise<void> {
    this.kill();
    await this.exited;
    await removeTree(this.#home);
  }

  #look(memoryBytes: number): void {
    try {
      const resident = Number(readFileSync(`/proc/${this.pid}/statm`, "utf8").split(" ")[1]) * PAGE_BYTES;
      if (resident <= memoryBytes) return;
      this.#wasTooLarge = true;
      this.kill();
    } catch {
      // It has ended.
    }
  }
}
