/**
 * Sudden ends of every part of the engines while calls are in flight. Each accepted call still gets exactly one
 * Result; one that was hit is run again, and never is our fault told as the program's doing.
 */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Call } from "../../src/contract/call.ts";
import type { Result } from "../../src/contract/result.ts";
import { SILENT_OBSERVER } from "../../src/core/observer.ts";
import { createExecutor, type Executor } from "../../src/index.ts";
import { createRandom } from "../../workload/mix.ts";
import { descendants } from "../support/leftovers.ts";
import { type Part, processesByPart } from "../support/process-tree.ts";

const CALLS = 500;
const KILLS = 12;

const faults: string[] = [];
let retried = 0;
let executor: Executor;
beforeAll(async () => {
  executor = await createExecutor(
    {},
    {
      observer: {
        ...SILENT_OBSERVER,
        fault: (_, kind) => void faults.push(kind),
        retried: () => void retried++,
      },
    },
  );
});
afterAll(() => executor.close());

/** Programs of some length, so that a kill finds them running; each prints its own number. */
function callNumber(index: number): Call {
  const kinds: Call[] = [
    { runtime: "python", source: `import time\ntime.sleep(0.03)\nprint(${index})` },
    { runtime: "python", source: `import sympy\nprint(sympy.Integer(${index}))` },
    { runtime: "python", source: `print(sum(range(10 ** 5)) * 0 + ${index})` },
    { runtime: "javascript", source: `setTimeout(() => console.log(${index}), 20)` },
    { runtime: "node", source: `setTimeout(() => console.log(${index}), 20)` },
  ];
  return kinds[index % kinds.length] as Call;
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Ended by itself in the meantime.
  }
}

/** Ends processes of one part at random moments until the calls are done. */
async function endAtRandom(part: Part, seed: number, done: () => boolean): Promise<number> {
  const random = createRandom(seed);
  let ended = 0;
  for (let attempt = 0; attempt < 2000 && ended < KILLS && !done(); attempt++) {
    await new Promise((resolve) => setTimeout(resolve, 20 + random() * 60));
    const pids = processesByPart(process.pid)[part];
    const pid = pids[Math.floor(random() * pids.length)];
    if (pid === undefined) continue;
    kill(pid, "SIGKILL");
    ended++;
  }
  return ended;
}

async function runAll(
  count = CALLS,
  callOf = callNumber,
): Promise<{ results: Promise<Result[]>; done: () => boolean }> {
  let left = count;
  const results = Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const result = await executor.execute(callOf(index));
      left--;
      return result;
    }),
  );
  return { results, done: () => left === 0 };
}

/** Every result is the right answer, or one that the kind of kill allows. */
function checkAnswers(results: readonly Result[], allowed: (result: Result) => boolean): void {
  const wrong = results.filter(
    (result, index) =>
      !(result.outcome === "completed" && result.stdout === `${index}\n`) && !allowed(result),
  );
  expect(wrong).toEqual([]);
}

const isOurFault = (result: Result) =>
  result.outcome === "sandbox_failed" && result.stdout === "" && result.detail !== null;

async function healthy(): Promise<void> {
  const answers = await askAll(30_000);
  expect(answers).toEqual(answers.map((_, index) => `${index}\n`));
}

async function askAll(wall_ms: number): Promise<string[]> {
  const results = await Promise.all(
    Array.from({ length: 16 }, (_, index) => executor.execute({ ...callNumber(index), limits: { wall_ms } })),
  );
  return results.map(({ stdout }) => stdout);
}

/** What its command line says of the modules that it has. */
const isLightest = (pid: number): boolean =>
  readFileSync(`/proc/${pid}/cmdline`, "utf8").includes('"modules":[],"sys_path"');

/** A part that hangs is found out only by a call that needs it: some rounds may be lost before all is well. */
async function healthyInTheEnd(): Promise<void> {
  for (let round = 0; round < 3; round++) {
    const answers = await askAll(2_000);
    if (answers.every((stdout, index) => stdout === `${index}\n`)) return;
  }
  await healthy();
}

describe("kill -9 at random, with 500 calls in flight", () => {
  it.for(["forkServer", "slot", "javascriptHost", "runtime"] as const)(
    "of the %s",
    { timeout: 120_000 },
    async (part) => {
      const before = { faults: faults.length, retried };
      const { results, done } = await runAll();
      const ended = await endAtRandom(part, part.length, done);
      checkAnswers(await results, isOurFault);
      expect(ended).toBeGreaterThan(0);
      // An OCI runtime that is gone while its container lives may go unnoticed by calls; the others do not.
      if (part !== "runtime") expect(faults.length).toBeGreaterThan(before.faults);
      expect(retried).toBeGreaterThanOrEqual(before.retried);
      await healthy();
    },
  );

  it("of a call's own process is a signal that ended the program", { timeout: 120_000 }, async () => {
    const { results, done } = await runAll(60, (index) => ({
      runtime: "python",
      // Long enough to be found.
      source: `import time\ntime.sleep(0.4)\nprint(${index})`,
    }));
    const ended = await endAtRandom("call", 4, done);
    expect(ended).toBeGreaterThan(0);
    checkAnswers(await results, (result) => result.outcome === "signaled" && result.signal === "SIGKILL");
    await healthy();
  });
});

describe("kill -9 of one fork server after the other", () => {
  it("costs no call: what was hit is repeated in its replacement", { timeout: 120_000 }, async () => {
    for (let round = 0; round < 2; round++) {
      for (const pid of processesByPart(process.pid).forkServer) {
        // More calls than slots, so that a call that was hit is taken by a slot beside the one that failed.
        const { results } = await runAll(24);
        await new Promise((resolve) => setTimeout(resolve, 30));
        kill(pid, "SIGKILL");
        checkAnswers(await results, () => false);
      }
    }
  });
});

describe("a fork server that hangs", () => {
  it("is replaced, and calls that need it are answered", { timeout: 180_000 }, async () => {
    // The lightest, and with it all of its slots: the others stand in for it.
    const server = processesByPart(process.pid).forkServer.find(isLightest);
    // To the kernel a missing one, 0, would be this test's own group.
    if (server === undefined) throw new Error("the lightest fork server is not there");
    for (const pid of [server, ...descendants(server)]) kill(pid, "SIGSTOP");
    const results = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        executor.execute({ runtime: "python", source: `print(${index})`, limits: { wall_ms: 3000 } }),
      ),
    );
    for (const [index, result] of results.entries()) {
      expect(result.outcome === "completed" ? result.stdout : result.outcome).toEqual(
        expect.stringMatching(new RegExp(`^(?:${index}\n|sandbox_failed)$`)),
      );
    }
    await healthyInTheEnd();
  });
});
