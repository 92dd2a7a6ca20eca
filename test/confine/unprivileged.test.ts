/**
 * The service inside of a container as Docker makes one by default: no CAP_SYS_ADMIN, no new namespaces, no mounts, cgroups out
 * of reach. The tier confined_process is for it. The container is made by the OCI runtime that is here.
 */
import { once } from "node:events";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, it } from "vitest";
import { createClient, type Client } from "../../src/client/index.ts";
import { findCgroupLayout } from "../../src/confine/cgroup-layout.ts";
import { deleteContainer, findOciRuntime, startContainer } from "../../src/confine/oci-runtime.ts";
import type { Call } from "../../src/contract/call.ts";
import type { Outcome } from "../../src/contract/outcome.ts";

const CLONE = join(import.meta.dirname, "../..");
const MiB = 1 << 20;
const TEST_MS_MAX = 120_000;

const CAPABILITIES =
  "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE"
    .split(" ")
    .map((name) => `CAP_${name}`);

/** What Docker's default profile refuses to who has no CAP_SYS_ADMIN, of what matters here. */
const REFUSED =
  "unshare setns mount umount2 move_mount open_tree fsopen fsmount fsconfig fspick pivot_root mount_setattr bpf perf_event_open keyctl add_key request_key userfaultfd".split(
    " ",
  );
const NEW_NAMESPACES = [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000];
const SECCOMP = {
  defaultAction: "SCMP_ACT_ALLOW",
  architectures: [process.arch === "arm64" ? "SCMP_ARCH_AARCH64" : "SCMP_ARCH_X86_64"],
  syscalls: [
    { names: REFUSED, action: "SCMP_ACT_ERRNO", errnoRet: 1 },
    { names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: 38 },
    ...NEW_NAMESPACES.map((flag) => ({
      names: ["clone"],
      action: "SCMP_ACT_ERRNO",
      errnoRet: 1,
      args: [{ index: 0, value: flag, valueTwo: flag, op: "SCMP_CMP_MASKED_EQ" }],
    })),
  ],
};

const bind = (path: string) => ({
  destination: path,
  type: "bind",
  source: path,
  options: ["rbind", "ro", "nosuid", "nodev"],
});
const tmpfs = (path: string) => ({
  destination: path,
  type: "tmpfs",
  source: "tmpfs",
  options: ["nosuid", "nodev", "mode=1777"],
});

/** @param user of the service, 0 for the root that Docker's containers have */
function writeBundle(bundle: string, user: number, argv: readonly string[]): void {
  const root = join(bundle, "root");
  mkdirSync(join(root, "etc"), { recursive: true });
  for (const path of [root, bundle]) chmodSync(path, 0o755);
  for (const name of ["bin", "sbin", "lib", "lib64"])
    if (existsSync(`/${name}`)) symlinkSync(`usr/${name}`, join(root, name));
  for (const name of ["passwd", "group", "ld.so.cache", "alternatives"])
    if (existsSync(`/etc/${name}`)) cpSync(`/etc/${name}`, join(root, "etc", name), { recursive: true });
  const capabilities = user === 0 ? CAPABILITIES : [];
  const config = {
    ociVersion: "1.0.2",
    root: { path: root, readonly: false },
    process: {
      terminal: false,
      user: { uid: user, gid: user },
      args: argv,
      env: ["PATH=/usr/bin:/bin", "HOME=/tmp", "TMPDIR=/tmp"],
      cwd: CLONE,
      capabilities: {
        bounding: capabilities,
        effective: capabilities,
        permitted: capabilities,
        inheritable: [],
        ambient: [],
      },
      rlimits: [{ type: "RLIMIT_NOFILE", hard: 8192, soft: 8192 }],
      noNewPrivileges: false,
    },
    mounts: [
      { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "nodev", "noexec"] },
      { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=755"] },
      ...["/dev/shm", "/tmp", "/run"].map(tmpfs),
      ...["/usr", CLONE, process.execPath].map(bind),
    ],
    linux: {
      // As with `--network host`: so that the test reaches it.
      namespaces: ["pid", "ipc", "uts", "mount"].map((type) => ({ type })),
      seccomp: SECCOMP,
      maskedPaths: ["/proc/kcore", "/proc/keys", "/proc/timer_list"],
      readonlyPaths: ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
    },
  };
  writeFileSync(join(bundle, "config.json"), JSON.stringify(config));
}

