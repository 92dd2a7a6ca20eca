/** Every process of the service that runs, or leads to, code that nobody trusts: its posture against the one it must have. */
import { describe, expect, it, vi } from "vitest";
import { type Subject, withService } from "./gauntlet.ts";
import { serviceProcesses } from "./inventory.ts";
import {
  descriptorsOf,
  isDumpable,
  limitsOf,
  mountsOf,
  NAMESPACES,
  namespacesOf,
  oomScoreAdjustment,
  type Posture,
  postures,
} from "./posture.ts";

const NO_CAPABILITIES = { CapInh: "0", CapPrm: "0", CapEff: "0", CapBnd: "0", CapAmb: "0" };
/** CHOWN, DAC_OVERRIDE, KILL, SETGID and SETUID, in the slot's own user namespace. */
const SLOT_CAPABILITIES = { ...NO_CAPABILITIES, CapPrm: "e3", CapEff: "e3" };
const FIRST_MAPPED_USER = 1_000_000;

/** Nothing of a program, whichever process or thread it is. */
const PROGRAM: Partial<Posture> = {
  groups: "",
  capabilities: NO_CAPABILITIES,
  noNewPrivileges: "1",
  seccomp: "2",
  filters: "2",
  tracer: "0",
};

const PROGRAM_LIMITS = {
  "core file size": "0",
  "locked memory": "65536",
  "msgqueue size": "0",
  "open files": "1024",
  "nice priority": "0",
  "realtime priority": "0",
};

const WRITABLE = [
  "/dev",
  "/dev/full",
  "/dev/null",
  "/dev/random",
  "/dev/shm",
  "/dev/tty",
  "/dev/urandom",
  "/dev/zero",
  "/tmp",
  "/work",
];

/** A program of several processes and threads, all of which wait. */
const SEVERAL = {
  python: [
    "import os, subprocess, threading, time",
    "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
    "subprocess.Popen(['/bin/sleep', '60'])",
    "if os.fork() == 0: os.setsid()",
    "time.sleep(60)",
  ].join("\n"),
  node: [
    "require('node:child_process').spawn('/bin/sleep', ['60'], { stdio: 'inherit' });",
    "new (require('node:worker_threads').Worker)('setInterval(() => {}, 1000)', { eval: true });",
    "setInterval(() => {}, 1000);",
  ].join("\n"),
} as const;

const pidsOf = (cgroup: RegExp): number[] =>
  serviceProcesses()
    .filter((one) => cgroup.test(one.cgroup))
    .map(({ pid }) => pid);
const SLOT = /(?:python-(?:plain|standard)|node-node)-\d+\/slot-\d/;

/** Runs `look` with the processes of a running call, the slot processes left out. */
async function whileRunning(
  subject: Subject,
  runtime: "python" | "node",
  processes: number,
  look: (pids: number[]) => void,
): Promise<void> {
  // The slot that the call will have is open.
  await subject.executor.execute({ runtime, source: "" });
  const idle = new Set(pidsOf(SLOT));
  const controller = new AbortController();
  const running = subject.executor.execute(
    { runtime, source: SEVERAL[runtime] },
    { signal: controller.signal },
  );
  try {
    const pids = await vi.waitFor(
      () => {
        const found = pidsOf(SLOT).filter((pid) => !idle.has(pid));
        expect(found.length).toBe(processes);
        // Threads and executed files too, so that nobody is looked at half-way.
        expect(found.some((pid) => postures(pid).length > 1)).toBe(true);
        expect(
          found.every((pid) => postures(pid)[0]?.filters === "2" && oomScoreAdjustment(pid) === 1000),
        ).toBe(true);
        return found;
      },
      { timeout: 10_000, interval: 100 },
    );
    look(pids);
  } finally {
    controller.abort();
    await running;
  }
}

