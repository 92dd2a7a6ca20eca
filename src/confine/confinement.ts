/**
 * The room that isolates: chooses the way that is configured, sweeps what a killed service left, and launches. Refuses,
 * saying what is missing, where less can be had than is asked for.
 */
import { once } from "node:events";
import { chmod, chown, mkdir, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDaemonTier, findDaemon, sweepDaemon } from "./daemon-tier.ts";
import { OWNER_FILE, type Owner, sweepLeftovers } from "./janitor.ts";
import { createOciTier, findOciMachine } from "./oci-tier.ts";
import type { ConfinementOptions } from "./options.ts";
import type { Confinement, Container, ContainerSpec, Control, Isolation, SlotBounds } from "./ports.ts";
import { newInstance, startTime } from "./process-identity.ts";
import { createProcessTier, findProcessMachine } from "./process-tier.ts";
import { isReachable } from "./staging.ts";
import { ConfinementUnavailable, type Tier } from "./tier.ts";

export { ConfinementUnavailable } from "./tier.ts";

/** Where state is kept unless configuration says otherwise. */
function usualStateDirectory(): string {
  const uid = process.getuid?.() ?? 0;
  return uid === 0 ? "/run/rollcall" : join(process.env["XDG_RUNTIME_DIR"] ?? tmpdir(), `rollcall-${uid}`);
}

/** What was found of a way to isolate, and how the rest of it is made. */
interface Way {
  /** Ends what dead services left. */
  sweep(stateDirectory: string): Promise<void>;
  create(directory: string, instance: string): Promise<Tier>;
}

async function findWay(options: ConfinementOptions): Promise<Way> {
  if (options.runtime === "process") {
    const machine = await findProcessMachine(options);
    return {
      sweep: (stateDirectory) => sweepLeftovers(stateDirectory, options.cgroupParent, null),
      create: (directory) => Promise.resolve(createProcessTier(machine, directory)),
    };
  }
  if (options.runtime === "docker" || options.runtime === "podman") {
    const daemon = await findDaemon(options);
    return {
      sweep: async (stateDirectory) => {
        await sweepDaemon(daemon);
        await sweepLeftovers(stateDirectory, options.cgroupParent, null);
      },
      create: (directory, instance) => createDaemonTier(daemon, options, directory, instance),
    };
  }
  const machine = await findOciMachine(options);
  return {
    sweep: (stateDirectory) => sweepLeftovers(stateDirectory, options.cgroupParent, machine),
    create: (directory, instance) => createOciTier(machine, options, directory, instance),
  };
}

/** @throws ConfinementUnavailable */
export async function createConfinement(options: ConfinementOptions): Promise<MachineConfinement> {
  const way = await findWay(options);
  const stateDirectory = options.stateDirectory || usualStateDirectory();
  const isRoot = process.getuid?.() === 0;
  // Users of containers are others than root: they must find their root file system. Else there is one user only.
  await mkdir(stateDirectory, { recursive: true, mode: isRoot ? 0o755 : 0o700 });
  if (isRoot && !(await isReachable(join(stateDirectory, "any")))) {
    throw new ConfinementUnavailable(
      `container.stateDirectory ${stateDirectory} cannot be passed through by everybody: chmod o+x it and the directories above it`,
    );
  }
  await way.sweep(stateDirectory);
  const instance = newInstance();
  const directory = join(stateDirectory, instance);
  await mkdir(directory, { mode: isRoot ? 0o755 : 0o700 });
  const { cgroupParent } = options;
  const owner: Owner = { pid: process.pid, since: startTime(process.pid) ?? "", cgroupParent, instance };
  await writeFile(join(directory, OWNER_FILE), JSON.stringify(owner));
  try {
    return new MachineConfinement(await way.create(directory, instance), directory);
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

export class MachineConfinement implements Confinement {
  readonly #tier: Tier;
  readonly #directory: string;
  readonly #containers = new Set<Container>();
  readonly #ordinals = new Map<string, number>();
  #next = 0;

  constructor(tier: Tier, directory: string) {
    this.#tier = tier;
    this.#directory = directory;
  }

  get isolation(): Isolation {
    return this.#tier.isolation;
  }

  get slotBounds(): SlotBounds {
    return this.#tier.slotBounds;
  }

  async launch(spec: ContainerSpec): Promise<Container> {
    const { name } = spec;
    const launched = this.#tier.launch(spec, this.#ordinalOf(name));
    const container = await launched.catch(async (error: unknown) => {
      await this.#forget(name);
      throw error;
    });
    this.#containers.add(container);
    void container.exited.then(() => {
      this.#containers.delete(container);
      this.#ordinals.delete(name);
    });
    return container;
  }

  async openControl(name: string, uid: number): Promise<Control> {
    const listener = createServer();
    try {
      return { directory: await this.#listen(listener, name, uid), listener };
    } catch (error) {
      listener.close();
      await this.#forget(name);
      throw error;
    }
  }

  async #listen(listener: Server, name: string, uid: number): Promise<string> {
    const directory = join(this.#directory, name, "control");
    await mkdir(join(this.#directory, name), { recursive: true, mode: 0o755 });
    await mkdir(directory, { recursive: true, mode: 0o700 });
    for (const controller of ["memory", "pids", "cpuacct"])
      await mkdir(join(directory, "cgroup", controller), { recursive: true, mode: 0o755 });
    const path = join(directory, "control.sock");
    // Out of reach in its directory until it belongs to the one user who is to connect. Not by a umask: that is the
    // whole process's, whose other threads make directories at the same time.
    listener.listen(path);
    await once(listener, "listening");
    const owner = this.#tier.socketOwner(this.#ordinalOf(name), uid);
    if (owner !== null) await chown(path, owner, owner);
    // Without an owner: whoever passes the state directory, which is the service's user's alone then.
    await chmod(path, owner === null ? 0o666 : 0o600);
    await chmod(directory, 0o755);
    return directory;
  }

  /** Removes what was made for a container that did not start: one that is tried again must not fill the machine. */
  async #forget(name: string): Promise<void> {
    this.#ordinals.delete(name);
    await this.#tier.forget(name);
  }

  /** The container's number, which decides its range of user ids. */
  #ordinalOf(name: string): number {
    const known = this.#ordinals.get(name);
    if (known !== undefined) return known;
    this.#ordinals.set(name, this.#next);
    return this.#next++;
  }

  /** Ends every container and removes the service's cgroup and state. */
  async close(): Promise<void> {
    await Promise.all([...this.#containers].map((container) => container.close()));
    await this.#tier.close();
    await rm(this.#directory, { recursive: true, force: true });
  }
}
