/** A notebook of ten cells as rStar2's client sends it, each cell with a replay of those before: replayed, and recognised. */
import { notebook, PRELUDE_HASH } from "../load/notebook.ts";
import { readContainersCpuMs } from "../machine/cgroup-cpu.ts";
import { readTree } from "../machine/cpu.ts";
import type { Service } from "../machine/service.ts";
import { measured, type Measure } from "../results/schema.ts";
import { sum, type Session, type Suite } from "./suite.ts";

/** Between two cells, so that CPU time after an answer is counted to it. A model takes longer. */
const PAUSE_MS = 150;
const FLAGS = ["--wire", "code-judge", "--wire.code-judge.replay.preludes", PRELUDE_HASH];

/** @param round makes the notebook another one, of which no service has anything */
const cellsOf = (round: number): readonly string[] => [
  `import sympy as sp\nx, y = sp.symbols('x y')\nn = ${round}`,
  "p = sp.expand((x + y + 1) ** 12)\nlen(p.args)",
  "sp.factor(p)",
  "sp.integrate(sp.sin(x) ** 3 * sp.exp(x), x)",
  "sp.solve([x ** 2 + y ** 2 - 25, x - y - 1], [x, y])",
  "def is_prime(k):\n    return k > 1 and all(k % d for d in range(2, int(k ** 0.5) + 1))\nprimes = [k for k in range(20000) if is_prime(k)]\nlen(primes)",
  "total = sum(primes)\ntotal / 0",
  "sp.Matrix([[2, 1, 0], [1, 3, 1], [0, 1, 4]]).charpoly(x)",
  "sp.series(sp.tan(x), x, 0, 9)",
  "print(total, n)\nsp.simplify(sp.sin(x) ** 2 + sp.cos(x) ** 2)",
];

interface Cell {
  readonly latencyMs: number;
  readonly cpuMs: number;
  /** What a client sees of it but its time. */
  readonly shown: string;
}

const cpuMs = ({ pid }: Service): number => readTree(pid).ownMs + (readContainersCpuMs(pid) ?? 0);

async function runCell(service: Service, solution: string): Promise<Cell> {
  const before = cpuMs(service);
  const startedAt = performance.now();
  const answer = await fetch(`${service.url}/run`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ type: "python", solution }),
  });
  const { stdout, stderr, reason } = (await answer.json()) as Record<string, unknown>;
  const latencyMs = performance.now() - startedAt;
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  return {
    latencyMs,
    cpuMs: cpuMs(service) - before,
    shown: JSON.stringify([answer.status, stdout, stderr, reason]),
  };
}

async function runNotebook(service: Service, round: number): Promise<Cell[]> {
  const cells = cellsOf(round);
  const ran: Cell[] = [];
  for (const [index, cell] of cells.entries())
    ran.push(await runCell(service, notebook(cells.slice(0, index), cell)));
  return ran;
}

const WAYS = ["replayed", "recognised"] as const;

function measuresOf(way: (typeof WAYS)[number], rounds: readonly (readonly Cell[])[]): Measure[] {
  const of = (id: string, label: string, pick: (cell: Cell) => number) => {
    const shared = { unit: "ms", better: "lower" } as const;
    return [
      measured(
        { id: `${way}.${id}`, label: `${way}: ${label} of the notebook`, ...shared },
        ...rounds.map((cells) => sum(cells.map(pick))),
      ),
      ...cellsOf(0).map((_, index) =>
        measured(
          { id: `${way}.${id}.${index + 1}`, label: `  cell ${index + 1}`, ...shared },
          ...rounds.map((cells) => pick(cells[index] as Cell)),
        ),
      ),
    ];
  };
  return [
    ...of("latency", "latency", ({ latencyMs }) => latencyMs),
    ...of("cpu", "CPU time", (cell) => cell.cpuMs),
  ];
}

async function compare(session: Session): Promise<Measure[]> {
  const services = {
    replayed: await session.startService({ args: [...FLAGS, "--wire.code-judge.replay.enabled", "false"] }),
    recognised: await session.startService({ args: FLAGS }),
  };
  const rounds: Record<(typeof WAYS)[number], Cell[][]> = { replayed: [], recognised: [] };
  // The first is to warm both up.
  for (let round = 0; round <= session.size(5, 1); round += 1) {
    for (const way of WAYS) {
      const cells = await runNotebook(services[way], round);
      if (round > 0) rounds[way].push(cells);
    }
  }
  const shown = (cells: readonly (readonly Cell[])[]) => cells.flat().map((cell) => cell.shown);
  const [replayed, recognised] = [shown(rounds.replayed), shown(rounds.recognised)];
  const other = replayed.filter((one, index) => one !== recognised[index]).length;
  return [
    ...WAYS.flatMap((way) => measuresOf(way, rounds[way])),
    measured(
      { id: "other", label: "answers that differ", unit: "cells", better: "lower", target: 0, isExact: true },
      other,
    ),
  ];
}

export const replay: Suite = {
  name: "replay",
  title: "A notebook whose every cell comes with those before",
  run: async (session) => ({ measures: await compare(session) }),
};
