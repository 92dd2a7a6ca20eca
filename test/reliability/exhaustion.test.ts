/**
 * What the machine runs out of while calls are in flight: memory in the containers of the fork servers, processes,
 * the disk of the state directory. Each accepted call still gets exactly one Result, the fault is counted under its
 * name, and the pool is whole again once there is enough.
 */
import { execFileSync, spawn } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { warmUp } from "../../scripts/soak/load.ts";
import { readMetrics } from "../../scripts/soak/metrics.ts";
import { createClient } from "../../src/client/index.ts";
import type { Executor } from "../../src/contract/executor.ts";
import type { Result } from "../../src/contract/result.ts";
import { cgroupOf } from "../support/cgroup.ts";
import { allForkServers } from "../support/fork-servers.ts";
import { countLeftovers } from "../support/leftovers.ts";
import { isOurFault, numberedCall, wrongAnswers } from "../support/numbered.ts";
import { faultsOf, until, untilWhole } from "../support/pool.ts";
import { processesByPart } from "../support/process-tree.ts";
import { type Service, startService } from "../support/service.ts";

const CALLS = 80;
const STATE_BYTES = 2 << 20;
/** A good deal of memory in each process, and always another one: the kernel has to end somebody. */
const BALLOONS = `
import os, sys, time
open(sys.argv[1], "w").write(str(os.getpid()))
while True:
    if os.fork() == 0:
        held = bytearray(128 << 20)
        time.sleep(120)
        os._exit(0)
    time.sleep(0.02)
`;

/** Makes one process after another, for ten seconds at least: a test that waits for a core finds it at that. */
const FORKING = `
import os, time
for _ in range(300):
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    time.sleep(0.03)
print("forked")
`;

const stateDirectory = mkdtempSync(join(tmpdir(), "rollcall-small-"));
let service: Service;
let client: Executor;
let pid = 0;
let before: Awaited<ReturnType<typeof holdings>>;

/** Python's six profiles and Node: in each of their fork servers every slot of the engine has a process once it was used. */
const PROFILES = 7;

/**
 * What the service holds once every slot has made all that it makes at its first use. On a busy machine one round of calls
 * does not reach every slot: while one is slow to open, another takes its call.
 */
async function holdings() {
  await until("every slot has a process in every fork server", async () => {
    await untilWhole(service.url);
    await allForkServers(client);
    const metrics = await readMetrics(service.url);
    await warmUp(client, metrics.value("rollcall_slots"));
    await untilWhole(service.url);
    const slots = metrics.value("rollcall_slots", { engine: "container" });
    return processesByPart(pid).slot.length >= PROFILES * slots;
  });
  const connections = (await readMetrics(service.url)).value("rollcall_http_connections");
  const { processes, cgroups, descriptors } = countLeftovers(pid);
  return { processes, cgroups, descriptors: descriptors - connections };
}

beforeAll(async () => {
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${STATE_BYTES},mode=755`, "tmpfs", stateDirectory]);
  chmodSync(stateDirectory, 0o755);
  service = await startService([`--container.stateDirectory=${stateDirectory}`]);
  client = createClient({ baseUrl: service.url, connections: CALLS });
  pid = service.process.pid as number;
  before = await holdings();
});
afterAll(async () => {
  await client.close();
  await service.stop();
  execFileSync("umount", ["-l", stateDirectory]);
  rmSync(stateDirectory, { recursive: true });
});

/** Sends calls, does harm while they are in flight, mends it, and holds the answers against what may be. */
async function under(harm: () => Promise<void>, mend: () => void): Promise<Result[]> {
  const results = Promise.all(
    Array.from({ length: CALLS }, (_, index) => client.execute(numberedCall(index))),
  );
  try {
    await harm();
  } finally {
    mend();
  }
  const answers = await results;
  expect(wrongAnswers(answers)).toEqual([]);
  await untilWhole(service.url);
  const metrics = await readMetrics(service.url);
  expect(metrics.value("rollcall_calls_total")).toBe(metrics.value("rollcall_calls_accepted_total"));
  const healthy = await Promise.all(
    Array.from({ length: 16 }, (_, index) => client.execute(numberedCall(index))),
  );
  expect(wrongAnswers(healthy, () => false)).toEqual([]);
  return answers;
}

/** One that is listed may have ended by itself before it is reached. */
function endIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

describe("with calls in flight", { timeout: 240_000 }, () => {
  it("memory runs out in the container of every fork server", async () => {
    const counted = await faultsOf(service.url, "fork_server_died");
    const cgroup = cgroupOf(pid, "memory");
    const servers = readdirSync(cgroup).filter((name) => name.startsWith("python-"));
    expect(servers.length).toBeGreaterThan(2);
    const balloons = servers.map((name) =>
      spawn("python3", ["-c", BALLOONS, `${cgroup}/${name}/init/cgroup.procs`], {
        stdio: "ignore",
        detached: true,
      }),
    );
    await under(
      () =>
        until(
          "every fork server was ended",
          async () => (await faultsOf(service.url, "fork_server_died")) >= counted + servers.length,
        ),
      // With all that each has forked: as long as one is there, its cgroup cannot be removed.
      () => balloons.forEach(({ pid: group }) => endIfThere(-(group as number))),
    );
  });

  it("no process can be made any more", async () => {
    const counted = await faultsOf(service.url, "slot_fault");
    const bound = `${cgroupOf(pid, "pids")}/pids.max`;
    const boundBefore = readFileSync(bound, "utf8");
    // Else the last of them would be taken for the program that forks, which would never begin.
    await until("programs before it are gone", () => processesByPart(pid).call.length === 0);
    const forking = client.execute({ runtime: "python", source: FORKING, limits: { wall_ms: 120_000 } });
    await until("a program is forking", () => processesByPart(pid).call.length > 0);
    await under(
      async () => {
        writeFileSync(bound, "1");
        await until(
          "programs and slots are refused processes",
          async () =>
            (await faultsOf(service.url, "slot_fault")) > counted &&
            (await faultsOf(service.url, "no_processes")) > 0,
        );
      },
      () => writeFileSync(bound, boundBefore),
    );
    // A program that was not at its own limit is not told that it was.
    const result = await forking;
    expect(isOurFault(result) ? "forked\n" : result.stdout).toBe("forked\n");
  });

  it("the disk of the state directory is full", async () => {
    const filler = join(stateDirectory, "filler");
    const fill = () => {
      try {
        for (;;) appendFileSync(filler, Buffer.alloc(4096));
      } catch {
        // Full.
      }
    };
    await under(
      () =>
        until("a fork server cannot start for want of space", () => {
          fill();
          for (const server of processesByPart(pid).forkServer) endIfThere(server);
          fill();
          return service.lines.some((line) => /fork_server_not_started.*ENOSPC/.test(line));
        }),
      () => rmSync(filler),
    );
    expect(await faultsOf(service.url, "fork_server_not_started")).toBeGreaterThan(0);
  });

  it("what the service holds afterwards is no more than what it held before", async () => {
    const surplus = async () => {
      const after = await holdings();
      return (Object.keys(before) as (keyof typeof before)[])
        .filter((name) => after[name] > before[name])
        .map((name) => `${name}: ${before[name]}, then ${after[name]}`);
    };
    await expect.poll(surplus, { timeout: 180_000, interval: 500 }).toEqual([]);
  });
});
