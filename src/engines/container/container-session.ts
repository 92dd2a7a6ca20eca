/**
 * A session of the container engine, and how one is opened. A session and its forks are a family: they share a slot
 * process, its pid namespace and user, and are of one tenant. The family ends with its last session.
 */
import type {
  RunSpec,
  SandboxFault,
  SessionEvidence,
  SessionForkSpec,
  SessionSandbox,
  SessionSandboxSpec,
} from "../../core/ports.ts";
import { FamilyConnection } from "./family-connection.ts";
import type { ForkServer } from "./fork-server.ts";

interface Family {
  readonly server: ForkServer;
  readonly connection: FamilyConnection;
  readonly diskBytes: number;
  /** Numbers for sessions, each of which names a cgroup of the container. */
  readonly nextNumber: () => number;
}

class ContainerSession implements SessionSandbox {
  readonly lost: Promise<SandboxFault>;
  readonly #number: number;
  readonly #family: Family;
  #closed: Promise<void> | null = null;

  constructor(family: Family, number: number) {
    this.#family = family;
    this.#number = number;
    this.lost = new Promise((resolve) => family.connection.enter(number, resolve));
  }

  run(spec: RunSpec, signal: AbortSignal): Promise<SessionEvidence> {
    return this.#family.connection.run(this.#number, spec, signal);
  }

  async fork({ count, reseed }: SessionForkSpec): Promise<readonly SessionSandbox[]> {
    const { server, connection, diskBytes, nextNumber } = this.#family;
    const numbers = Array.from({ length: count }, () => nextNumber());
    // Entered first: the family must not end, nor one of them unseen, while they are made.
    const forks = numbers.map((number) => new ContainerSession(this.#family, number));
    try {
      const leaves = await server.makePlaces(connection.pid, numbers, diskBytes);
      const places = numbers.map((session, index) => ({ session, leaf: leaves[index] as string }));
      await connection.fork(this.#number, reseed, places);
      return forks;
    } catch (error) {
      await Promise.all(forks.map((fork) => fork.close()));
      throw error;
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const { server, connection } = this.#family;
    await connection.close(this.#number);
    connection.leave(this.#number);
    if (connection.size === 0) connection.end();
    await server.removePlaces(connection.pid, [this.#number]);
  }
}

export interface SessionOpening {
  readonly server: ForkServer;
  /** Number of the family, unlike that of every other. */
  readonly user: number;
  readonly nextNumber: () => number;
}

/** @throws SandboxFault */
export async function openContainerSession(
  { server, user, nextNumber }: SessionOpening,
  { entry, program, env, files, limits }: SessionSandboxSpec,
): Promise<SessionSandbox> {
  const connection = new FamilyConnection(await server.openFamily(user, limits.disk_bytes));
  const number = nextNumber();
  const session = new ContainerSession(
    { server, connection, diskBytes: limits.disk_bytes, nextNumber },
    number,
  );
  try {
    const [leaf] = await server.makePlaces(connection.pid, [number], limits.disk_bytes);
    const nothing = Buffer.alloc(0);
    const start = {
      entry,
      source: nothing,
      stdin: nothing,
      args: [],
      env,
      files,
      collect: [],
      cell: !program,
      limits,
    };
    await connection.open(number, leaf as string, program, start);
    return session;
  } catch (error) {
    await session.close();
    throw error;
  }
}
