/**
 * The fork servers of the container engine, one for each import profile: started, kept running, and standing in for
 * one another. A profile has every module of those before it, so while a fork server is being started or replaced, its
 * programs are forked from the next heavier one that is there; for the heaviest there is a spare. Where none is left, those
 * are started first with which every program can be answered, and the others after them.
 */
import { SandboxFault } from "../../core/ports.ts";
import type { ForkServer, ReadyMessage } from "./fork-server.ts";
import { HEAVIEST, IMPORT_PROFILES, type ImportProfile, LIGHTEST, NODE, SPARE } from "./import-profiles.ts";

/** A fork server that cannot start is tried again after this long, then after twice that, and so on. */
const RESTART_DELAY_MS_MIN = 200;
const RESTART_DELAY_MS_MAX = 5_000;

export interface ForkServersOptions {
  readonly launch: (
    profile: ImportProfile,
    number: number,
  ) => Promise<{ server: ForkServer; ready: ReadyMessage }>;
  readonly onReady: (profile: ImportProfile, ready: ReadyMessage) => void;
  readonly onFault: (fault: SandboxFault) => void;
}

/** With these every program can be answered. */
const FIRST: readonly ImportProfile[] = [HEAVIEST, LIGHTEST, NODE];

export class ForkServers {
  readonly #options: ForkServersOptions;
  /** Started or being started, by profile. */
  readonly #servers = new Map<string, Promise<ForkServer>>();
  /** Those of them that take slots now. */
  readonly #ready = new Map<string, ForkServer>();
  /** Containers of lost ones, until nothing is left of them. */
  readonly #ending = new Set<Promise<void>>();
  /** Starts in a row that did not succeed, by profile. */
  readonly #failures = new Map<string, number>();
  #started = 0;
  #closed = false;
  /** All that there are to be. */
  #due: readonly ImportProfile[] = [];

  constructor(options: ForkServersOptions) {
    this.#options = options;
  }

  /**
   * Starts those with which every program can be answered and waits for them, and then the others, one after the other, for
   * which nobody waits.
   * @param kinds whether there will be programs of Node, and whether the heaviest has a spare
   */
  async start({ node, spare }: { readonly node: boolean; readonly spare: boolean }): Promise<void> {
    this.#due = [...IMPORT_PROFILES, ...(spare ? [SPARE] : []), ...(node ? [NODE] : [])];
    await Promise.all(FIRST.filter((one) => this.#due.includes(one)).map((profile) => this.of(profile)));
    void this.#startOthers();
  }

  async #startOthers(): Promise<void> {
    for (const profile of this.#due) {
      if (this.#closed) return;
      // One that cannot start is tried again by itself.
      await this.of(profile).catch(() => undefined);
    }
  }

  /** Whose fork server a program of `profile` is forked from now: its own, or while that is away a heavier one's. */
  standIn(profile: ImportProfile): ImportProfile {
    if (this.#isReady(profile) || profile.interpreter !== "python") return profile;
    const heavier = [...IMPORT_PROFILES.slice(IMPORT_PROFILES.indexOf(profile) + 1), SPARE];
    const other = heavier.find((one) => this.#isReady(one));
    return other ?? (profile === LIGHTEST ? LIGHTEST : HEAVIEST);
  }

  /** Profiles whose own fork server is not there now: another stands in for it, or its programs wait. */
  get away(): readonly string[] {
    return this.#due.filter((profile) => !this.#isReady(profile)).map(({ name }) => name);
  }

  #isReady({ name }: ImportProfile): boolean {
    return this.#ready.get(name)?.usable === true;
  }

  /** The fork server of a profile, once it is ready. */
  of(profile: ImportProfile): Promise<ForkServer> {
    const known = this.#servers.get(profile.name);
    if (known !== undefined) return known;
    if (this.#closed) return Promise.reject(new SandboxFault("closed", "the engine is closed"));
    const started = this.#launch(profile);
    this.#servers.set(profile.name, started);
    started.then(
      (server) => this.#keep(profile, started, server),
      (error: unknown) => {
        const failures = this.#failures.get(profile.name) ?? 0;
        this.#failures.set(profile.name, failures + 1);
        const delayMs = Math.min(RESTART_DELAY_MS_MAX, RESTART_DELAY_MS_MIN * 2 ** failures);
        const message = `the fork server of profile ${profile.name} cannot start: ${asFault(error).message}`;
        this.#replace(profile, started, new SandboxFault("fork_server_not_started", message), delayMs);
      },
    );
    return started;
  }

  /** Its replacement is started as soon as it is lost; what is left of its container goes meanwhile. */
  async #keep(profile: ImportProfile, started: Promise<ForkServer>, server: ForkServer): Promise<void> {
    this.#failures.delete(profile.name);
    const ended = server.ended.finally(() => this.#ending.delete(ended));
    this.#ending.add(ended);
    await server.lost;
    const message = `the fork server of profile ${profile.name} ended and is replaced`;
    this.#replace(profile, started, new SandboxFault("fork_server_died", message), 0);
  }

  /** A fork server that ended is started anew at once, one that cannot start after a while. */
  #replace(profile: ImportProfile, ended: Promise<ForkServer>, fault: SandboxFault, delayMs: number): void {
    if (this.#servers.get(profile.name) !== ended || this.#closed) return;
    this.#options.onFault(fault);
    const restart = () => {
      if (this.#servers.get(profile.name) === ended) this.#servers.delete(profile.name);
      if (!this.#closed) void this.#startAgain(profile);
    };
    if (delayMs === 0) restart();
    else setTimeout(restart, delayMs).unref();
  }

  /** When many are lost at once, those that others can wait for do not wait for them. */
  async #startAgain(profile: ImportProfile): Promise<void> {
    if (!FIRST.includes(profile)) await this.of(HEAVIEST).catch(() => undefined);
    if (!this.#closed) await this.of(profile).catch(() => undefined);
  }

  async #launch(profile: ImportProfile): Promise<ForkServer> {
    try {
      const { server, ready } = await this.#options.launch(profile, this.#started++);
      this.#options.onReady(profile, ready);
      this.#ready.set(profile.name, server);
      return server;
    } catch (error) {
      throw asFault(error);
    }
  }

  /** Ends all of them, and waits until nothing of any is left. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(
      [...this.#servers.values()].map((server) =>
        server.then(
          (running) => running.close(),
          () => undefined,
        ),
      ),
    );
    await Promise.all(this.#ending);
  }
}

/** What the machine refuses (no space, no process) is a fault of a sandbox like any other. */
function asFault(error: unknown): SandboxFault {
  if (error instanceof SandboxFault) return error;
  return new SandboxFault("fork_server_not_started", String(error), { cause: error });
}
