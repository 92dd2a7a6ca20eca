/**
 * One slot of the container engine. It has a slot process in each fork server that it was asked to use so far;
 * a call goes to the one whose profile covers what the program imports.
 */
import type { Evidence, RunSpec, Sandbox } from "../../core/ports.ts";
import type { ForkServer } from "./fork-server.ts";
import type { ForkServers } from "./fork-servers.ts";
import { chooseProfile, type ImportProfile, LIGHTEST, NODE } from "./import-profiles.ts";
import type { SlotConnection } from "./slot-connection.ts";
import { couldLeaveUnfinished, couldNoticeRandomState, importedNames, sourcesOf } from "./source-scan.ts";

interface Lane {
  readonly server: ForkServer;
  readonly slot: SlotConnection;
}

export interface ContainerSandboxOptions {
  readonly index: number;
  readonly diskBytes: number;
  /** Whether Node programs are forked from a Node; else a Node is executed for each. */
  readonly forksNode: boolean;
  readonly servers: ForkServers;
}

/** A Node program as a command line. */
function executed(spec: RunSpec): RunSpec {
  const { fileName } = spec.entry;
  return { ...spec, entry: { kind: "exec", fileName, argv: ["node", `/work/${fileName}`] } };
}

export class ContainerSandbox implements Sandbox {
  readonly #index: number;
  readonly #diskBytes: number;
  readonly #forksNode: boolean;
  readonly #servers: ForkServers;
  readonly #lanes = new Map<string, Promise<Lane>>();
  #closed = false;

  constructor(options: ContainerSandboxOptions) {
    this.#index = options.index;
    this.#diskBytes = options.diskBytes;
    this.#forksNode = options.forksNode;
    this.#servers = options.servers;
  }

  /** Opens the slot process of a profile ahead of its first call. */
  async warm(profile: ImportProfile): Promise<void> {
    await this.#laneFor(profile);
  }

  async run(asked: RunSpec, signal: AbortSignal): Promise<Evidence> {
    const interpreter = asked.entry.kind === "fork" ? asked.entry.interpreter : null;
    const isNode = interpreter === "node";
    const spec = isNode && !this.#forksNode ? executed(asked) : asked;
    const isPython = interpreter === "python";
    const sources = isPython ? sourcesOf(spec) : "";
    const light = isPython ? chooseProfile(importedNames(sources)) : LIGHTEST;
    const profile = spec.entry.kind === "fork" && isNode ? NODE : light;
    const startedMs = performance.now();
    const { server, slot } = await this.#laneFor(profile);
    if (slot.diskBytes !== spec.limits.disk_bytes)
      await server.resizeSlot(this.#index, slot, spec.limits.disk_bytes);
    const waitedMs = performance.now() - startedMs;
    const evidence = await slot.run(spec, signal, {
      freshRandom: isPython && couldNoticeRandomState(spec, sources),
      finish: isPython && couldLeaveUnfinished(spec, sources),
    });
    // A slot that asked to be replaced is replaced before anybody waits for it.
    if (!slot.usable && !this.#closed) this.#laneFor(profile).catch(() => undefined);
    return { ...evidence, startMs: evidence.startMs + waitedMs };
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const lane of this.#lanes.values())
      lane.then(
        ({ slot }) => slot.close(),
        () => undefined,
      );
    this.#lanes.clear();
  }

  /** Where a program of this profile runs now. When that is lost while a slot is opened in it, what stands in is taken. */
  async #laneFor(profile: ImportProfile): Promise<Lane> {
    const chosen = this.#servers.standIn(profile);
    try {
      return await this.#lane(chosen);
    } catch (error) {
      const other = this.#servers.standIn(profile);
      if (other === chosen || this.#closed) throw error;
      return this.#lane(other);
    }
  }

  async #lane(profile: ImportProfile): Promise<Lane> {
    const known = this.#lanes.get(profile.name);
    if (known !== undefined) {
      const lane = await known.catch(() => null);
      if (lane?.slot.usable === true) return lane;
      if (this.#lanes.get(profile.name) !== known) return this.#lane(profile);
    }
    const opened = this.#open(profile);
    this.#lanes.set(profile.name, opened);
    return opened;
  }

  async #open(profile: ImportProfile): Promise<Lane> {
    const server = await this.#servers.of(profile);
    try {
      return await this.#openIn(server);
    } catch (error) {
      if (server.usable || this.#closed || this.#servers.standIn(profile) !== profile) throw error;
      // It was ending already. A call's only repetition is not spent on it: its replacement is waited for.
      await server.lost;
      return this.#openIn(await this.#servers.of(profile));
    }
  }

  async #openIn(server: ForkServer): Promise<Lane> {
    const slot = await server.openSlot(this.#index, this.#diskBytes);
    if (this.#closed) slot.close();
    return { server, slot };
  }
}
