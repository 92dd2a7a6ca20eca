/**
 * A confined process: what an engine asks of the room that makes containers. Engines know this file only;
 * which OCI runtime, cgroup layout or rootfs stands behind it is decided in `confine/`.
 */

import type { Server } from "node:net";
import type { EngineDescription, IsolationTier } from "../contract/description.ts";

export interface Mount {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

export interface ContainerSpec {
  /** Unique within this service, e.g. `isolate-0`; part of names of directories and cgroups. */
  readonly name: string;
  readonly argv: readonly string[];
  /** The whole environment; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  /** User and group inside the container's own user namespace; 0 is nobody outside. */
  readonly uid: number;
  /** Mounted beside the read-only base (/usr, a minimal /etc, /dev, /proc, a private /tmp). */
  readonly mounts: readonly Mount[];
  /** Directories and files of the base that are covered, so that nothing of them is seen. */
  readonly masked?: readonly string[];
  /** Capabilities inside the user namespace; empty for most. */
  readonly capabilities: readonly string[];
  /** Bound on memory of the whole container. Bytes. */
  readonly memoryBytes: number;
  /** Bound on processes and threads of the whole container. */
  readonly pids: number;
  /** Directory on this side whose `control.sock` the process inside finds at /run/rollcall/control.sock. */
  readonly controlDirectory: string;
}

export interface ContainerExit {
  readonly code: number | null;
  readonly signal: string | null;
  /** The last bytes of what it wrote to stderr, for the log. */
  readonly stderr: string;
  /** Whether its memory had come to the bound, by its cgroup's own count; null where that cannot be told. */
  readonly reachedMemoryBound: boolean | null;
}

export interface Container {
  readonly name: string;
  /** Process id, on this side, of the container's first process. */
  readonly pid: number;
  /** Settles once, when every process of the container is gone. */
  readonly exited: Promise<ContainerExit>;
  /** Ends every process of the container at once. */
  kill(): void;
  /** Makes a cgroup for one slot of the container, which its root may join and limit; nothing where slots have none. */
  createLeaf(leaf: string): Promise<void>;
  /** Ends every process of one slot, where nothing less can be had all of its container. Never rejects. */
  killLeaf(leaf: string): Promise<void>;
  /** Removes what was made for one slot, whose process is gone. Never rejects. */
  removeLeaf(leaf: string): Promise<void>;
  /** Kills, waits and removes cgroup, bundle and state. Never rejects. */
  close(): Promise<void>;
}

/** What stands around everything that a confinement launches, for `describe`. */
export interface Isolation {
  readonly tier: IsolationTier;
  readonly layers: EngineDescription["layers"];
  /** Versions and choices, for people. */
  readonly detail: Readonly<Record<string, string>>;
}

/** How the fork server in a container bounds its slots. */
export interface SlotBounds {
  /** Version of the cgroups that slots find at /run/rollcall/cgroup: a directory for each controller (1) or one for all (2); or none, and limits are kept by looking. */
  readonly cgroup: 1 | 2 | "none";
  /** Whether slots make namespaces and mounts of their own; else each has a directory, and a call is one process. */
  readonly namespaces: boolean;
  /** What programs may read beside the mounts, where they find the machine's own files. */
  readonly readable: readonly string[];
  /** Added to the user ids of slots, where no user namespace keeps them from those of the machine. */
  readonly uidShift: number;
}

/** The engine's end of a container's control socket. */
export interface Control {
  readonly directory: string;
  readonly listener: Server;
}

/** Starts containers and answers for what is left behind. */
export interface Confinement {
  readonly isolation: Isolation;
  readonly slotBounds: SlotBounds;
  launch(spec: ContainerSpec): Promise<Container>;
  /**
   * Listens for what will run in the container of that name as user `uid` inside, and for nobody else on this
   * machine. The directory goes into the container's spec and is removed with the container.
   */
  openControl(name: string, uid: number): Promise<Control>;
}
