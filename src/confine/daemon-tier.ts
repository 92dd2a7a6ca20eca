/**
 * Containers by Docker's or Podman's daemon or command, for a service that may ask it and nothing else. The image is an
 * empty skeleton that is imported at the start; everything in it is mounted. The daemon's cgroup bounds a container as a
 * whole; a call's limits are kept by looking, as the slots' own cgroups are out of reach.
 *
 * Fork servers are started as root of the container with two capabilities, make a user namespace and all others, and go
 * on in these as nobody (sandbox-images/python/forkserver/nest.c).
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { totalmem } from "node:os";
import { dirname, join } from "node:path";
import { UIDS_PER_CONTAINER, uidRangeStart } from "./bundle.ts";
import { findProgram, runCommand, SEARCH_PATH } from "./oci-runtime.ts";
import type { ConfinementOptions } from "./options.ts";
import type { Container, ContainerExit, ContainerSpec, Isolation, Mount, SlotBounds } from "./ports.ts";
import { isDeadInstance } from "./process-identity.ts";
import { imageRootfs, machineRootfs, type Rootfs } from "./rootfs.ts";
import { seccompProfile } from "./seccomp.ts";
import { assertFloor, BY_LOOKING, ConfinementUnavailable, containerLayers, type Tier } from "./tier.ts";

export interface Daemon {
  readonly name: "docker" | "podman";
  /** Program and flags that stand before every command. */
  readonly command: readonly string[];
  readonly version: string;
  /** Whether containers have the machine's root as theirs, and so users of the machine. */
  readonly rootful: boolean;
  /** Whether it bounds containers; Podman that is not root does not, on cgroup v1. */
  readonly bounds: boolean;
}

const NAME_PREFIX = "rollcall-";
const COMMAND_MS_MAX = 60_000;
const STDERR_BYTES_MAX = 16 << 10;
/** Of the machine's memory, what a container may use with all its slots. */
const MEMORY_SHARE = 0.85;
const PIDS_MAX = 32_768;
/** Of the users that a rootless container has, those that a fork server takes: not its root, who is the service's user. */
const ROOTLESS_USERS = { first: 1, count: 60_000 } as const;

/** @throws ConfinementUnavailable */
export async function findDaemon(options: ConfinementOptions): Promise<Daemon> {
  const name = options.runtime as Daemon["name"];
  assertFloor(
    "watched_container",
    options.minimum,
    `container.runtime is ${name}, which keeps a call's limits by looking`,
  );
  const path = findProgram(name);
  if (path === null)
    throw new ConfinementUnavailable(
      `no ${name} was found: apt-get install ${name === "docker" ? "docker.io" : name}`,
    );
  const isRoot = process.getuid?.() === 0;
  // Without systemd, as in a container, Podman must be told to make cgroups itself. Its crun does not take every layout.
  const flags =
    name === "podman" ? [...(isRoot ? ["--cgroup-manager=cgroupfs"] : []), ...podmanRuntime()] : [];
  const command = [path, ...flags];
  const format =
    name === "docker"
      ? "{{.ServerVersion}} v{{.CgroupVersion}}"
      : "{{.Version.Version}} {{.Host.CgroupsVersion}}";
  const { code, stdout, stderr } = await runCommand([...command, "info", "--format", format], COMMAND_MS_MAX);
  if (code !== 0)
    throw new ConfinementUnavailable(`${name} does not answer: ${stderr.trim().split("\n").at(-1)}`);
  const [version = "", cgroups] = stdout.trim().split(" ");
  const rootful = name === "docker" || isRoot;
  return { name, command, version: `${name} ${version}`, rootful, bounds: rootful || cgroups !== "v1" };
}

function podmanRuntime(): string[] {
  return findProgram("runc") === null ? [] : ["--runtime", "runc"];
}

/** Ends containers of services that are gone. */
export async function sweepDaemon({ command }: Daemon): Promise<void> {
  const filter = `name=${NAME_PREFIX}`;
  const { stdout } = await runCommand(
    [...command, "ps", "--all", "--filter", filter, "--format", "{{.Names}}"],
    COMMAND_MS_MAX,
  );
  for (const name of stdout.split("\n").filter(Boolean)) {
    const instance = /^rollcall-(\d+-\d+-\d+-\d+)-/.exec(name)?.[1];
    if (instance !== undefined && isDeadInstance(instance))
      await runCommand([...command, "rm", "--force", name], COMMAND_MS_MAX);
  }
  const images = await runCommand([...command, "images", "--format", "{{.Repository}}"], COMMAND_MS_MAX);
  for (const image of images.stdout.split("\n")) {
    const instance = /rollcall-(\d+-\d+-\d+-\d+)$/.exec(image)?.[1];
    if (instance !== undefined && isDeadInstance(instance))
      await runCommand([...command, "rmi", "--force", image], COMMAND_MS_MAX);
  }
}

