/** Our own drop-in APIs as targets of a load: the drivers of peers against the real service. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ENDLESS_WALL_MS, type Planned } from "../../bench/load/mixes.ts";
import { runBench } from "../../bench/main.ts";
import { parseResults } from "../../bench/results/schema.ts";
import { API_NAMES, createDoorTarget, doorFlags } from "../../bench/targets/door.ts";
import type { Answer } from "../../bench/targets/target.ts";
import { callOf, loadPrograms, type Program } from "../../workload/mix.ts";
import { startService, type Service } from "../support/service.ts";

const TIMEOUT_MS = 120_000;
const KINDS = ["arith_tiny", "error_name", "stdin_read_ints", "bare_last_expression", "timeout_while_true"];

const programs = KINDS.map((kind) => loadPrograms().find((program) => program.kind === kind) as Program);
const plan = (program: Program): Planned => ({ program, call: callOf(program) });

let service: Service;
beforeAll(async () => {
  service = await startService([...doorFlags(API_NAMES), "--python.slots", "12"]);
}, TIMEOUT_MS);
afterAll(async () => {
  expect(await service.stop()).toBe(0);
});

test.concurrent.each(API_NAMES)(
  `%s answers every program it can be asked for rightly, and ends the endless after ${ENDLESS_WALL_MS} ms`,
  async (api) => {
    const target = createDoorTarget(api, { url: service.url, pid: null, connections: 8 });
    const asked = programs.filter(target.runs);
    expect(asked.map(({ kind }) => kind)).toEqual(expect.arrayContaining(["arith_tiny", "error_name"]));
    const wrong: Program = {
      ...(programs[0] as Program),
      expect: { outcome: "completed", stdout: "other\n" },
    };
    const calls = [...asked, wrong].map(plan);
    const answers: Answer[] = [];
    const send = async (some: readonly Planned[], from: number) =>
      target.send(some, (index, answer) => void (answers[from + index] = answer));
    if (target.batchMax > 1) await send(calls, 0);
    else await Promise.all(calls.map((call, index) => send([call], index)));
    await target.close();
    expect(answers.map(({ complaint }) => complaint)).toEqual([
      ...asked.map(() => null),
      "stdout is not what it must be",
    ]);
    expect(answers[asked.length - 1]?.outcome).toBe("wall_limit");
  },
  TIMEOUT_MS,
);

test(
  "from the command line, at the URL of one that runs",
  async () => {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), "rollcall-bench-test-"));
    try {
      const where = ["--api", "code-judge", "--url", `${service.url}/code-judge`, "--out", directory];
      const load = ["--load", "--mix", "plain", "--arrivals", "closed", "--calls", "8", "--batch", "4"];
      expect(await runBench([...load, ...where], () => undefined)).toBe(0);
      const json = fs.readdirSync(directory).find((name) => name.endsWith(".json")) ?? "";
      const [suite] = parseResults(fs.readFileSync(path.join(directory, json), "utf8"), json).suites;
      expect(suite?.loads[0]).toMatchObject({
        target: "rollcall as code-judge",
        recorded: { answered: 8, wrong: 0, refused: {} },
      });
    } finally {
      fs.rmSync(directory, { recursive: true });
    }
  },
  TIMEOUT_MS,
);
