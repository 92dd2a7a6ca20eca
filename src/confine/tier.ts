/**
 * One way to isolate, chosen by configuration: what `confinement.ts` asks of it, and the words in which it says what it
 * holds. Implementations: `oci-tier.ts`, `daemon-tier.ts`, `process-tier.ts`.
 */
import type { IsolationTier } from "../contract/description.ts";
import { ISOLATION_TIERS } from "../contract/description.ts";
import type { Container, ContainerSpec, Isolation, SlotBounds } from "./ports.ts";

export interface Tier {
  readonly isolation: Isolation;
  readonly slotBounds: SlotBounds;
  /**
   * The machine's user who is to connect to the socket of container number `ordinal` as user `uid` inside. Null where
   * that user's files cannot be made here: then the directory above keeps everybody else out.
   */
  socketOwner(ordinal: number, uid: number): number | null;
  launch(spec: ContainerSpec, ordinal: number): Promise<Container>;
  /** Removes what a container that did not start has left. Never rejects. */
  forget(name: string): Promise<void>;
  /** Removes what all containers shared. They are gone. */
  close(): Promise<void>;
}

/** This machine cannot isolate as configured; the message says what is missing. */
export class ConfinementUnavailable extends Error {
  override readonly name = "ConfinementUnavailable";
}

/** @throws ConfinementUnavailable when `tier` is weaker than what the configuration asks for. */
export function assertFloor(tier: IsolationTier, minimum: IsolationTier, why: string): void {
  if (ISOLATION_TIERS.indexOf(tier) <= ISOLATION_TIERS.indexOf(minimum)) return;
  throw new ConfinementUnavailable(
    `only tier ${tier} can be had here, isolation.minimum asks for ${minimum}: ${why}`,
  );
}

type Layer = Isolation["layers"][number];

export const enforced = (name: string, detail: string): Layer => ({ name, state: "enforced", detail });
export const absent = (name: string, detail: string): Layer => ({ name, state: "absent", detail });

const LOOKED_AT =
  "memory, processes and CPU time of a call are looked at every 5 ms and it is ended above them; between two looks it can have more";

/** Layers of everything that is in a container of any kind. */
export function containerLayers(users: string, limits: Layer): Layer[] {
  return [
    enforced("user namespace", users),
    enforced("pid, mount, ipc, uts, network and cgroup namespaces", "for each slot; no network device is up"),
    enforced("read-only root", "scratch file systems of limited size at /work, /tmp and /dev/shm"),
    enforced("seccomp", "an allowlist for the container, a tighter filter for each slot"),
    enforced("capabilities", "none in a program; no_new_privs"),
    limits,
  ];
}

export const BY_CGROUP = enforced(
  "cgroup",
  "memory and processes limited for each call, for each container and in all",
);
export const BY_LOOKING = absent("cgroup", LOOKED_AT);
