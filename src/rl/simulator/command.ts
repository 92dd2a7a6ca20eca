/** `rollcall simulate`: every way to spread rollouts over engines, on the same rollouts, in virtual time. */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { POLICIES, type PolicyName } from "./policies.ts";
import { simulationPage, simulationTable, type Cell } from "./report.ts";
import { SETTINGS, SIMULATION, simulate } from "./simulate.ts";

const HELP = `Usage: rollcall simulate [--seeds 3] [--out scheduler.html]

  --seeds N   workloads drawn; each policy is given all of them (default 3)
  --out FILE  a page with the results (default scheduler.html)
`;

const SEEDS_MAX = 100;

export async function runSimulate(argv: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      seeds: { type: "string", default: "3" },
      out: { type: "string", default: "scheduler.html" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const seeds = Number(values.seeds);
  if (!Number.isInteger(seeds) || seeds < 1 || seeds > SEEDS_MAX)
    throw new Error(`--seeds is a whole number from 1 to ${SEEDS_MAX}, not ${values.seeds}`);

  const cells: Cell[] = [];
  for (const setting of SETTINGS) {
    for (const policy of Object.keys(POLICIES) as PolicyName[]) {
      const runs = [];
      for (let seed = 1; seed <= seeds; seed += 1) runs.push(await simulate(policy, setting, seed));
      cells.push({ setting, policy, runs });
    }
    process.stdout.write(`${simulationTable(cells.filter((cell) => cell.setting === setting))}\n`);
  }
  const { engines, steps, shape } = SIMULATION;
  const told = `${engines} engines; ${steps} steps of ${shape.groups * shape.groupSize} rollouts of at most ${shape.responseMax} tokens; ${seeds} seeds. Lines across bars: least and most of a seed.`;
  writeFileSync(values.out, simulationPage(cells, told));
  process.stdout.write(`${told}\nWritten: ${values.out}\n`);
  return 0;
}
