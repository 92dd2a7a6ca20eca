import { expect, test } from "vitest";
import { createClient } from "../../src/client/index.ts";
import { descendants, remainsOf } from "../support/leftovers.ts";
import { startService } from "../support/service.ts";

test("SIGTERM: a call in a session is finished, sessions and forks are closed, nothing is left", async () => {
  const service = await startService(["--runtimes.javascript", "false", "--runtimes.node", "false"]);
  const pid = service.process.pid ?? 0;
  const client = createClient({ baseUrl: service.url });
  const session = await client.openSession({ runtime: "python" });
  await session.execute({ source: "import subprocess; subprocess.Popen(['/bin/sleep', '300'])" });
  await session.fork({ count: 2 });
  const running = session.execute({ source: "import time; print('begun', flush=True); time.sleep(1); 7" });
  await expect.poll(async () => (await session.describe()).state).toBe("busy");
  const below = descendants(pid);
  const code = await service.stop();
  expect(await running).toMatchObject({ outcome: "completed", value: "7" });
  expect(code).toBe(0);
  expect(remainsOf(pid, "/run/rollcall")).toEqual([]);
  const alive = below.filter((one) => {
    try {
      return process.kill(one, 0);
    } catch {
      return false;
    }
  });
  expect(alive).toEqual([]);
  await client.close();
});
