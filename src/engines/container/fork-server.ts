/**
 * One container with a fork server in it, and the connections of its slots. The fork server is asked to open
 * and resize slots, one request at a time; calls go to the slots' own sockets and never through here.
 */
import type { Server, Socket } from "node:net";
import type { Confinement, Container, ContainerSpec } from "../../confine/ports.ts";
import { SandboxFault } from "../../core/ports.ts";
import { FrameReader } from "../../lib/framing.ts";
import { encodeObject, FRAME, FRAME_BYTES_MAX } from "./protocol.ts";
import { SlotConnection } from "./slot-connection.ts";

/** How long a fork server may take to import its modules. */
const START_MS_MAX = 180_000;
/** How long a slot may take to be opened or resized. */
const REQUEST_MS_MAX = 10_000;
const FIRST_SLOT_UID = 1_000;

/** Families are told apart from slots by their numbers, and their users from those of slots. */
const FIRST_FAMILY_INDEX = 1_000_000;
const FIRST_FAMILY_UID = 10_000;
const FAMILY_UIDS = 50_000;

function leafOf(session: number): string {
  return `session-${session}`;
}

/** The slot process of a family. */
export interface FamilyProcess {
  readonly pid: number;
  readonly socket: Socket;
  readonly reader: FrameReader;
  /** Ends every process of the family from outside. */
  readonly kill: () => void;
}

interface Hello {
  readonly socket: Socket;
  readonly reader: FrameReader;
}

interface Pending<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (fault: SandboxFault) => void;
}

export interface ReadyMessage {
  readonly version: string;
  readonly missing: readonly string[];
  /** Version of the kernel's Landlock; 0 where it has none. */
  readonly landlock: number;
}

