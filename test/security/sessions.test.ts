/**
 * Programs that set out to harm: in a session they reach neither another session that is not of its family, nor a
 * fork's siblings, nor the calls beside; what becomes of the session is told truly, and nothing is left of it.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Executor } from "../../src/contract/executor.ts";
import type { Session } from "../../src/contract/session.ts";
import { createExecutor } from "../../src/index.ts";
import { countLeftovers } from "../support/leftovers.ts";
import { allForkServers } from "../support/fork-servers.ts";
import { serviceProcesses } from "./inventory.ts";
import { postures } from "./posture.ts";

let executor: Executor;
beforeAll(async () => {
  executor = await createExecutor({ runtimes: { javascript: false, node: false, bash: false, cpp: false } });
  await allForkServers(executor);
});
afterAll(() => executor.close());

const LIMITS = { wall_ms: 2_000, memory_bytes: 128 << 20, processes: 24 };

/** Long enough for a program to have done what its state depends on, on a busy machine. */
const BEGUN_MS = 1_500;

interface Hostile {
  readonly name: string;
  readonly source: string;
  /** Outcomes that are true of it. */
  readonly outcome: RegExp;
  readonly state: "kept" | "lost";
  readonly limits?: { readonly wall_ms: number };
}

const HOSTILE: readonly Hostile[] = [
  {
    name: "a fork bomb",
    source: "import os\nwhile True:\n    try: os.fork()\n    except BaseException: pass",
    outcome: /^(wall_limit|process_limit)$/,
    state: "lost",
    limits: { wall_ms: 700 },
  },
  {
    name: "a balloon",
    source: "keep = []\nwhile True: keep.append(b'x' * (1 << 20))",
    outcome: /^memory_limit$/,
    state: "lost",
  },
  {
    name: "a balloon in shared memory",
    source: "import mmap\nm = mmap.mmap(-1, 1 << 30)\nwhile True: m.write(b'x' * (1 << 20))",
    outcome: /^memory_limit$/,
    state: "lost",
  },
  {
    name: "a computation in C that hears no interrupt",
    source:
      "import ctypes\nctypes.CDLL(None).pause() if False else None\nctypes.CDLL(None).sleep(30)\nwhile True: ctypes.CDLL(None).sleep(30)",
    outcome: /^wall_limit$/,
    state: "kept",
    limits: { wall_ms: BEGUN_MS },
  },
  {
    name: "a thread that holds the interpreter's lock in C",
    source:
      "import ctypes\nctypes.PyDLL(None).sleep.restype = None\nwhile True:\n    try: ctypes.PyDLL(None).sleep(30)\n    except BaseException: pass",
    outcome: /^wall_limit$/,
    state: "lost",
    limits: { wall_ms: BEGUN_MS },
  },
  { name: "os._exit", source: "import os; os._exit(0)", outcome: /^completed$/, state: "lost" },
  {
    name: "SIGKILL to itself",
    source: "import os; os.kill(os.getpid(), 9)",
    outcome: /^signaled$/,
    state: "lost",
  },
  {
    name: "a broken interpreter",
    source: "import ctypes; ctypes.string_at(0)",
    outcome: /^signaled$/,
    state: "lost",
  },
  {
    name: "signals to everybody",
    source: "import os\nfor sig in (15, 9):\n    try: os.kill(-1, sig)\n    except ProcessLookupError: pass",
    outcome: /^completed$/,
    state: "kept",
  },
  {
    name: "the slot's own process",
    source:
      "import os\nfor sig in (2, 9, 15, 19):\n    try: os.kill(1, sig); print('sent', sig)\n    except PermissionError: pass",
    outcome: /^completed$/,
    state: "kept",
  },
  {
    name: "every descriptor closed",
    source: "import os\nfor fd in range(2048):\n    try: os.close(fd)\n    except OSError: pass",
    outcome: /^(signaled|failed)$/,
    state: "lost",
  },
  {
    name: "answers of its own making",
    source:
      "import os, socket, struct\nchannel = socket.socket(fileno=1023)\nfor kind in (1, 2, 3, 4, 99):\n    channel.send(struct.pack('<IiI116s', kind, 7, 99, b'forged'))\nchannel.send(b'short')\nchannel.detach()",
    outcome: /^(completed|failed)$/,
    state: "kept",
  },
  {
    name: "a child that goes on as if it were the session",
    source: "import os\nos.fork()\nx = os.getpid()",
    outcome: /^completed$/,
    state: "kept",
  },
  {
    name: "daemons that let go of everything",
    source:
      "import os, time\nfor _ in range(5):\n    if os.fork() == 0:\n        os.setsid()\n        if os.fork() == 0:\n            while True:\n                try: time.sleep(60)\n                except BaseException: pass\n        os._exit(0)",
    outcome: /^completed$/,
    state: "kept",
  },
  {
    name: "a stop of itself",
    source: "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
    outcome: /^wall_limit$/,
    state: "lost",
    limits: { wall_ms: BEGUN_MS },
  },
];

async function isWell(session: Session): Promise<void> {
  const result = await session.execute({ source: "mark" });
  expect({ value: result.value, state: result.session?.state }).toEqual({ value: "'own'", state: "kept" });
}

