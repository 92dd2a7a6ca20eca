/**
 * A service that recognises replays against one that runs each as it came: whatever the notebook, both say the same.
 * Every program is kept, however little it took, so that nothing is equal for not having been tried.
 */
import * as fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ask } from "../../support/ask.ts";
import { type Service, startService } from "../../support/service.ts";
import { notebook, PRELUDE_HASH } from "../../../bench/load/notebook.ts";

const FLAGS = [
  ["wire", "code-judge"],
  ["wire.code-judge.wallMs", "2000"],
  ["wire.code-judge.replay.preludes", PRELUDE_HASH],
  ["wire.code-judge.replay.cpuMs", "0"],
  ...["javascript", "node", "bash", "cpp"].map((runtime) => [`runtimes.${runtime}`, "false"]),
];

async function start(...more: string[][]): Promise<Service> {
  return startService([...FLAGS, ...more].flatMap(([name, value]) => [`--${name}`, value as string]));
}

let recognising: Service;
let plain: Service;
beforeAll(async () => {
  [recognising, plain] = await Promise.all([start(), start(["wire.code-judge.replay.enabled", "false"])]);
});
afterAll(() => Promise.all([recognising.stop(), plain.stop()]));

/** What a client branches on or shows; time and names are each service's own. */
async function answers({ url }: Service, programs: readonly string[]) {
  const submissions = programs.map((solution) => ({ type: "python", solution, input: null }));
  const { status, json } = await ask(`${url}/run/long-batch`, { body: { type: "batch", submissions } });
  expect(status).toBe(200);
  return (json.results as Record<string, unknown>[]).map(({ sub_id: _id, cost: _cost, ...rest }) => rest);
}

async function ends(): Promise<Record<string, number>> {
  const text = await (await fetch(`${recognising.url}/metrics`)).text();
  const counts = text.matchAll(/^rollcall_replays_total\{end="(\w+)"\} (\d+)$/gm);
  return Object.fromEntries([...counts].map(([, end, count]) => [end, Number(count)]));
}

/** The programs of a notebook, one for each cell. */
const programsOf = (cells: readonly string[]) =>
  cells.map((cell, index) => notebook(cells.slice(0, index), cell));

const STATE = [
  "try:\n    x += 1\nexcept NameError:\n    x = 0\nx",
  "y = [x] * 3\ny",
  "y.append(len(y)); y",
  "def f(n):\n    return n / (n - 1)",
  "[f(n) for n in range(2, 5)]",
  "print('before', end=' '); f(1)",
  "class P:\n    def __init__(self, n): self.n = n\n    def __repr__(self): return f'P({self.n})'\np = P(3); p",
  "p.n += 1\np",
  "from dataclasses import dataclass\n@dataclass\nclass D:\n    a: int = 1\nD()",
  "def count():\n    n = 0\n    while True:\n        n += 1\n        yield n\nit = count()",
  "next(it), next(it)",
  "z = []",
  "z.append(1) or 1 / len(z[1:])",
  "z",
  "del z",
  "import itertools, math\nit2 = itertools.accumulate([1, 2, 3])\nmath.factorial(20)",
  "from decimal import Decimal, getcontext\ngetcontext().prec = 5\nDecimal(1) / 3",
  "{w: hash(w) for w in ('a', 'b')}, {'p', 'q', 'r'}",
  "[__name__, [k for k in dir() if not k.startswith('_')]]",
  "import numpy as np\na = np.arange(12).reshape(3, 4)\na @ a.T",
  "np.set_printoptions(precision=2)\na / 7",
  "import sympy as sp\nt = sp.symbols('t')\nq = sp.expand((t + 1) ** 3); q",
  "sp.pprint(sp.factor(q))",
  "import warnings\nwarnings.warn('careful')",
];
const ENDS = [
  "raise KeyError('gone')",
  "raise SystemExit(3)",
  "class Stop(BaseException): pass\nprint('stopping', end='')\nraise Stop('here')",
  "def (:",
  "%time x",
  "input()",
  "def depth(n):\n    try:\n        return depth(n + 1)\n    except RecursionError:\n        return n\ndepth(0)",
  "import sys\nsys.setrecursionlimit(2000)",
];
/** What looks beyond its own memory; the last shows what is below it on the stack. */
const REACHING = [
  "import os\nos.chdir('/tmp'); os.getcwd()",
  "open('f', 'a').write('x'); open('f').read()",
  "import os\nsorted(os.listdir('/work'))",
  "import sys\nprint('aside', file=sys.stderr)",
  "import sys\nsys.exit(2)",
  "import sys\nout = sys.stdout",
  "out.write('late')",
  "import atexit\natexit.register(print, 'bye')",
  "import threading\nthreading.Thread(target=print, args=('thread',)).start()",
  "import subprocess\nsubprocess.run(['echo', 'child'])",
  "import sys\nsys.stdin.read()",
  "import sys\nlen(sys.argv), sys.flags.optimize",
  "import traceback\ntraceback.print_stack()",
];
const SEEDS = [
  "import random\nrandom.seed(7)",
  "import random\nimport numpy as np\nrandom.seed(7)\nnp.random.seed(8)",
];
const DRAWS = [
  "import random\nrandom.random()",
  "random.sample(range(50), 3)",
  "r = random.Random(5)\nr.random()",
];