/** Imports the skeleton that all containers of the service have as their image. */
export async function createDaemonTier(
  daemon: Daemon,
  options: ConfinementOptions,
  directory: string,
  instance: string,
): Promise<Tier> {
  const place = join(directory, "rootfs");
  const rootfs = await (options.rootfs === "" ? machineRootfs(place) : imageRootfs(place, options.rootfs));
  const image = `${NAME_PREFIX}${instance}`;
  const script = 'from=$1; image=$2; shift 2; tar -C "$from" -c . | "$@" import - "$image"';
  const { code, stderr } = await runCommand(
    ["/bin/sh", "-c", script, "sh", rootfs.path, image, ...daemon.command],
    COMMAND_MS_MAX,
  );
  if (code !== 0)
    throw new ConfinementUnavailable(`${daemon.name} does not import an image: ${stderr.trim()}`);
  for (const nested of [true, false])
    await writeFile(
      profilePath(directory, nested),
      JSON.stringify(seccompProfile(process.arch, nested, true)),
    );
  return new DaemonTier(daemon, { rootfs, image, directory, instance, shown: options.rootfs || "/" });
}

const profilePath = (directory: string, nested: boolean): string =>
  join(directory, nested ? "seccomp-nested.json" : "seccomp.json");

interface Made {
  readonly rootfs: Rootfs;
  readonly image: string;
  readonly directory: string;
  readonly instance: string;
  /** Where on this machine the root is that containers see. */
  readonly shown: string;
}

class DaemonTier implements Tier {
  readonly isolation: Isolation;
  readonly slotBounds: SlotBounds = { cgroup: "none", namespaces: true, readable: [], uidShift: 0 };
  readonly #daemon: Daemon;
  readonly #made: Made;

  constructor(daemon: Daemon, made: Made) {
    this.#daemon = daemon;
    this.#made = made;
    const users = "root inside is an unprivileged user outside, made by the fork server itself";
    this.isolation = {
      tier: "watched_container",
      layers: containerLayers(users, BY_LOOKING),
      detail: {
        runtime: daemon.version,
        cgroup: daemon.bounds
          ? "the daemon's, for each container"
          : "none: Podman that is not root sets no limits on cgroup v1",
        rootless: String(!daemon.rootful),
      },
    };
  }

  socketOwner(ordinal: number, uid: number): number | null {
    return this.#daemon.rootful && process.getuid?.() === 0 ? uidRangeStart(ordinal) + uid : null;
  }