export class ForkServer {
  readonly name: string;
  readonly #container: Container;
  readonly #listener: Server;
  readonly #sockets = new Set<Socket>();
  readonly #slots = new Set<SlotConnection>();
  readonly #hellos = new Map<number, Pending<Hello>>();
  readonly #ready: Promise<ReadyMessage>;
  #readyPending!: Pending<ReadyMessage>;
  #control: Socket | null = null;
  #opened = 0;
  #reply: Pending<{ pid: number }> | null = null;
  #requests: Promise<unknown> = Promise.resolve();
  /** Before it is, its end is told with the container's last words. */
  #isReady = false;
  #gone: SandboxFault | null = null;
  #tellLost!: () => void;
  /** Settles once it takes no slots any more. */
  readonly lost = new Promise<void>((resolve) => (this.#tellLost = resolve));
  /** Settles once the container and everything in it is gone. */
  readonly ended: Promise<void>;

  private constructor(container: Container, listener: Server) {
    this.name = container.name;
    this.#container = container;
    this.#listener = listener;
    this.#ready = new Promise((resolve, reject) => (this.#readyPending = { resolve, reject }));
    this.#ready.catch(() => undefined);
    listener.on("connection", (socket) => this.#connected(socket));
    this.ended = container.exited.then((exit) => {
      const words = exit.stderr.trim().split("\n").slice(-6).join("\n");
      this.#lost(
        new SandboxFault(
          "fork_server_died",
          `the fork server ${this.name} ended (${exit.signal ?? exit.code}): ${words}`,
        ),
      );
      return this.close();
    });
  }

  /** Starts a container and waits until its fork server has imported everything. */
  static async start(
    confinement: Confinement,
    spec: Omit<ContainerSpec, "controlDirectory">,
  ): Promise<{ server: ForkServer; ready: ReadyMessage }> {
    const { directory, listener } = await confinement.openControl(spec.name, spec.uid);
    const container = await confinement
      .launch({ ...spec, controlDirectory: directory })
      .catch((error: unknown) => {
        listener.close();
        throw error;
      });
    const server = new ForkServer(container, listener);
    const timer = setTimeout(
      () =>
        server.#lost(
          new SandboxFault("fork_server_slow", `the fork server ${spec.name} was not ready in time`),
        ),
      START_MS_MAX,
    );
    try {
      return { server, ready: await server.#ready };
    } catch (error) {
      await server.close();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  get usable(): boolean {
    return this.#gone === null;
  }

  /** A new slot process for slot `index`, in a cgroup of its own: what its predecessor still holds is not charged to it. */
  async openSlot(index: number, diskBytes: number): Promise<SlotConnection> {
    const leaf = `slot-${index}-${this.#opened++}`;
    const message = { index, uid: FIRST_SLOT_UID + index, disk_bytes: diskBytes, leaf };
    return this.#exclusive(async () => {
      // It may have ended while earlier requests were answered.
      if (this.#gone !== null) throw this.#gone;
      await this.#container.createLeaf(leaf);
      try {
        const { pid, socket, reader } = await this.#openProcess(index, message);
        const kill = (): void => void this.#container.killLeaf(leaf);
        const serverKnown = (): Promise<void> => this.#known();
        const slot = new SlotConnection({ socket, reader, pid, kill, serverKnown }, diskBytes);
        this.#slots.add(slot);
        socket.once("close", () => {
          this.#slots.delete(slot);
          void this.#container.removeLeaf(leaf);
        });
        return slot;
      } catch (error) {
        void this.#container.removeLeaf(leaf);
        throw error;
      }
    });
  }

  /**
   * A slot process for a session and its forks. Its connection closes when it ends.
   * @param user told apart from that of every other slot
   */
  async openFamily(user: number, diskBytes: number): Promise<FamilyProcess> {
    const index = FIRST_FAMILY_INDEX + user;
    const leaf = `family-${user}-${this.#opened++}`;
    const uid = FIRST_FAMILY_UID + (user % FAMILY_UIDS);
    const message = { index, uid, disk_bytes: diskBytes, leaf, sessions: true };
    return this.#exclusive(async () => {
      if (this.#gone !== null) throw this.#gone;
      await this.#container.createLeaf(leaf);
      try {
        const process = await this.#openProcess(index, message);
        const kill = (): void => void this.#container.killLeaf(leaf);
        process.socket.once("close", () => void this.#container.removeLeaf(leaf));
        return { ...process, kill };
      } catch (error) {
        void this.#container.removeLeaf(leaf);
        throw error;
      }
    });
  }

  /** Cgroups and root directories of sessions in a family's slot. @returns names of their leaves */
  async makePlaces(family: number, sessions: readonly number[], diskBytes: number): Promise<string[]> {
    const leaves = sessions.map((session) => leafOf(session));
    await Promise.all([
      ...leaves.map((leaf) => this.#container.createLeaf(leaf)),
      this.#exclusive(() =>
        this.#request(FRAME.branch, { index: null, pid: family, sessions, disk_bytes: diskBytes }),
      ),
    ]);
    return leaves;
  }

  /** Removes them again, with every process that may be in them. Never rejects. */
  async removePlaces(family: number, sessions: readonly number[]): Promise<void> {
    await Promise.all(sessions.map((session) => this.#container.removeLeaf(leafOf(session))));
    await this.#exclusive(() => this.#request(FRAME.prune, { index: null, pid: family, sessions })).catch(
      // The family, or the fork server, went with all that was in it.
      () => undefined,
    );
  }

  async #openProcess(index: number, message: object): Promise<Hello & { readonly pid: number }> {
    const hello = new Promise<Hello>((resolve, reject) => this.#hellos.set(index, { resolve, reject }));
    hello.catch(() => undefined);
    const { pid } = await this.#request(FRAME.open, message);
    return { pid, ...(await this.#withinTime(hello)) };
  }

  /** Changes the size of an idle slot's scratch file system. */
  async resizeSlot(index: number, slot: SlotConnection, diskBytes: number): Promise<void> {
    await this.#exclusive(() => this.#request(FRAME.resize, { index, pid: slot.pid, disk_bytes: diskBytes }));
    slot.diskBytes = diskBytes;
  }

  async close(): Promise<void> {
    this.#lost(new SandboxFault("closed", `the fork server ${this.name} was closed`));
    this.#listener.close();
    for (const socket of this.#sockets) socket.destroy();
    await this.#container.close();
  }

  #connected(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => this.#sockets.delete(socket));
    const reader = new FrameReader(FRAME_BYTES_MAX);
    const first = (chunk: Buffer): void => {
      const frames = this.#read(reader, chunk, socket);
      const frame = frames[0];
      if (frame === undefined) return;
      socket.off("data", first);
      if (frame[0] === FRAME.hello || frame[0] === FRAME.fault) this.#hello(frame, { socket, reader });
      else this.#attach(socket, reader, frames);
    };
    socket.on("data", first);
  }

  #hello(frame: Buffer, hello: Hello): void {
    const index = frame.readUInt32LE(1);
    const pending = this.#hellos.get(index);
    this.#hellos.delete(index);
    if (frame[0] === FRAME.fault)
      pending?.reject(new SandboxFault("slot_not_confined", frame.subarray(5).toString("utf8")));
    else pending?.resolve(hello);
  }

  /** The fork server's own connection. */
  #attach(socket: Socket, reader: FrameReader, frames: readonly Buffer[]): void {
    if (this.#control !== null) {
      socket.destroy();
      return;
    }
    this.#control = socket;
    socket.on("data", (chunk: Buffer) => this.#messages(this.#read(reader, chunk, socket)));
    // The kernel closes a fork server's descriptors before it ends the slots below it: from here on nobody takes one.
    const ending = (): void => {
      if (this.#isReady)
        this.#lost(new SandboxFault("fork_server_died", `the fork server ${this.name} is ending`));
      this.#container.kill();
    };
    // The end of the stream is seen a turn or two before the socket is closed.
    socket.once("end", ending);
    socket.once("close", ending);
    this.#messages(frames);
  }

  #messages(frames: readonly Buffer[]): void {
    for (const frame of frames) {
      const message = JSON.parse(frame.subarray(1).toString("utf8")) as ReadyMessage & {
        pid: number;
        message: string;
      };
      if (frame[0] === FRAME.ready) {
        this.#isReady = true;
        this.#readyPending.resolve(message);
      } else if (frame[0] === FRAME.done) this.#reply?.resolve(message);
      else {
        const fault = new SandboxFault("fork_server_refused", message.message);
        this.#reply?.reject(fault);
        this.#readyPending.reject(fault);
      }
    }
  }

  #read(reader: FrameReader, chunk: Buffer, socket: Socket): Buffer[] {
    try {
      return reader.push(chunk);
    } catch {
      socket.destroy();
      return [];
    }
  }

  #request(kind: number, message: object): Promise<{ pid: number }> {
    if (this.#gone !== null) return Promise.reject(this.#gone);
    const reply = new Promise<{ pid: number }>((resolve, reject) => (this.#reply = { resolve, reject }));
    this.#control?.write(encodeObject(kind, message));
    return this.#withinTime(reply).finally(() => (this.#reply = null));
  }

  /** The fork server answers in order, so requests are made in order. */
  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#requests.then(work);
    this.#requests = result.catch(() => undefined);
    return result;
  }

  /**
   * Resolves once it has answered or is lost. A container's slots may be seen to end before its fork server is: the threads
   * of a Node close its descriptors in any order.
   */
  async #known(): Promise<void> {
    const nothing = { index: null, pid: 0, sessions: [] };
    await this.#exclusive(() => this.#request(FRAME.prune, nothing)).catch(() => undefined);
  }

  /** A fork server that does not answer is ended: its container is replaced. */
  async #withinTime<T>(answer: Promise<T>): Promise<T> {
    const timer = setTimeout(() => {
      this.#lost(new SandboxFault("fork_server_hung", `the fork server ${this.name} did not answer in time`));
      this.#container.kill();
    }, REQUEST_MS_MAX);
    try {
      return await answer;
    } finally {
      clearTimeout(timer);
    }
  }

  #lost(fault: SandboxFault): void {
    this.#gone ??= fault;
    this.#tellLost();
    this.#readyPending.reject(fault);
    this.#reply?.reject(fault);
    for (const pending of this.#hellos.values()) pending.reject(fault);
    this.#hellos.clear();
    for (const slot of this.#slots) slot.close();
  }
}
