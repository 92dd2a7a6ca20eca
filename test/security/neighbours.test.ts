/**
 * Programs beside others: pairs that look for each other in two slots, every slot with the worst program at once,
 * and the service's own neighbourhood on this machine.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it, vi } from "vitest";
import type { Call } from "../../src/contract/call.ts";
import type { Result } from "../../src/contract/result.ts";
import { expectHealthy, settledInventory, type Subject, withService } from "./gauntlet.ts";
import { takeInventory } from "./inventory.ts";
import { callOf, type HostileProgram, judge } from "./program.ts";
import { CPU } from "./programs/cpu.ts";
import { FILES } from "./programs/files.ts";
import { JAVASCRIPT } from "./programs/javascript.ts";
import { MEMORY } from "./programs/memory.ts";
import { NETWORK } from "./programs/network.ts";
import { OUTPUT } from "./programs/output.ts";
import { PROCESSES } from "./programs/processes.ts";

const SLOTS = 4;
const HONEST_CALLS = 200;
const PROGRAMS = new Map(
  [CPU, FILES, JAVASCRIPT, MEMORY, NETWORK, OUTPUT, PROCESSES].flat().map((one) => [one.name, one]),
);

function programNamed(name: string): HostileProgram {
  const program = PROGRAMS.get(name);
  if (program === undefined) throw new Error(`there is no program ${name}`);
  return program;
}

/** Both programs of a pair as processes of one call, where nothing keeps them apart. */
function together(first: HostileProgram, second: HostileProgram): Call {
  const source = `import os\nsources = ${JSON.stringify([first.source, second.source])}\nexec(sources[os.fork() != 0], {})\nimport time\ntime.sleep(1)`;
  return { runtime: "python", source };
}

async function runAll(subject: Subject, programs: readonly HostileProgram[]): Promise<string[]> {
  const results = await Promise.all(
    programs.map(async (program) => judge(program, await subject.executor.execute(callOf(program)))),
  );
  return results.flat();
}

/** Programs that reach for a port of this machine, one for each runtime. */
function reaching(port: number): Call[] {
  const python = `import urllib.request\ntry: print(urllib.request.urlopen("http://127.0.0.1:${port}/", timeout=1).status)\nexcept OSError: print("contained")`;
  const node = `fetch("http://127.0.0.1:${port}/").then((r) => console.log(r.status), () => console.log("contained"))`;
  const javascript = `(typeof fetch === "function" ? fetch("http://127.0.0.1:${port}/") : Promise.reject()).then((r) => console.log(r.status), () => console.log("contained"))`;
  return [
    { runtime: "python", source: python },
    { runtime: "node", source: node },
    { runtime: "javascript", source: javascript },
  ];
}

withService({ python: { slots: SLOTS }, javascript: { slots: 2 } }, (subject) => {
  describe("pairs in two slots", () => {
    const pairs = NETWORK.filter(({ beside }) => beside !== undefined).map((program) => {
      const other = programNamed(program.beside ?? "");
      return { title: `${program.name} and ${other.name}`, pair: [program, other] as const };
    });

    it.for(pairs)("$title", async ({ pair }) => {
      expect(await runAll(subject, pair)).toEqual([]);
    });

    it.for(pairs)("$title meet where nothing is between them", async ({ pair }) => {
      expect((await subject.executor.execute(together(...pair))).stdout).toContain("BREACH");
    });
  });

  it("reaches no server on this machine, from any runtime", async () => {
    let requests = 0;
    const server = createServer((_, response) => response.end(String(++requests)));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    try {
      await fetch(`http://127.0.0.1:${port}/`);
      const results = await Promise.all(reaching(port).map((call) => subject.executor.execute(call)));
      expect(results.map(({ stdout }) => stdout)).toEqual(["contained\n", "contained\n", "contained\n"]);
      expect(requests).toBe(1);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  it("isolates that loop, balloon and die leave one that counts alone", async () => {
    const names = [
      "js_infinite_loop",
      "js_heap_catastrophe",
      "js_parallel_neighbour",
      "js_array_balloon",
      "js_microtask_loop",
      "js_parallel_neighbour",
    ];
    expect(await runAll(subject, names.map(programNamed))).toEqual([]);
  });

  it(
    "every slot runs the worst program at once, and honest calls between them are answered rightly",
    { timeout: 120_000 },
    async () => {
      await Promise.all(
        Array.from({ length: SLOTS }, () => expectHealthy(subject, { runtime: "python", source: "" })),
      );
      const before = await settledInventory(subject);
      const worst = [
        "proc_fork_bomb",
        "mem_balloon",
        "out_flood_many_writers",
        "file_fill_disk",
        "proc_fork_while_dying",
        "mem_memfd_fill",
        "out_flood_newlines",
        "file_inode_bomb",
      ];
      const hostile = Array.from({ length: 3 * worst.length }, (_, index) =>
        programNamed(worst[index % worst.length] ?? ""),
      );
      // A bomb, some honest calls, the next bomb: whichever slot an honest call gets, a bomb went off in it or beside it.
      const honestEach = Math.ceil(HONEST_CALLS / hostile.length);
      const problems: Promise<string[]>[] = [];
      const honest: Promise<Result>[] = [];
      for (const program of hostile) {
        problems.push(runAll(subject, [program]));
        for (let each = 0; each < honestEach && honest.length < HONEST_CALLS; each++) {
          const index = honest.length;
          honest.push(
            subject.executor.execute({
              runtime: "python",
              source: `print(${index} ** 2, sum(range(${index})))`,
            }),
          );
        }
      }
      const answers = await Promise.all(honest);
      expect((await Promise.all(problems)).flat()).toEqual([]);
      expect(answers.length).toBe(HONEST_CALLS);
      expect(answers.map(({ outcome, stdout }) => [outcome, stdout])).toEqual(
        answers.map((_, index) => ["completed", `${index ** 2} ${(index * (index - 1)) / 2}\n`]),
      );
      await vi.waitFor(
        async () => {
          await Promise.all(
            Array.from({ length: SLOTS }, () => expectHealthy(subject, { runtime: "python", source: "" })),
          );
          const { processes, cgroups } = takeInventory(subject.stateDirectory, subject.pid);
          expect({ processes, cgroups }).toEqual({ processes: before.processes, cgroups: before.cgroups });
        },
        { timeout: 20_000, interval: 300 },
      );
    },
  );
});
