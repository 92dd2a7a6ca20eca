/** A program finds what it would find under `python3 file.py`. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Call } from "../../../src/contract/call.ts";
import type { Executor } from "../../../src/contract/executor.ts";
import type { Result } from "../../../src/contract/result.ts";
import { createExecutor } from "../../../src/index.ts";

let executor: Executor;
beforeAll(async () => {
  executor = await createExecutor({ runtimes: { javascript: false } });
});
afterAll(() => executor.close());

const run = (source: string, more: Partial<Call> = {}): Promise<Result> =>
  executor.execute({ runtime: "python", source, ...more });

describe("the main module", () => {
  it("is __main__ with its file", async () => {
    const { stdout } = await run(
      "import sys\nprint(__name__, __file__, sys.argv, sys.path[0], __spec__, __doc__)\nif __name__ == '__main__': print('main')",
      { args: ["a", "b c"] },
    );
    expect(stdout).toBe("__main__ /work/main.py ['/work/main.py', 'a', 'b c'] /work None None\nmain\n");
  });

  it("has source that inspect finds, classes that pickle and dataclasses", async () => {
    const { stdout, stderr } = await run(
      [
        "import inspect, pickle",
        "from dataclasses import dataclass",
        "@dataclass",
        "class Point:",
        "    x: int",
        "    y: int = 2",
        "def f(a):",
        "    return a + 1",
        "print(inspect.getsource(f), end='')",
        "print(pickle.loads(pickle.dumps(Point(1))))",
        "import sys; print(sys.modules['__main__'].Point is Point)",
      ].join("\n"),
    );
    expect({ stdout, stderr }).toEqual({
      stdout: "def f(a):\n    return a + 1\nPoint(x=1, y=2)\nTrue\n",
      stderr: "",
    });
  });

  it("takes future imports at its head, and only its own", async () => {
    const { stdout } = await run(
      "from __future__ import annotations\ndef f(a: undefined_name) -> 1: ...\nprint(f.__annotations__)",
    );
    expect(stdout).toBe("{'a': 'undefined_name', 'return': '1'}\n");
    expect((await run("def f(a: undefined_name): ...")).error?.type).toBe("NameError");
  });

  it("imports modules of its own files", async () => {
    const { stdout } = await run("import shapes.square as s\nprint(s.area(3), open('data.txt').read())", {
      files: {
        "shapes/square.py": "def area(a): return a * a\n",
        "data.txt": { content: "w7w=", encoding: "base64" },
      },
    });
    expect(stdout).toBe("9 ü\n");
  });
});

describe("the end of a program", () => {
  it.for([
    ["import sys; sys.exit()", 0, ""],
    ["import sys; sys.exit(7)", 7, ""],
    ["import sys; sys.exit(-1)", 255, ""],
    ["import sys; sys.exit('a message')", 1, "a message\n"],
    ["exit(4)", 4, ""],
    ["import os; os._exit(9)", 9, ""],
    ["raise SystemExit([1, 2])", 1, "[1, 2]\n"],
  ] as const)("%s", async ([source, code, stderr]) => {
    const result = await run(source);
    expect(result).toMatchObject({
      exit_code: code,
      outcome: code === 0 ? "completed" : "failed",
      stderr,
      error: null,
    });
  });

  it("runs exit functions, waits for threads, and writes out files that nobody closed", async () => {
    const { stdout, files } = await run(
      [
        "import atexit, threading, time",
        "class C:",
        "    def __del__(self): print('deleted')",
        "atexit.register(print, 'at exit')",
        "threading.Thread(target=lambda: (time.sleep(0.2), print('thread'))).start()",
        "c = C()",
        "f = open('left-open.txt', 'w'); f.write('kept')",
        "print('end')",
      ].join("\n"),
      { collect: ["left-open.txt"] },
    );
    expect(stdout).toBe("end\nthread\nat exit\ndeleted\n");
    expect(files["left-open.txt"]).toEqual({ content: "kept", encoding: "utf8" });
  });

  it("by Ctrl-C is a signal, as in a shell", async () => {
    expect(await run("raise KeyboardInterrupt")).toMatchObject({
      outcome: "signaled",
      signal: "SIGINT",
      exit_code: null,
    });
  });

  it("with a closed stdout that cannot be written is code 120", async () => {
    const { exit_code } = await run("import os\nprint('lost', end='')\nos.close(1)");
    expect(exit_code).toBe(120);
  });

  it("does not wait for a daemon that outlives its parent", async () => {
    const { stdout, outcome } = await run(
      "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(30)\n    print('late')\nelse:\n    print('done')",
    );
    expect({ stdout, outcome }).toEqual({ stdout: "done\n", outcome: "completed" });
  });
});

describe("tracebacks", () => {
  it("show the program's own lines and no frame of ours", async () => {
    const { stderr, error } = await run("import json\n\ndef f(x):\n    return 1 / x\n\nf(0)\n");
    expect(stderr).toBe(
      'Traceback (most recent call last):\n  File "/work/main.py", line 6, in <module>\n    f(0)\n  File "/work/main.py", line 4, in f\n    return 1 / x\n           ~~^~~\nZeroDivisionError: division by zero\n',
    );
    expect(error).toEqual({ type: "ZeroDivisionError", message: "division by zero", line: 4 });
  });

  it("of a syntax error point at it", async () => {
    const { stderr, error, exit_code } = await run("x = 1\ny = (\n");
    expect(stderr).toBe(
      "  File \"/work/main.py\", line 2\n    y = (\n        ^\nSyntaxError: '(' was never closed\n",
    );
    expect({ error, exit_code }).toEqual({
      error: { type: "SyntaxError", message: "'(' was never closed", line: 2 },
      exit_code: 1,
    });
  });

  it("go through the program's own hook", async () => {
    const { stderr } = await run(
      "import sys\nsys.excepthook = lambda t, e, tb: print('hooked', t.__name__, tb.tb_lineno, file=sys.stderr)\nraise ValueError(1)",
    );
    expect(stderr).toBe("hooked ValueError 3\n");
  });

  it("name exceptions by module, chained ones whole", async () => {
    const { stderr, error } = await run(
      "import decimal\ntry:\n    decimal.Decimal('x')\nexcept decimal.InvalidOperation as e:\n    raise RuntimeError('outer') from e",
    );
    expect(stderr).toContain("The above exception was the direct cause");
    expect(stderr).not.toContain("program.py");
    expect(error).toEqual({ type: "RuntimeError", message: "outer", line: 5 });
  });
});

describe("input", () => {
  it("is what was sent, then the end", async () => {
    const { stdout } = await run(
      "print(input(), input())\ntry: input()\nexcept EOFError as e: print(repr(e))",
      { stdin: "a\nb" },
    );
    expect(stdout).toBe("a b\nEOFError('EOF when reading a line')\n");
  });

  it("can be opened by name and read as bytes, however long", async () => {
    const { stdout } = await run(
      "import sys\nprint(len(sys.stdin.buffer.read()), open('/dev/stdin').read() == '')",
      { stdin: "é".repeat(500_000) },
    );
    expect(stdout).toBe("1000000 False\n");
  });

  it("is empty when none was sent", async () => {
    expect((await run("import sys\nprint(repr(sys.stdin.read()))")).stdout).toBe("''\n");
  });
});

describe("output", () => {
  it("survives when it is not UTF-8", async () => {
    const source = "import sys\nsys.stdout.buffer.write(b'\\xff\\x00ok\\xc3')";
    expect((await run(source)).stdout).toBe("\ufffd\0ok\ufffd");
    expect(Buffer.from((await run(source, { output_encoding: "base64" })).stdout, "base64")).toEqual(
      Buffer.from([0xff, 0, 0x6f, 0x6b, 0xc3]),
    );
  });

  it("is cut in the middle and never in a character", async () => {
    const { stdout, truncated } = await run("print('😀' * 1000)", { limits: { output_bytes: 999 } });
    const match = /^((?:😀)+)\n\[\.\.\. (\d+) bytes left out \.\.\.\]\n((?:😀)+)\n$/u.exec(stdout);
    expect(match).not.toBeNull();
    const kept = Buffer.byteLength(match?.[1] ?? "") + Buffer.byteLength(match?.[3] ?? "") + 1;
    expect(truncated).toEqual({ stdout: 4001 - kept, stderr: 0 });
    expect(match?.[2]).toBe(String(4001 - kept));
  });

  it("that was never flushed is kept when a limit ends the program", async () => {
    const { stdout, outcome } = await run("print('a')\nprint('b')\nwhile True: pass", {
      limits: { wall_ms: 300 },
    });
    expect({ stdout, outcome }).toEqual({ stdout: "a\nb\n", outcome: "wall_limit" });
  });

  it("of a program that floods keeps head and tail", async () => {
    const result = await run("i = 0\nwhile True:\n    print(i); i += 1", { limits: { output_bytes: 4096 } });
    expect(result.outcome).toBe("output_limit");
    expect(result.stdout.startsWith("0\n1\n2\n")).toBe(true);
    expect(result.stdout.length).toBeLessThan(4200);
    expect(result.truncated.stdout).toBeGreaterThan(4096);
  });
});

describe("what programs use of the system", () => {
  it.for([
    [
      "multiprocessing",
      "from multiprocessing import Pool, Queue, Process\ndef sq(n): return n * n\nif __name__ == '__main__':\n    with Pool(2) as p: print(p.map(sq, range(5)))\n    q = Queue(); t = Process(target=q.put, args=(7,)); t.start(); print(q.get()); t.join()",
      "[0, 1, 4, 9, 16]\n7\n",
    ],
    [
      "multiprocessing by spawn",
      "import multiprocessing as m\ndef f(q): q.put(m.current_process().name)\nif __name__ == '__main__':\n    c = m.get_context('spawn'); q = c.Queue(); p = c.Process(target=f, args=(q,), name='spawned'); p.start(); print(q.get()); p.join()",
      "spawned\n",
    ],
    [
      "shared memory",
      "from multiprocessing import shared_memory\ns = shared_memory.SharedMemory(create=True, size=100)\ns.buf[0] = 5\nprint(s.buf[0]); s.close(); s.unlink()",
      "5\n",
    ],
    [
      "subprocess with python3",
      "import subprocess, sys\nprint(subprocess.run(['python3', '-c', 'import numpy, sys; print(numpy.arange(3), sys.argv)'], capture_output=True, text=True).stdout, end='')\nprint(subprocess.run([sys.executable, '-c', 'print(1)'], capture_output=True, text=True).stdout, end='')",
      "[0 1 2] ['-c']\n1\n",
    ],
    [
      "subprocess with a shell",
      "import subprocess\nprint(subprocess.check_output('echo hi | tr a-z A-Z', shell=True).decode(), end='')",
      "HI\n",
    ],
    [
      "threads and executors",
      "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(4) as e: print(list(e.map(str, range(4))))",
      "['0', '1', '2', '3']\n",
    ],
    [
      "temporary files",
      "import tempfile, os\nwith tempfile.NamedTemporaryFile('w+') as f:\n    f.write('x'); f.flush(); print(os.path.dirname(f.name), open(f.name).read())\nopen('/dev/shm/a', 'w').write('y'); print(os.listdir('/dev/shm'))",
      "/tmp x\n['a']\n",
    ],
    [
      "SIGALRM",
      "import signal, time\ndef h(*_): raise TimeoutError('alarm')\nsignal.signal(signal.SIGALRM, h); signal.setitimer(signal.ITIMER_REAL, 0.1)\ntry:\n    while True: time.sleep(0.01)\nexcept TimeoutError as e: print(e)",
      "alarm\n",
    ],
    [
      "asyncio",
      "import asyncio\nasync def f(): await asyncio.sleep(0.01); return 3\nprint(asyncio.run(f()))",
      "3\n",
    ],
    [
      "its environment",
      "import os\nprint(os.environ['GREETING'], os.environ['HOME'], sorted(k for k in os.environ if 'KEY' in k or 'TOKEN' in k))",
      "hello /tmp []\n",
    ],
    [
      "a user of its own",
      "import os, getpass\nprint(os.getuid() >= 1000, os.getcwd(), os.access('/work', os.W_OK), os.access('/usr', os.W_OK))",
      "True /work True False\n",
    ],
  ] as const)("%s", async ([, source, stdout]) => {
    const result = await run(source, { env: { GREETING: "hello" } });
    expect({ stdout: result.stdout, stderr: result.stderr }).toEqual({ stdout, stderr: "" });
  });

  it.for(["numpy", "sympy", "scipy", "pandas", "math_verify", "h5py", "networkx", "tqdm", "gmpy2"])(
    "%s is there",
    async (name) => {
      const { stdout, stderr } = await run(`import ${name}\nprint('ok')`);
      expect({ stdout, stderr }).toEqual({ stdout: "ok\n", stderr: "" });
    },
  );

  it("h5py writes files, BLAS keeps to one thread", async () => {
    const { stdout, stderr } = await run(
      "import h5py, numpy as np, os\nwith h5py.File('a.h5', 'w') as f: f['x'] = np.ones(3)\nprint(h5py.File('a.h5')['x'][:].sum())\nnp.ones((400, 400)) @ np.ones((400, 400))\nprint(len(os.listdir('/proc/self/task')))",
    );
    expect({ stdout, stderr }).toEqual({ stdout: "3.0\n1\n", stderr: "" });
  });

  it("math-verify judges answers", async () => {
    const { stdout, stderr } = await run(
      "from math_verify import parse, verify\nprint(verify(parse('$\\\\frac{1}{2}$'), parse('0.5')), verify(parse('2'), parse('3')))",
    );
    expect({ stdout, stderr }).toEqual({ stdout: "True False\n", stderr: "" });
  });
});

describe("random state", () => {
  const SOURCES = {
    random: "import random\nprint(random.random())",
    numpy: "import numpy as np\nprint(np.random.rand())",
    "ssl and tempfile": "import ssl, tempfile\nprint(ssl.RAND_bytes(8).hex(), tempfile.mkdtemp())",
    uuid: "import uuid\nprint(uuid.uuid4())",
    "a module of its own": "import dice\nprint(dice.roll())",
  };
  it.for(Object.entries(SOURCES))("%s differs between calls", async ([, source]) => {
    const files = source.includes("dice") ? { "dice.py": "from random import random as roll\n" } : {};
    const results = await Promise.all(Array.from({ length: 6 }, () => run(source, { files })));
    expect(results.map(({ stderr }) => stderr)).toEqual(results.map(() => ""));
    expect(new Set(results.map(({ stdout }) => stdout)).size).toBe(results.length);
  });

  it("with a seed repeats, and hashes do not depend on the sandbox", async () => {
    const source =
      "import random\nrandom.seed(1)\nprint(random.random(), hash('abc'), list({'a', 'b', 'c', 'd'}))";
    const results = await Promise.all([run(source), run(source), run(`import sympy\n${source}`)]);
    expect(new Set(results.map(({ stdout }) => stdout)).size).toBe(1);
  });
});

describe("cell mode", () => {
  it.for([
    ["1 + 1", "2", ""],
    ["x = 3\nx", "3", ""],
    ["x = 3", null, ""],
    ["print('a')\n'b'", "'b'", "a\n"],
    ["None", null, ""],
    ["from __future__ import annotations\ndef f(a: b): ...\nf.__annotations__", "{'a': 'b'}", ""],
    ["import sympy\nx = sympy.symbols('x')\nsympy.expand((x + 1)**2)", "x**2 + 2*x + 1", ""],
  ] as const)("%s", async ([source, value, stdout]) => {
    const result = await run(source, { mode: "cell" });
    expect(result).toMatchObject({ value, stdout, outcome: "completed" });
  });

  it("a last expression that raises runs once", async () => {
    const { stdout, stderr, error } = await run("def f():\n    print('once')\n    return 1 / 0\nf()", {
      mode: "cell",
    });
    expect({ stdout, error }).toEqual({
      stdout: "once\n",
      error: { type: "ZeroDivisionError", message: "division by zero", line: 3 },
    });
    expect(stderr).not.toContain("program.py");
  });

  it("shows nothing in script mode", async () => {
    expect((await run("1 + 1")).value).toBeNull();
  });
});

describe("collected files", () => {
  it("come back as text or base64, and what cannot be read says why", async () => {
    const source = [
      "import os",
      "os.makedirs('out/deep')",
      "open('out/deep/a.txt', 'w').write('ü')",
      "open('b.bin', 'wb').write(bytes([255, 0]))",
      "os.symlink('/etc/passwd', 'link')",
      "os.symlink('out', 'dirlink')",
      "os.mkfifo('pipe')",
    ].join("\n");
    const { files } = await run(source, {
      collect: ["out/deep/a.txt", "b.bin", "link", "dirlink/deep/a.txt", "pipe", "out", "none", "__proto__"],
    });
    expect(files).toEqual(
      Object.fromEntries([
        ["out/deep/a.txt", { content: "ü", encoding: "utf8" }],
        ["b.bin", { content: "/wA=", encoding: "base64" }],
        ["link", { error: "not_a_regular_file" }],
        ["dirlink/deep/a.txt", { error: "not_a_regular_file" }],
        ["pipe", { error: "not_a_regular_file" }],
        ["out", { error: "not_a_regular_file" }],
        ["none", { error: "not_found" }],
        ["__proto__", { error: "not_found" }],
      ]),
    );
  });

  it("come back from a program that met a limit", async () => {
    const { outcome, files } = await run("open('a', 'w').write('kept')\nwhile True: pass", {
      limits: { wall_ms: 1500 },
      collect: ["a"],
    });
    expect({ outcome, files }).toEqual({
      outcome: "wall_limit",
      files: { a: { content: "kept", encoding: "utf8" } },
    });
  });
});

describe("usage and limits", () => {
  it("is measured by the kernel", async () => {
    const { usage } = await run(
      "import os, time\nx = bytearray(50 << 20)\nfor _ in range(3):\n    if os.fork() == 0: os._exit(0)\nt = time.process_time()\nwhile time.process_time() - t < 0.2: pass",
    );
    expect(usage.memory_peak_bytes).toBeGreaterThan(50 << 20);
    expect(usage.memory_peak_bytes).toBeLessThan(80 << 20);
    expect(usage.processes).toBe(4);
    expect(usage.cpu_ms).toBeGreaterThan(200);
  });

  it("does not charge the wait for a slot to the program", async () => {
    const limits = { wall_ms: 3000 };
    const slots = (await executor.describe()).engines[0]?.slots ?? 0;
    const results = await Promise.all(
      // The last in each slot's line waits for longer than it may run.
      Array.from({ length: 13 * slots }, () => run("import time\ntime.sleep(0.3)\nprint('ok')", { limits })),
    );
    expect(results.map(({ outcome }) => outcome)).toEqual(results.map(() => "completed"));
    expect(Math.max(...results.map(({ timing }) => timing.queued_ms))).toBeGreaterThan(limits.wall_ms);
  });

  it("changes with each call on the same slot", async () => {
    const source = "import os\nprint(os.statvfs('/tmp').f_blocks * os.statvfs('/tmp').f_frsize >> 20)";
    for (const mib of [1, 200, 64])
      expect((await run(source, { limits: { disk_bytes: mib << 20 } })).stdout).toBe(`${mib}\n`);
  });
});