  launch(spec: ContainerSpec, ordinal: number): Promise<Container> {
    const { command } = this.#daemon;
    const name = `${this.#made.image}-${spec.name}`;
    const [program = "", ...flags] = command;
    const child = spawn(program, [...flags, "run", "--name", name, ...this.#arguments(spec, ordinal)], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, PATH: SEARCH_PATH.join(":") },
      detached: true,
    });
    return Promise.resolve(
      new DaemonContainer(spec.name, name, command, child, join(this.#made.directory, spec.name)),
    );
  }

  #arguments(spec: ContainerSpec, ordinal: number): string[] {
    const nests = spec.capabilities.length > 0;
    const users = this.#daemon.rootful
      ? { first: uidRangeStart(ordinal), count: UIDS_PER_CONTAINER }
      : ROOTLESS_USERS;
    const user = nests ? 0 : this.#daemon.rootful ? users.first + spec.uid : spec.uid;
    const memory = nests ? Math.floor(totalmem() * MEMORY_SHARE) : spec.memoryBytes;
    const { argv } = spec;
    const [interpreter = "", ...rest] = argv;
    const command = nests
      ? [
          interpreter,
          "-S",
          `${dirname(rest[1] ?? "")}/nest.py`,
          String(users.first),
          String(users.count),
          ...rest.slice(1),
        ]
      : argv;
    const security = `seccomp=${profilePath(this.#made.directory, nests)}`;
    const flags: Record<string, string> = {
      network: "none",
      hostname: "sandbox",
      "log-driver": "none",
      user: `${user}:${user}`,
      "cap-drop": "ALL",
      memory: String(memory),
      "memory-swap": String(memory),
      "pids-limit": String(nests ? PIDS_MAX : spec.pids),
      "oom-score-adj": "500",
      tmpfs: "/tmp:rw,nosuid,nodev,size=64m,mode=1777",
      "shm-size": "16m",
      entrypoint: command[0] ?? "",
    };
    return [
      "--rm",
      "--read-only",
      // Podman makes some directories of a read-only root writable all the same, /var/tmp among them.
      ...(this.#isPodman ? ["--read-only-tmpfs=false"] : []),
      "--security-opt=no-new-privileges",
      `--security-opt=${security}`,
      ...Object.entries(flags).map(([name, value]) => `--${name}=${value}`),
      // Podman sets one of processes that not every service may.
      ...["nofile=4096:4096", "nproc=4096:4096", "core=0:0"].map((limit) => `--ulimit=${limit}`),
      ...(nests ? ["--cap-add=SETUID", "--cap-add=SETGID", ...this.#unmasked()] : []),
      ...Object.entries(spec.env).map(([key, value]) => `--env=${key}=${value}`),
      ...this.#mounts(spec),
      this.#made.image,
      ...command.slice(1),
    ];
  }

  get #isPodman(): boolean {
    return this.#daemon.name === "podman";
  }

  /** A fork server mounts a /proc for each slot, which the kernel allows who sees all of one. */
  #unmasked(): string[] {
    return this.#isPodman
      ? ["--security-opt", "unmask=ALL"]
      : ["--security-opt", "systempaths=unconfined", "--security-opt", "apparmor=unconfined"];
  }

  #mounts(spec: ContainerSpec): string[] {
    const bind = ({ source, target, readOnly }: Mount): string[] => [
      "--mount",
      `type=bind,source=${source},target=${target}${readOnly ? ",readonly" : ""}`,
    ];
    const covered = (spec.masked ?? []).filter((path) => existsSync(join(this.#made.shown, path)));
    return [
      ...this.#made.rootfs.base.flatMap(bind),
      ...bind({ source: spec.controlDirectory, target: "/run/rollcall", readOnly: true }),
      ...spec.mounts.flatMap(bind),
      ...covered.flatMap((path) => ["--tmpfs", `${path}:ro,size=4k${this.#isPodman ? ",notmpcopyup" : ""}`]),
    ];
  }

  async forget(name: string): Promise<void> {
    await rm(join(this.#made.directory, name), { recursive: true, force: true }).catch(() => undefined);
  }

  async close(): Promise<void> {
    await runCommand([...this.#daemon.command, "rmi", "--force", this.#made.image], COMMAND_MS_MAX);
  }
}

class DaemonContainer implements Container {
  readonly name: string;
  readonly pid: number;
  readonly exited: Promise<ContainerExit>;
  readonly #id: string;
  readonly #command: readonly string[];
  readonly #home: string;
  #isOver = false;
  #killing: Promise<unknown> | null = null;

  constructor(name: string, id: string, command: readonly string[], child: ChildProcess, home: string) {
    this.name = name;
    this.pid = child.pid ?? 0;
    this.#id = id;
    this.#command = command;
    this.#home = home;
    let stderr = "";
    const remember = (chunk: Buffer): void => {
      stderr = (stderr + chunk.toString("utf8")).slice(-STDERR_BYTES_MAX);
    };
    child.stdout?.on("data", remember);
    child.stderr?.on("data", remember);
    this.exited = new Promise((resolve) => {
      const over = (exit: ContainerExit): void => {
        this.#isOver = true;
        resolve(exit);
      };
      const reachedMemoryBound = null;
      child.once("error", (error) =>
        over({ code: null, signal: null, stderr: error.message, reachedMemoryBound }),
      );
      child.once("close", (code, signal) => over({ code, signal, stderr, reachedMemoryBound }));
    });
  }

  kill(): void {
    if (!this.#isOver)
      this.#killing ??= runCommand([...this.#command, "rm", "--force", this.#id], COMMAND_MS_MAX);
  }

  createLeaf(): Promise<void> {
    return Promise.resolve();
  }

  /** Which processes are the slot's cannot be told from outside. */
  killLeaf(): Promise<void> {
    this.kill();
    return Promise.resolve();
  }

  removeLeaf(): Promise<void> {
    return Promise.resolve();
  }

  async close(): Promise<void> {
    this.kill();
    await this.exited;
    await this.#killing;
    await rm(this.#home, { recursive: true, force: true }).catch(() => undefined);
  }
}