function expectProgram(pid: number): void {
  for (const posture of postures(pid)) {
    expect(posture).toMatchObject(PROGRAM);
    expect(new Set(posture.ids).size).toBe(1);
    expect(posture.ids[0]).toBeGreaterThan(FIRST_MAPPED_USER);
  }
  const host = namespacesOf("self");
  for (const [name, inode] of Object.entries(namespacesOf(pid)))
    expect([name, inode]).not.toEqual([name, host[name]]);
  expect(limitsOf(pid)).toEqual(PROGRAM_LIMITS);
  expect(oomScoreAdjustment(pid)).toBe(1000);
  const mounts = [...mountsOf(pid)];
  expect(
    mounts
      .filter(([, { writable }]) => writable)
      .map(([target]) => target)
      .sort(),
  ).toEqual(WRITABLE);
  expect(mounts.filter(([, { writable, suid }]) => writable && suid)).toEqual([]);
  expect(
    mounts.filter(([, { type }]) =>
      ["sysfs", "cgroup", "cgroup2", "mqueue", "securityfs", "debugfs"].includes(type),
    ),
  ).toEqual([]);
}

withService({ python: { slots: 1 }, javascript: { slots: 1 } }, (subject) => {
  describe("posture", () => {
    it("of a Python program, its thread, its child and what it executes", async () => {
      // Both heaps have their slot before, so that what is new is the program's.
      for (const source of ["print(1)", "import subprocess"])
        await subject.executor.execute({ runtime: "python", source });
      await whileRunning(subject, "python", 3, (pids) => {
        for (const pid of pids) expectProgram(pid);
        for (const pid of pids) expect(descriptorsOf(pid)).toEqual({ 0: "/dev/null", 1: "pipe", 2: "pipe" });
        const dumpable = pids.filter(isDumpable);
        // What it executed is a program of its own, as everywhere.
        expect(dumpable.length).toBe(1);
      });
    });

    it("of a Node process, its threads and its child", async () => {
      await subject.executor.execute({ runtime: "python", source: "print(1)" });
      await whileRunning(subject, "node", 2, (pids) => {
        for (const pid of pids) expectProgram(pid);
        const kinds = new Set(pids.flatMap((pid) => Object.values(descriptorsOf(pid))));
        const foreign = [...kinds].filter((kind) => !/^(?:\/dev\/null|pipe|anon_inode)/.test(kind));
        expect(foreign).toEqual([]);
      });
    });

    it("of slots: five capabilities in their own namespaces, none to inherit", () => {
      const pids = pidsOf(SLOT);
      expect(pids.length).toBeGreaterThan(0);
      const [server] = pidsOf(/python-plain-\d+\/init/);
      for (const pid of pids) {
        for (const posture of postures(pid)) {
          expect(posture).toMatchObject({ ...PROGRAM, capabilities: SLOT_CAPABILITIES });
          expect(posture.ids[0]).toBeGreaterThanOrEqual(FIRST_MAPPED_USER);
        }
        const outer = namespacesOf(server ?? 0);
        const own = namespacesOf(pid);
        // One user namespace for a container, all others for each slot.
        for (const name of NAMESPACES)
          if (name !== "user") expect([name, own[name]]).not.toEqual([name, outer[name]]);
      }
    });

    it("of fork servers: no user of this machine, one thread, a filter", () => {
      const pids = pidsOf(/python-[a-z]+-\d+\/init/);
      expect(pids.length).toBeGreaterThan(0);
      for (const pid of pids) {
        const all = postures(pid);
        expect(all.length).toBe(1);
        expect(all[0]).toMatchObject({ noNewPrivileges: "1", seccomp: "2", filters: "1", tracer: "0" });
        expect(all[0]?.capabilities).toMatchObject({ CapInh: "0", CapAmb: "0" });
        expect(all[0]?.ids[0]).toBeGreaterThanOrEqual(FIRST_MAPPED_USER);
        expect(namespacesOf(pid)["user"]).not.toBe(namespacesOf("self")["user"]);
      }
    });

    it("of the hosts of isolates: no capability, a filter, nothing of this machine", () => {
      const pids = pidsOf(/isolate-\d+\/init/);
      expect(pids.length).toBeGreaterThan(0);
      const host = namespacesOf("self");
      for (const pid of pids) {
        for (const posture of postures(pid)) {
          expect(posture).toMatchObject({
            capabilities: NO_CAPABILITIES,
            noNewPrivileges: "1",
            seccomp: "2",
            filters: "1",
            tracer: "0",
          });
          expect(posture.ids[0]).toBeGreaterThan(FIRST_MAPPED_USER);
        }
        for (const [name, inode] of Object.entries(namespacesOf(pid)))
          expect([name, inode]).not.toEqual([name, host[name]]);
      }
    });
  });
});
