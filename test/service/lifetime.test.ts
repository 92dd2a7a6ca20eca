/** The service as a process: what it leaves behind, how it ends, and what it finds after a sudden end. */
import { mkdtempSync, chmodSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { createClient } from "../../src/client/index.ts";
import { ask } from "../support/ask.ts";
import { allForkServers } from "../support/fork-servers.ts";
import { countLeftovers, descendants, remainsOf } from "../support/leftovers.ts";
import { startService } from "../support/service.ts";

const CALLS = 5_000;
const SLEEP = { runtime: "python", source: "import time\ntime.sleep(4)\nprint('finished')" } as const;

const stateDirectory = mkdtempSync(join(tmpdir(), "rollcall-test-"));
chmodSync(stateDirectory, 0o755);
afterAll(() => rmSync(stateDirectory, { recursive: true, force: true }));
const start = (...flags: string[]) =>
  startService([`--container.stateDirectory=${stateDirectory}`, ...flags]);

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 400 && !(await condition()); i++)
    await new Promise((resolve) => setTimeout(resolve, 25));
}

/** Whether the service has a call in a slot. */
const isRunning = async (url: string) =>
  /^rollcall_calls_running [1-9]/m.test((await ask(`${url}/metrics`)).text);

describe("calls one after another", () => {
  it(
    `${CALLS} of them leave the same processes, descriptors, mounts and cgroups as before`,
    { timeout: 240_000 },
    async () => {
      const service = await start();
      const pid = service.process.pid as number;
      const client = createClient({ baseUrl: service.url, connections: 1 });
      const sources = [
        { runtime: "python", source: "print(1)" },
        { runtime: "python", source: "open('f', 'w').write('x')\n1 / 0" },
        {
          runtime: "python",
          source: "import os\nif os.fork() == 0:\n    os.setsid()\n    os.execvp('sleep', ['sleep', '30'])",
        },
        { runtime: "javascript", source: "console.log(1)" },
        { runtime: "python", source: "import numpy\nprint(numpy.arange(2))" },
      ] as const;
      const warm = async (count: number) => {
        for (let i = 0; i < count; i++) {
          const result = await client.execute(sources[i % sources.length] as (typeof sources)[number]);
          expect(result.outcome).toBe(i % sources.length === 1 ? "failed" : "completed");
        }
      };
      await allForkServers(client);
      await warm(50);
      const before = countLeftovers(pid);
      await warm(CALLS);
      let after = countLeftovers(pid);
      await until(() => ((after = countLeftovers(pid)), JSON.stringify(after) === JSON.stringify(before)));
      expect(after).toEqual(before);
      await client.close();
      expect(await service.stop()).toBe(0);
      expect(remainsOf(pid, stateDirectory)).toEqual([]);
    },
  );
});

describe("SIGTERM", () => {
  it("takes no more calls, finishes those in flight, exits 0 and leaves nothing", async () => {
    const service = await start();
    const pid = service.process.pid as number;
    const children = descendants(pid);
    expect(children.length).toBeGreaterThan(0);
    const running = ask(`${service.url}/v1/calls`, { body: SLEEP });
    await until(() => isRunning(service.url));
    const stopped = service.stop();
    await until(() => service.lines.some((line) => line.includes("draining")));
    const [late, ready] = await Promise.all([
      ask(`${service.url}/v1/calls`, { body: SLEEP }).catch((error: unknown) => ({
        status: 503,
        json: { error: { code: "draining", message: String(error) } },
      })),
      ask(`${service.url}/readyz`).catch(() => ({ status: 503 })),
    ]);
    expect(late).toMatchObject({ status: 503, json: { error: { code: "draining" } } });
    expect(ready.status).toBe(503);
    expect((await running).json).toMatchObject({ outcome: "completed", stdout: "finished\n" });
    expect(await stopped).toBe(0);
    expect(remainsOf(pid, stateDirectory)).toEqual([]);
    expect(children.filter((child) => descendants(1).includes(child))).toEqual([]);
  });
});

describe("kill -9", () => {
  it("takes the sandboxes with it, and the next start sweeps what is left", async () => {
    const service = await start();
    const pid = service.process.pid as number;
    const children = descendants(pid);
    void ask(`${service.url}/v1/calls`, { body: { runtime: "python", source: "while True: pass" } }).catch(
      () => undefined,
    );
    await until(() => isRunning(service.url));
    service.process.kill("SIGKILL");
    await until(() => !descendants(1).some((child) => children.includes(child)));
    expect(descendants(1).filter((child) => children.includes(child))).toEqual([]);
    // Its cgroups are found by their name, also by a service that keeps its state elsewhere.
    const next = await startService([`--container.stateDirectory=${stateDirectory}/other`]);
    expect(remainsOf(pid, `${stateDirectory}/none`)).toEqual([]);
    expect(await next.stop()).toBe(0);
    const last = await start();
    expect(remainsOf(pid, stateDirectory)).toEqual([]);
    expect(await last.stop()).toBe(0);
  });
});

describe("a service that cannot start", () => {
  it.for([
    [["--http.host=0.0.0.0"], /http\.keys/],
    [["--container.runtime=runc", "--container.rootfs=/nonexistent"], /nonexistent/],
    [["--limits.default.wall_msx=1"], /wall_ms/],
  ] as const)("%s", async ([flags, message]) => {
    await expect(start(...flags)).rejects.toThrow(message);
  });
});
