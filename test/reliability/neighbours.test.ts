/** Several services on one machine, with one state directory: none touches what belongs to another. */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { readMetrics } from "../../scripts/soak/metrics.ts";
import { createClient } from "../../src/client/index.ts";
import type { Result } from "../../src/contract/result.ts";
import { descendants, remainsOf } from "../support/leftovers.ts";
import { numberedCall, wrongAnswers } from "../support/numbered.ts";
import { until } from "../support/pool.ts";
import { startService } from "../support/service.ts";

const CALLS = 150;

const stateDirectory = mkdtempSync(join(tmpdir(), "rollcall-shared-"));
chmodSync(stateDirectory, 0o755);
afterAll(() => rmSync(stateDirectory, { recursive: true, force: true }));
const start = () => startService([`--container.stateDirectory=${stateDirectory}`]);

it(
  "one is killed and a third sweeps after it, while the other answers every call",
  { timeout: 240_000 },
  async () => {
    const [steady, doomed] = await Promise.all([start(), start()]);
    const client = createClient({ baseUrl: steady.url, connections: 16 });
    const other = createClient({ baseUrl: doomed.url, connections: 16, retry: { attemptsMax: 1 } });
    const doomedPid = doomed.process.pid as number;
    const doomedChildren = descendants(doomedPid);
    const doomedCalls = Array.from({ length: CALLS }, (_, index) =>
      other.execute(numberedCall(index)).then(
        (result): Result | null => result,
        () => null,
      ),
    );
    let answered = 0;
    const results = Array.from({ length: CALLS }, async (_, index) => {
      const result = await client.execute(numberedCall(index));
      answered++;
      return result;
    });
    await until("a third of the calls is answered", () => answered > CALLS / 3);
    doomed.process.kill("SIGKILL");
    await until("its sandboxes are gone", () => !descendants(1).some((pid) => doomedChildren.includes(pid)));
    const third = await start();
    expect(remainsOf(doomedPid, stateDirectory)).toEqual([]);

    expect(wrongAnswers(await Promise.all(results), () => false)).toEqual([]);
    expect((await readMetrics(steady.url)).value("rollcall_sandbox_faults_total")).toBe(0);
    // What the killed one had answered before was right too.
    const told = await Promise.all(doomedCalls);
    const wrong = told.filter((result, index) => result !== null && result.stdout !== `${index}\n`);
    expect(wrong).toEqual([]);

    await Promise.all([client.close(), other.close()]);
    expect(await Promise.all([steady.stop(), third.stop()])).toEqual([0, 0]);
    for (const service of [steady, third])
      expect(remainsOf(service.process.pid as number, stateDirectory)).toEqual([]);
  },
);
