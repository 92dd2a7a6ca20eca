/** What a call is spared by a look at its source, and that the look errs on the safe side. */
import { describe, expect, it } from "vitest";
import type { RunSpec, SandboxFile } from "../../../src/core/ports.ts";
import { chooseProfile } from "../../../src/engines/container/import-profiles.ts";
import {
  couldLeaveUnfinished,
  couldNoticeRandomState,
  importedNames,
  sourcesOf,
} from "../../../src/engines/container/source-scan.ts";

const spec = (source: string, files: readonly SandboxFile[] = []) =>
  ({ source: Buffer.from(source), files }) as unknown as RunSpec;
const profileOf = (source: string, files?: readonly SandboxFile[]) =>
  chooseProfile(importedNames(sourcesOf(spec(source, files)))).name;

describe("the import profile", () => {
  it.for([
    ["print(1)", "plain"],
    ["queue = [1]\nnumpy = 2", "plain"],
    ["import math, re", "plain"],
    ["from dataclasses import dataclass", "standard"],
    ["import os, subprocess", "standard"],
    ["import numpy as np", "numpy"],
    ["import math, numpy", "numpy"],
    ["def f():\n    from sympy import Symbol\n", "sympy"],
    ["import numpy\nimport sympy.abc", "sympy"],
    ["import pandas as pd", "scientific"],
    ["import sympy\nfrom scipy.optimize import (\n  brentq)", "scientific"],
    ["x = __import__('pandas')", "plain"],
  ] as const)("%s", ([source, profile]) => {
    expect(profileOf(source)).toBe(profile);
  });

  it("looks into the call's own modules, not into its data", () => {
    const file = (path: string) => ({ path, content: Buffer.from("import sympy") });
    expect(profileOf("import helper", [file("helper.py")])).toBe("sympy");
    expect(profileOf("import helper", [file("notes.txt")])).toBe("plain");
  });
});

describe("what a program may do at its end", () => {
  const none = ["print(sum(range(10)))", "import sympy\nprint(sympy.factor('x**2-1'))", "1/0"];
  const some = [
    "f = open('a', 'w')",
    "from pathlib import Path\nf = Path('a').open('w')",
    "class A:\n  def __del__(self): print(1)",
    "import atexit",
    "import threading",
    "from multiprocessing import Pool",
    "import h5py\nf = h5py.File('a', 'w')",
    "exec(input())",
    "import concurrent.futures",
    "import weakref",
    "def g():\n  try:\n    yield 1\n  finally:\n    print(2)",
  ];
  it.for(none)("nothing: %s", (source) => {
    expect(couldLeaveUnfinished(spec(source), source)).toBe(false);
  });
  it.for(some)("something: %s", (source) => {
    expect(couldLeaveUnfinished(spec(source), source)).toBe(true);
  });
});

describe("whether inherited random state could be noticed", () => {
  it.for([
    ["import random", true],
    ["import numpy as np\nnp.random.rand()", true],
    ["from sympy import randprime", true],
    ["exec(input())", true],
    ["print(1)", false],
  ] as const)("%s", ([source, expected]) => {
    expect(couldNoticeRandomState(spec(source), source)).toBe(expected);
  });

  it("by any program with files of its own", () => {
    const call = spec("import helper", [{ path: "helper.bin", content: Buffer.alloc(1) }]);
    expect(couldNoticeRandomState(call, sourcesOf(call))).toBe(true);
    expect(couldLeaveUnfinished(call, sourcesOf(call))).toBe(true);
  });
});
