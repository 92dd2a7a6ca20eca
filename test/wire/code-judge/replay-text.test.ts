/** What is told from the text of a program alone: whether it is a replay, of what, and whether its cells could tell a fork. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Session } from "../../../src/contract/session.ts";
import { cannotTellFork, readyImports } from "../../../src/wire/code-judge-cells.ts";
import { Prefixes } from "../../../src/wire/code-judge-prefixes.ts";
import { historyKeys, knownPreludes, recogniseReplay } from "../../../src/wire/code-judge-replay.ts";
import { notebook, PRELUDE_HASH } from "../../../bench/load/notebook.ts";

const preludes = knownPreludes(PRELUDE_HASH);
const source = fc.string({ unit: "grapheme", maxLength: 40 });

describe("a replay", () => {
  test("is known whatever its cells are, and nothing of its text is lost", () => {
    fc.assert(
      fc.property(fc.array(source, { maxLength: 5 }), source, (history, cell) => {
        const program = notebook(history, cell);
        const replay = recogniseReplay(program, preludes);
        expect(replay?.cells).toEqual([...history, cell]);
        expect(replay?.pieces.join("")).toBe(program);
      }),
    );
  });

  test("is none with another character outside its cells", () => {
    const program = notebook(["x = 1"], "x");
    const encoded = [...program.matchAll(/"([^"]+)"\.encode/g)].map(
      ({ index, 1: text }) => [index + 1, index + 1 + (text as string).length] as const,
    );
    fc.assert(
      fc.property(fc.nat(program.length - 1), fc.constantFrom("", "\n", " ", "x", '"'), (at, other) => {
        fc.pre(program[at] !== other && !encoded.some(([from, to]) => at >= from && at < to));
        expect(recogniseReplay(program.slice(0, at) + other + program.slice(at + 1), preludes)).toBeNull();
      }),
    );
  });

  test.each([
    ["another prelude", notebook(["1"], "2", "import base64\n")],
    ["no cell", notebook([], "").split("\ncode_to")[0] as string],
    ["two shown cells", notebook([], "1") + notebook([], "2").slice(notebook([], "2").indexOf("\ncode_to"))],
    ["no shown cell", notebook([], "1").replace("code=False", "code=True")],
    ["base64 without its end", notebook([], "1").replace("MQ==", "MQ")],
    ["a cell that is no UTF-8", notebook([], "1").replace("MQ==", "/w==")],
  ])("is none: %s", (_, program) => expect(recogniseReplay(program, preludes)).toBeNull());

  test("has the same keys muted or shown, and others for another history, tenant or interpreter", () => {
    const keysOf = (history: string[], cell: string, tenant = "a", imports: string[] = []) => {
      const replay = recogniseReplay(notebook(history, cell), preludes);
      return historyKeys(replay as NonNullable<typeof replay>, tenant, imports);
    };
    const keys = keysOf(["1", "2"], "3");
    expect(keys).toHaveLength(4);
    expect(keysOf(["1", "2", "3"], "4").slice(0, 4)).toEqual(keys);
    const others = [
      keysOf(["12"], "3"),
      keysOf(["1", "2"], "3", "b"),
      keysOf(["1", "2"], "3", "a", ["numpy"]),
    ];
    for (const other of others)
      expect(new Set([...other.slice(1), ...keys.slice(1)]).size).toBe(other.length + 2);
  });
});

describe("cells", () => {
  test.each([
    [["import math\nmath.sqrt(2)"]],
    [["from sympy import *\nx = symbols('x')", "solve(x**2 - 2)"]],
    [["import numpy as np, itertools # both\nnp.arange(3)"]],
    [["# now look at the time: os, sys\nx = 1  # open question"]],
    [["import sys\nsys.setrecursionlimit(10 ** 6)"]],
    [["import random\nrandom.seed(1)\nrandom.random()", "random.choice([1, 2])"]],
    [["import numpy as np\nrng = np.random.default_rng(3)"]],
    [["class A:\n    def __init__(self): self.speed = 1", "def gen():\n    yield 1"]],
    [["not ( Python"]],
  ])("that cannot tell: %j", (cells) => expect(cannotTellFork(cells)).toBe(true));

  test.each([
    [["import os"]],
    [["import math, os"]],
    [["from math import sqrt; import os"]],
    [["import sys as s"]],
    [["import math; __import__('os')"]],
    [["x = '''\n# '''; import os"]],
    [["x = 1 #\rimport os"]],
    [["import numpy as np\nnp.random.rand()"]],
    [["import random\nrandom.random()"]],
    [["import random\nif x:\n    random.seed(1)\nrandom.random()"]],
    [["import random\nrandom.seed()\nrandom.random()"]],
    [["import random\nrandom.seed(1)", "import numpy as np\nnp.random.rand()"]],
    [["import random\nx = 1 / 0\nrandom.seed(1)", "random.random()"]],
    [["from random import random\nrandom()"]],
    [["import scipy"]],
    [["np.lib.npyio.DataSource"]],
    [["().__class__.__subclasses__()"]],
    [["eval('1')"]],
    [["class A:\n    def __del__(self): print('gone')"]],
    [["math.time"]],
    [["ｅｖａｌ('1')"]],
  ])("that could: %j", (cells) => expect(cannotTellFork(cells)).toBe(false));

  test("the interpreter that they begin with is told by what they import", () => {
    expect(readyImports(["import sympy as sp, math", "from numpy.linalg import det", "import csv"])).toEqual([
      "numpy",
      "sympy",
    ]);
  });
});

test("programs that wait: never more than may, in number and memory, the one used longest ago goes first, closed once", () => {
  const action = fc.record({
    key: fc.constantFrom("a", "b", "c", "d"),
    bytes: fc.nat(6),
    find: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 30 }), (actions) => {
      const prefixes = new Prefixes({ sessionsMax: 3, memoryBytes: 10, idleMs: 60_000 });
      const closed: string[] = [];
      let model: { key: string; bytes: number; id: string }[] = [];
      for (const [index, { key, bytes, find }] of actions.entries()) {
        const known = model.find((one) => one.key === key);
        if (find) {
          expect(prefixes.find(key)?.session.id ?? null).toBe(known?.id ?? null);
          if (known !== undefined) model = [...model.filter((one) => one !== known), known];
          continue;
        }
        const id = String(index);
        const layers = new Map([
          ["shared", 2],
          [id, bytes],
        ]);
        const session = { id, close: () => Promise.resolve(closed.push(id)) } as unknown as Session;
        prefixes.keep(key, { session, cells: 1, wallMs: 1, cpuMs: 1, memoryBytes: bytes + 2, layers });
        model = [...model.filter((one) => one.key !== key), { key, bytes, id }];
        while (model.length > 3 || model.reduce((sum, one) => sum + one.bytes, 2) > 10) model.shift();
      }
      const made = actions.flatMap(({ find }, index) => (find ? [] : [String(index)]));
      const open = new Set(model.map(({ id }) => id));
      expect(closed.toSorted()).toEqual(made.filter((id) => !open.has(id)).toSorted());
      for (const { key } of model) prefixes.drop(key);
    }),
  );
});