describe("a hostile program in one of a family", () => {
  let parent: Session;
  let sibling: Session;
  let stranger: Session;
  beforeAll(async () => {
    [parent, stranger] = await Promise.all([
      executor.openSession({ runtime: "python", limits: LIMITS }),
      executor.openSession({ runtime: "python", limits: LIMITS }, { tenant: "another" }),
    ]);
    await Promise.all([parent, stranger].map((one) => one.execute({ source: "mark = 'own'" })));
    sibling = (await parent.fork())[0] as Session;
  });
  afterAll(() => Promise.all([parent, sibling, stranger].map((one) => one.close())));

  it.for(HOSTILE)("$name", async ({ source, outcome, state, limits }) => {
    const fork = (await parent.fork())[0] as Session;
    try {
      const call = await fork.execute({ source, ...(limits === undefined ? {} : { limits }) });
      expect({ outcome: call.outcome, state: call.session?.state, stderr: call.stderr }).toMatchObject({
        outcome: expect.stringMatching(outcome),
        state,
      });
      if (state === "kept") await isWell(fork);
    } finally {
      await fork.close();
    }
    await Promise.all([parent, sibling, stranger].map(isWell));
    expect((await executor.execute({ runtime: "python", source: "print(1)" })).stdout).toBe("1\n");
  });

  it("that forges its own call's end gains nothing on the calls after it", async () => {
    const fork = (await parent.fork())[0] as Session;
    const forged = await fork.execute({
      source:
        "import socket, struct, time\nchannel = socket.socket(fileno=1023)\nchannel.send(struct.pack('<IiI116s', 2, 0, 1, b''))\ntime.sleep(0.2)\nchannel.detach()\nprint('late')\n1 / 0",
    });
    expect(forged).toMatchObject({ outcome: "completed", stdout: "", session: { state: "kept" } });
    await isWell(fork);
    await isWell(parent);
    await fork.close();
  });

  it("leaves nothing when it is closed: no process, mount or cgroup", async () => {
    const settle = async () => {
      await expect.poll(async () => (await executor.listSessions()).length, { timeout: 5_000 }).toBe(2);
      return countLeftovers(process.pid);
    };
    const before = await settle();
    const forks = await parent.fork({ count: 4 });
    await Promise.all(
      forks.map((fork) =>
        fork.execute({
          source: "import subprocess\nfor _ in range(3): subprocess.Popen(['/bin/sleep', '60'])",
        }),
      ),
    );
    expect(countLeftovers(process.pid).processes).toBeGreaterThanOrEqual(before.processes + 16);
    await Promise.all(forks.map((fork) => fork.close()));
    await expect.poll(() => countLeftovers(process.pid), { timeout: 10_000 }).toEqual(before);
  });
});

describe("a session's interpreter", () => {
  it("has a user of its own, two filters and one capability: to choose its root directory", async () => {
    const session = await executor.openSession({ runtime: "python" });
    const [fork] = (await session.fork()) as [Session];
    const found = serviceProcesses().filter(({ cgroup }) => /session-\d+$/.test(cgroup));
    expect(found.length).toBeGreaterThanOrEqual(2);
    for (const { pid } of found)
      for (const posture of postures(pid)) {
        expect(posture).toMatchObject({ groups: "", noNewPrivileges: "1", seccomp: "2", filters: "2" });
        expect(posture.capabilities).toEqual({
          CapInh: "0",
          CapPrm: "40000",
          CapEff: "40000",
          CapBnd: "0",
          CapAmb: "0",
        });
        expect(Math.min(...posture.ids)).toBeGreaterThan(1_000_000);
      }
    const executed = await session.execute({
      source:
        "import subprocess\nprint(subprocess.check_output(['grep', 'CapEff', '/proc/self/status']).decode())",
    });
    expect(executed.stdout).toContain("0000000000000000");
    await Promise.all([session, fork].map((one) => one.close()));
  });

  it("reaches nothing above what a call sees, whatever root directory it chooses", async () => {
    const session = await executor.openSession({ runtime: "python" });
    const { stdout } = await session.execute({
      source: [
        "import os",
        "os.mkdir('inner'); os.chroot('inner')",
        "for _ in range(20): os.chdir('..')",
        "os.chroot('.')",
        "print(os.path.exists('/run/rollcall/control.sock'), os.path.exists('/run/rollcall/cgroup/memory'))",
        "for path in ('/etc/x', '/usr/x', '/run/x', '/x', '/proc/sys/kernel/hostname', '/dev/x'):",
        "    try: open(path, 'w'); print('wrote', path)",
        "    except OSError: pass",
      ].join("\n"),
    });
    expect(stdout).toBe("False False\n");
    await session.close();
  });
});

describe("when a family's slot is killed", () => {
  it("its sessions are lost and say so, other sessions and calls go on", async () => {
    const session = await executor.openSession({ runtime: "python" });
    const [fork] = (await session.fork()) as [Session];
    const other = await executor.openSession({ runtime: "python" });
    await other.execute({ source: "mark = 'own'" });
    const families = () => serviceProcesses().filter(({ cgroup }) => /family-\d+-\d+$/.test(cgroup));
    const before = new Set(families().map(({ pid }) => pid));
    const doomed = await executor.openSession({ runtime: "python" });
    const running = doomed.execute({ source: "import time; time.sleep(30)" });
    const added = families().filter(({ pid }) => !before.has(pid));
    expect(added.length).toBe(1);
    process.kill((added[0] as (typeof added)[number]).pid, "SIGKILL");
    expect(await running).toMatchObject({ outcome: "sandbox_failed", session: { state: "lost" } });
    await expect(doomed.execute({ source: "1" })).rejects.toMatchObject({ code: "session_lost" });
    await isWell(other);
    expect((await fork.execute({ source: "1 + 1" })).value).toBe("2");
    expect((await executor.execute({ runtime: "python", source: "print(1)" })).stdout).toBe("1\n");
    await Promise.all([session, fork, other, doomed].map((one) => one.close()));
  });
});