const cell = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom(...STATE) },
  { weight: 2, arbitrary: fc.constantFrom(...ENDS) },
  { weight: 1, arbitrary: fc.constantFrom(...REACHING) },
);
const cells = fc.oneof(
  { weight: 4, arbitrary: fc.array(cell, { minLength: 3, maxLength: 8 }) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(
        fc.constantFrom(...SEEDS),
        fc.array(fc.oneof(fc.constantFrom(...DRAWS), fc.constantFrom(...STATE)), {
          minLength: 2,
          maxLength: 6,
        }),
      )
      .map(([seed, rest]) => [seed, ...rest]),
  },
);

test("random notebooks are answered as their replays are, cell by cell", async () => {
  await fc.assert(
    fc.asyncProperty(cells, async (sources) => {
      const programs = programsOf(sources);
      const expected = await answers(plain, programs);
      for (const [index, program] of programs.entries())
        expect((await answers(recognising, [program]))[0]).toEqual(expected[index]);
    }),
    { numRuns: 25, endOnFailure: true },
  );
  const counts = await ends();
  expect(counts["hit"]).toBeGreaterThan(0);
  expect(counts["kept"]).toBeGreaterThan(0);
}, 120_000);

test("a notebook whose programs come at once, and again, is answered the same", async () => {
  const programs = programsOf([...STATE.slice(0, 12), "raise KeyError(x)", "x, y, it"].slice(0, 13));
  const expected = await answers(plain, programs);
  expect(await answers(recognising, programs)).toEqual(expected);
  expect(await answers(recognising, programs)).toEqual(expected);
});

describe("hard cases", () => {
  let before: Record<string, number>;
  beforeEach(async () => {
    before = await ends();
  });

  /** What became of the replays since, by name. */
  async function since(): Promise<string[]> {
    const after = await ends();
    return Object.keys(after).filter((end) => after[end] !== (before[end] ?? 0));
  }

  const MEMORY = "block = bytearray(200 << 20)\nblock[::4096] = b'x' * (len(block) // 4096)";
  test.each([
    ["the end of the time limit", ["n = 1"], "print('start', n)\nwhile True: pass", "kept"],
    ["an earlier cell that never ends", ["m = 1\nwhile True: pass"], "1", "undone"],
    [
      "an earlier cell that ends the program",
      ["print('no')", "raise SystemExit(5)"],
      "print('never')",
      "undone",
    ],
    [
      "earlier and new memory above the limit",
      [MEMORY],
      MEMORY.replace("200", "400").replace("block", "b"),
      "undone",
    ],
    ["an exception that is no Exception", ["class Stop(BaseException): pass"], "raise Stop(1)", "kept"],
    ["an import that cannot be", ["import no_such_module_1"], "1", "unfit"],
    ["a clock", ["import time\nbegun = time.time()"], "time.time() - begun < 1", "unfit"],
    ["a name that is put together", ["f = getattr(print, '__sel' + 'f__')"], "f is not None", "unfit"],
    ["a name in other letters", ["ｏｐｅｎ('f', 'w').write('1')"], "1", "unfit"],
    ["a comment that is a text", ["s = '''\n#'''; import os; os.chdir('/tmp')"], "s", "unfit"],
    ["what is written past the streams", ["import os\nos.write(1, b'past ')"], "1", "unfit"],
    ["files of earlier cells", ["open('a', 'w').write('1')"], "import os\nos.listdir()", "unfit"],
  ])(
    "%s",
    async (_, history, source, end) => {
      const program = notebook(history, source);
      const [expected] = await answers(plain, [program]);
      expect((await answers(recognising, [program]))[0]).toEqual(expected);
      expect(await since()).toEqual([end]);
      expect((await answers(recognising, [program]))[0]).toEqual(expected);
    },
    60_000,
  );

  test("random numbers without a seed are drawn anew each time", async () => {
    const program = notebook(["import random\nfirst = random.random()"], "first, random.random()");
    const [one, other] = await answers(recognising, [program, program]);
    expect(one).not.toEqual(other);
    expect(await since()).toEqual(["unfit"]);
  });

  test("a program with another prelude, or with input, is run as it came", async () => {
    const program = notebook(["x = 1"], "print(x)");
    expect(await answers(recognising, [program.replace("class Cells", "class  Cells")])).toMatchObject([
      { stdout: "1\n" },
    ]);
    const submission = { type: "python", solution: notebook(["x = 1"], "print(input())"), input: "in\n" };
    const { json } = await ask(`${recognising.url}/run`, { body: submission });
    expect(json.stdout).toBe("in\n");
    expect(await since()).toEqual([]);
  });

  test("what waits is no session of the client's", async () => {
    await answers(recognising, [notebook(["kept = 1"], "kept")]);
    expect(await since()).toEqual(["kept"]);
    expect((await ask(`${recognising.url}/v1/sessions`)).json.sessions).toEqual([]);
  });
});
