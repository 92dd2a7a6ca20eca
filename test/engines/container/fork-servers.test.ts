/** Which fork server a program is forked from while others are started, lost and replaced. */
import { describe, expect, it } from "vitest";
import type { ForkServer } from "../../../src/engines/container/fork-server.ts";
import { ForkServers } from "../../../src/engines/container/fork-servers.ts";
import {
  HEAVIEST,
  IMPORT_PROFILES,
  type ImportProfile,
  LIGHTEST,
  NODE,
  SPARE,
} from "../../../src/engines/container/import-profiles.ts";
import type { SandboxFault } from "../../../src/core/ports.ts";

const READY = { version: "3.11.2", missing: [], landlock: 0 };

/** A fork server without a container, which is ready and lost when the test says so. */
class Started {
  readonly profile: ImportProfile;
  usable = true;
  ended = false;
  ready!: () => void;
  fail!: (error: Error) => void;
  readonly isReady = new Promise<void>((resolve, reject) => {
    this.ready = resolve;
    this.fail = reject;
  });
  #lose!: () => void;
  readonly lost = new Promise<void>((resolve) => (this.#lose = resolve));
  end!: () => void;
  readonly #ended = new Promise<void>((resolve) => {
    this.end = () => {
      this.ended = true;
      resolve();
    };
  });

  constructor(profile: ImportProfile) {
    this.profile = profile;
  }

  lose(): void {
    this.usable = false;
    this.#lose();
  }

  get server(): ForkServer {
    const { lost } = this;
    const usable = () => this.usable;
    const close = () => {
      this.lose();
      this.end();
      return this.#ended;
    };
    return {
      lost,
      ended: this.#ended,
      close,
      get usable() {
        return usable();
      },
    } as unknown as ForkServer;
  }
}

function setUp() {
  const started: Started[] = [];
  const faults: SandboxFault[] = [];
  const servers = new ForkServers({
    launch: async (profile) => {
      const one = new Started(profile);
      started.push(one);
      await one.isReady;
      return { server: one.server, ready: READY };
    },
    onReady: () => undefined,
    onFault: (fault) => faults.push(fault),
  });
  const names = () => started.map(({ profile }) => profile.name);
  const latest = (profile: ImportProfile) => {
    const found = started.findLast((one) => one.profile === profile);
    if (found === undefined) throw new Error(`${profile.name} was not started`);
    return found;
  };
  return { servers, started, faults, names, latest };
}

/** Lets everything run that waits for nothing. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

async function allReady() {
  const all = setUp();
  const start = all.servers.start({ node: false, spare: true });
  for (const _ of IMPORT_PROFILES) {
    for (const one of all.started) one.ready();
    await settled();
  }
  await start;
  return all;
}

describe("fork servers at the start", () => {
  it("are awaited where they are asked for, and the others come one after the other", async () => {
    const { servers, names, latest } = setUp();
    let isReady = false;
    const start = servers.start({ node: true, spare: true }).then(() => (isReady = true));
    expect(names()).toEqual(["scientific", "plain", "node"]);
    latest(LIGHTEST).ready();
    latest(NODE).ready();
    await settled();
    expect(isReady).toBe(false);
    latest(HEAVIEST).ready();
    await start;
    const others = [...IMPORT_PROFILES.slice(1, -1), SPARE];
    for (const [index, profile] of others.entries()) {
      await settled();
      expect(names().slice(3)).toEqual(others.slice(0, index + 1).map(({ name }) => name));
      if (profile !== SPARE) expect(servers.standIn(profile)).toBe(HEAVIEST);
      latest(profile).ready();
      await settled();
      if (profile !== SPARE) expect(servers.standIn(profile)).toBe(profile);
    }
    await servers.close();
  });

  it("are refused by the first that cannot start", async () => {
    const { servers, latest } = setUp();
    const start = servers.start({ node: false, spare: false });
    latest(HEAVIEST).fail(new Error("no space"));
    await expect(start).rejects.toThrow("no space");
    latest(LIGHTEST).ready();
    await servers.close();
  });
});

describe("a fork server that is lost", () => {
  it("is replaced at once; meanwhile its programs go to the next heavier one", async () => {
    const { servers, latest, faults } = await allReady();
    const lost = latest(LIGHTEST);
    lost.lose();
    await settled();
    expect(servers.standIn(LIGHTEST)).toBe(IMPORT_PROFILES[1]);
    const second = latest(IMPORT_PROFILES[1] as ImportProfile);
    second.lose();
    await settled();
    expect(servers.standIn(LIGHTEST)).toBe(IMPORT_PROFILES[2]);
    expect(servers.away).toEqual(["plain", "standard"]);
    expect(faults.map(({ kind }) => kind)).toEqual(["fork_server_died", "fork_server_died"]);
    const replacement = latest(LIGHTEST);
    expect(replacement).not.toBe(lost);
    replacement.ready();
    await settled();
    expect(servers.standIn(LIGHTEST)).toBe(LIGHTEST);
    lost.end();
    second.end();
    for (const profile of IMPORT_PROFILES) latest(profile).ready();
    await servers.close();
  });

  it("has the spare in its place when it is the heaviest, and is waited for when that is lost too", async () => {
    const { servers, latest } = await allReady();
    latest(HEAVIEST).lose();
    latest(HEAVIEST).end();
    await settled();
    expect(servers.standIn(HEAVIEST)).toBe(SPARE);
    latest(SPARE).lose();
    latest(SPARE).end();
    await settled();
    expect(servers.standIn(HEAVIEST)).toBe(HEAVIEST);
    const replacement = servers.of(HEAVIEST);
    latest(HEAVIEST).ready();
    expect((await replacement).usable).toBe(true);
    await servers.close();
  });

  it("is started before the others, when all are lost at once and it is one of those that every program can be answered with", async () => {
    const { servers, started, names, latest } = await allReady();
    const before = started.length;
    for (const one of started.slice()) {
      one.lose();
      one.end();
    }
    await settled();
    expect(names().slice(before).toSorted()).toEqual(["plain", "scientific"]);
    expect(servers.standIn(IMPORT_PROFILES[1] as ImportProfile)).toBe(HEAVIEST);
    latest(HEAVIEST).ready();
    await settled();
    expect(names().slice(before).toSorted()).toEqual(
      [...IMPORT_PROFILES, SPARE].map(({ name }) => name).toSorted(),
    );
    for (const one of started.slice(before)) one.ready();
    await settled();
    await servers.close();
  });

  it("leaves nothing behind when all are closed", async () => {
    const { servers, latest } = await allReady();
    const lost = latest(LIGHTEST);
    lost.lose();
    await settled();
    latest(LIGHTEST).ready();
    let isClosed = false;
    const closed = servers.close().then(() => (isClosed = true));
    await settled();
    expect(isClosed).toBe(false);
    lost.end();
    await closed;
  });
});