const CASES: readonly (readonly [Outcome, string, Call])[] = [
  ["completed", "42\n", { runtime: "python", source: "print(6 * 7)" }],
  ["completed", "42\n", { runtime: "javascript", source: "console.log(6 * 7)" }],
  ["completed", "42\n", { runtime: "node", source: "console.log(6 * 7)" }],
  [
    "completed",
    "refused refused\n",
    {
      runtime: "python",
      source:
        "import os, socket\ndef attempt(f):\n    try:\n        f()\n        return 'done'\n    except OSError:\n        return 'refused'\n" +
        `print(attempt(lambda: os.listdir(${JSON.stringify(CLONE)})), attempt(lambda: socket.create_connection(('127.0.0.1', 1))))`,
    },
  ],
  [
    "memory_limit",
    "",
    {
      runtime: "python",
      source: "held = []\nwhile True:\n    held.append(bytearray(1 << 20))",
      limits: { memory_bytes: 64 * MiB },
    },
  ],
  ["cpu_limit", "", { runtime: "python", source: "while True:\n    pass", limits: { cpu_ms: 200 } }],
];

/** Starts the service in the container, hands a client of it to `use`, and ends it. */
async function withContainer(
  user: number,
  use: (client: Client) => Promise<void>,
): Promise<{ readonly code: number | null }> {
  const layout = findCgroupLayout();
  const rights = { asRoot: [], managesCgroups: true };
  const runtime = await findOciRuntime("auto", "missing" in layout ? null : layout, rights);
  if (runtime === null) throw new Error("there is no OCI runtime");
  const bundle = mkdtempSync(join(tmpdir(), "rollcall-unprivileged-"));
  const [state, id] = [join(bundle, "state"), `rollcall-test-${process.pid}-${user}`];
  writeBundle(bundle, user, [
    process.execPath,
    join(CLONE, "src/main.ts"),
    "serve",
    "--port=0",
    "--container.runtime=process",
    "--isolation.minimum=confined_process",
    "--python.slots=1",
    "--javascript.slots=1",
  ]);
  const { process: child } = startContainer(runtime, state, bundle, id, { staged: [], joined: [] });
  const exited = once(child, "exit") as Promise<[number | null]>;
  try {
    const lines: string[] = [];
    const url = await new Promise<string>((resolve, reject) => {
      for (const stream of [child.stdout, child.stderr])
        createInterface({ input: stream as NodeJS.ReadableStream }).on("line", (line) => {
          lines.push(line);
          const address = /"address":"([^"]+)"/.exec(line)?.[1];
          if (address !== undefined) resolve(address);
        });
      void exited.then(([code]) => reject(new Error(`it ended with ${code}: ${lines.join("\n")}`)));
    });
    const client = createClient({ baseUrl: url });
    await use(client);
    await client.close();
    child.kill("SIGTERM");
    const [code] = await exited;
    return { code };
  } finally {
    await deleteContainer(runtime, state, id);
    rmSync(bundle, { recursive: true, force: true });
  }
}

const isRoot = process.getuid?.() === 0;
describe.skipIf(!isRoot)(
  `the service in an unprivileged container${isRoot ? "" : " (left out: only root can make one here)"}`,
  () => {
    it.for([0, 65_534])("as user %s", { timeout: TEST_MS_MAX }, async (user) => {
      const { code } = await withContainer(user, async (client) => {
        const { engines } = await client.describe();
        expect(engines.map(({ tier }) => tier)).toEqual(["confined_process", "confined_process"]);
        for (const [outcome, stdout, call] of CASES) {
          const result = await client.execute(call);
          expect({ outcome: result.outcome, stdout: result.stdout }, call.source).toEqual({
            outcome,
            stdout,
          });
        }
      });
      expect(code).toBe(0);
    });
  },
);
