/**
 * The tier that the suite runs in: `ROLLCALL_TIER=process npm test -- test/security`. Each is a configuration of the
 * service; programs that one of them does not hold are marked so in their data.
 */
import { spawnSync } from "node:child_process";
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { dirname, join } from "node:path";
import { findCgroupLayout } from "../../src/confine/cgroup-layout.ts";
import type { RuntimeId } from "../../src/contract/call.ts";
import type { IsolationTier } from "../../src/contract/description.ts";
import type { PartialConfig } from "../../src/index.ts";

/**
 * What bounds a call: the kernel by a cgroup, or a look every few milliseconds; whether programs have a user that is not
 * the service's; whether they have namespaces.
 */
export type TierKind = "container" | "watched" | "one_user" | "process";

export interface Tier {
  readonly name: string;
  readonly kind: TierKind;
  readonly config: PartialConfig;
  /** What the service says of itself. */
  readonly says: IsolationTier;
  /** User id of the service, which is a process of its own then; null: this process's. */
  readonly uid: number | null;
  /** Runtimes whose programs it has, where these are not all. */
  readonly runtimes?: readonly RuntimeId[];
  /** Whether the suite leaves it out unless it is named. */
  readonly byNameOnly?: boolean;
  /** Makes on this machine what the service needs of it. */
  readonly prepare?: () => Prepared;
  /** Why this machine cannot run it, or null. */
  readonly unavailable: () => string | null;
}

interface Prepared {
  /** Of the service. */
  readonly env: Readonly<Record<string, string>>;
  /** Removes it again. */
  end(): void;
}

const NOBODY = 65_534;
const PODMAN = "podman";
const SEARCHED = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin"];

const needs = (program: string) => (): string | null =>
  SEARCHED.some((directory) => existsSync(`${directory}/${program}`)) ? null : `${program} is not installed`;

/** Whether another user finds this clone and its Node. */
function readableByOthers(): string | null {
  if (userInfo().uid !== 0) return "only root can become another user";
  for (const path of [import.meta.dirname, process.execPath])
    for (let at = path; at !== "/"; at = dirname(at))
      if ((statSync(at).mode & 0o005) !== 0o005) return `${at} cannot be read by everybody`;
  return null;
}

/** The first user of /etc/subuid that there is. */
function userWithRange(): number | null {
  const users = new Map(lines("/etc/passwd").map(([name = "", , uid]) => [name, Number(uid)]));
  return (
    lines("/etc/subuid")
      .map(([name = ""]) => users.get(name))
      .find((uid) => uid !== undefined) ?? null
  );
}

function lines(file: string): string[][] {
  const text = existsSync(file) ? readFileSync(file, "utf8") : "";
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => line.split(":"));
}

/** Cgroups that belong to the service's user, as an administrator or systemd's `Delegate=yes` gives them. */
const DELEGATED = "rollcall-delegated";

function delegatedCgroups(): string[] {
  const layout = findCgroupLayout();
  if ("missing" in layout || layout.version === 2) return [];
  return Object.values(layout.controllers).map((mount) => join(mount, DELEGATED));
}

function delegateCgroups(uid: number): Prepared {
  for (const path of delegatedCgroups()) {
    mkdirSync(path, { recursive: true });
    for (const name of ["", ...readdirSync(path)]) chownSync(join(path, name), uid, uid);
  }
  return { env: {}, end: () => delegatedCgroups().forEach((path) => rmdirSync(path)) };
}

/** Podman's store is its user's: one that is removed with the tests. */
function podmanHome(uid: number): Prepared {
  const home = mkdtempSync(join(tmpdir(), "rollcall-podman-home-"));
  chownSync(home, uid, uid);
  const env = { HOME: home, XDG_RUNTIME_DIR: home };
  return {
    env,
    end() {
      // Ends the process that keeps the user namespace.
      spawnSync(PODMAN, ["system", "migrate"], {
        uid,
        gid: uid,
        cwd: "/",
        env: { ...process.env, ...env },
      });
      rmSync(home, { recursive: true, force: true });
    },
  };
}

const noRange = (): string | null =>
  userWithRange() === null
    ? "no user has a range in /etc/subuid: useradd --create-home rollcall"
    : (needs("newuidmap")() ?? readableByOthers());

export const TIERS: readonly Tier[] = [
  { name: "container", kind: "container", says: "container", config: {}, uid: null, unavailable: () => null },
  {
    name: "runc",
    kind: "container",
    says: "container",
    config: { container: { runtime: "runc" } },
    uid: null,
    unavailable: needs("runc"),
  },
  {
    name: "runsc",
    kind: "container",
    says: "container",
    config: {
      container: { runtime: "runsc" },
      runtimes: { python: false, node: false, bash: false, cpp: false },
    },
    uid: null,
    runtimes: ["javascript"],
    unavailable: needs("runsc"),
  },
  {
    name: "watched",
    kind: "watched",
    says: "watched_container",
    // A cgroup that is not there cannot be written.
    config: {
      container: { cgroupParent: "rollcall-no-such-cgroup" },
      isolation: { minimum: "watched_container" },
    },
    uid: null,
    unavailable: () => null,
  },
  {
    name: "rootless",
    kind: "watched",
    says: "watched_container",
    config: { isolation: { minimum: "watched_container" } },
    uid: userWithRange() ?? NOBODY,
    unavailable: noRange,
  },
  {
    name: "delegated",
    kind: "container",
    says: "container",
    config: { container: { cgroupParent: DELEGATED } },
    uid: userWithRange() ?? NOBODY,
    prepare: () => delegateCgroups(userWithRange() ?? NOBODY),
    unavailable: () =>
      delegatedCgroups().length === 0
        ? "cgroup v1 is not mounted; with v2 a service has to be started in the cgroup that it is given"
        : noRange(),
  },
  {
    name: "rootless-podman",
    kind: "watched",
    says: "watched_container",
    config: { container: { runtime: "podman" }, isolation: { minimum: "watched_container" } },
    uid: userWithRange() ?? NOBODY,
    byNameOnly: true,
    prepare: () => podmanHome(userWithRange() ?? NOBODY),
    unavailable: () => needs("podman")() ?? noRange(),
  },
  {
    name: "one-user",
    kind: "one_user",
    says: "watched_container",
    config: { isolation: { minimum: "watched_container" } },
    uid: NOBODY,
    unavailable: readableByOthers,
  },
  ...(["docker", "podman"] as const).map((runtime): Tier => ({
    name: runtime,
    kind: "watched",
    says: "watched_container",
    config: { container: { runtime }, isolation: { minimum: "watched_container" } },
    uid: null,
    unavailable: () =>
      spawnSync(runtime, ["info"]).status === 0
        ? null
        : `${runtime} is not there or its daemon does not answer`,
  })),
  {
    name: "process",
    kind: "process",
    says: "confined_process",
    config: { container: { runtime: "process" }, isolation: { minimum: "confined_process" } },
    uid: null,
    unavailable: () => null,
  },
];

export function tierNamed(name: string): Tier {
  const tier = TIERS.find((one) => one.name === name);
  if (tier === undefined)
    throw new Error(`ROLLCALL_TIER is one of ${TIERS.map((one) => one.name).join(", ")}, not ${name}`);
  return tier;
}

export const TIER = tierNamed(process.env["ROLLCALL_TIER"] ?? "container");
