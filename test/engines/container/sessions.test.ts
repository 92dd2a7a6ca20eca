/** A session's cells find what an interactive interpreter's would; a fork finds what its parent had and shares nothing that it changes. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Executor } from "../../../src/contract/executor.ts";
import type { Result } from "../../../src/contract/result.ts";
import type { Session, SessionCall, SessionSpec } from "../../../src/contract/session.ts";
import { createExecutor } from "../../../src/index.ts";

let executor: Executor;
beforeAll(async () => {
  executor = await createExecutor({ runtimes: { javascript: false, node: false, bash: false, cpp: false } });
});
afterAll(() => executor.close());

const MiB = 1 << 20;

async function open(spec: Partial<SessionSpec> = {}): Promise<Session> {
  return executor.openSession({ runtime: "python", ...spec });
}

const run = (session: Session, source: string, more: Partial<SessionCall> = {}): Promise<Result> =>
  session.execute({ source, ...more });

const valueOf = async (session: Session, source: string): Promise<string | null> => {
  const { value, stderr } = await run(session, source);
  expect(stderr).toBe("");
  return value;
};

async function forkOf(session: Session, reseed = true): Promise<Session> {
  return (await session.fork({ reseed }))[0] as Session;
}

describe("cells", () => {
  it("show the last expression; functions, classes, imports and future flags stay", async () => {
    const session = await open({ env: { GREETING: "hello" } });
    expect(
      (await run(session, "import math, os\ndef area(r): return math.pi * r * r\nclass A: pass")).value,
    ).toBe(null);
    expect(await valueOf(session, "round(area(2), 3), os.environ['GREETING'], __name__")).toBe(
      "(12.566, 'hello', '__main__')",
    );
    await run(session, "from __future__ import annotations");
    expect(await valueOf(session, "def g(a: nowhere): ...\ng.__annotations__")).toBe("{'a': 'nowhere'}");
    expect(await run(session, "1 + 1", { mode: "script" })).toMatchObject({
      value: null,
      outcome: "completed",
    });
    expect(await valueOf(session, "import pickle; type(pickle.loads(pickle.dumps(A()))).__name__")).toBe(
      "'A'",
    );
    await session.close();
  });

  it("have tracebacks with the lines of the cell that they were defined in", async () => {
    const session = await open();
    await run(session, "def f(n):\n    # a comment\n    return 1 / n");
    await run(session, "x = 0");
    const { stderr, error, exit_code } = await run(session, "print('a')\nf(x)");
    expect(stderr).toBe(
      'Traceback (most recent call last):\n  File "<cell 3>", line 2, in <module>\n    f(x)\n  File "<cell 1>", line 3, in f\n    return 1 / n\n           ~~^~~\nZeroDivisionError: division by zero\n',
    );
    expect({ error, exit_code }).toEqual({
      error: { type: "ZeroDivisionError", message: "division by zero", line: 2 },
      exit_code: 1,
    });
    expect((await run(session, "y = (")).error).toEqual({
      type: "SyntaxError",
      message: "'(' was never closed",
      line: 1,
    });
    expect(await valueOf(session, "import inspect; inspect.getsource(f)")).toBe(
      "'def f(n):\\n    # a comment\\n    return 1 / n\\n'",
    );
    await session.close();
  });

  it("end by SystemExit as programs do, and the session goes on", async () => {
    const session = await open();
    await run(session, "x = 7");
    expect(await run(session, "exit()")).toMatchObject({ outcome: "completed", exit_code: 0 });
    expect(await run(session, "import sys; sys.exit(3)")).toMatchObject({
      outcome: "failed",
      exit_code: 3,
      error: null,
      session: { state: "kept" },
    });
    expect(await run(session, "sys.exit('a message')")).toMatchObject({
      exit_code: 1,
      stderr: "a message\n",
    });
    expect(await valueOf(session, "x")).toBe("7");
    await session.close();
  });

  it("read their own standard input, and print where they should whatever was closed", async () => {
    const session = await open();
    expect(await run(session, "input()", { stdin: "a\nb" })).toMatchObject({ value: "'a'" });
    expect(await run(session, "input()", { stdin: "c" })).toMatchObject({ value: "'c'" });
    expect((await run(session, "input()")).error?.type).toBe("EOFError");
    await run(session, "import os, sys\nsys.stdout.close()\nos.close(2)\nos.closerange(3, 1000)");
    expect(await run(session, "print('out'); print('err', file=sys.stderr)")).toMatchObject({
      stdout: "out\n",
      stderr: "err\n",
    });
    await session.close();
  });

  it("are bounded each for itself: time, CPU time, output", async () => {
    const session = await open({ limits: { output_bytes: 1000 } });
    expect(
      await run(session, "while True: pass", { limits: { wall_ms: 20_000, cpu_ms: 200 } }),
    ).toMatchObject({
      outcome: "cpu_limit",
      exit_code: null,
      signal: null,
      session: { state: "kept" },
    });
    expect((await run(session, "while True: print('x' * 1000)")).outcome).toBe("output_limit");
    expect((await run(session, "print('x' * 2000)", { limits: { output_bytes: 5000 } })).stdout.length).toBe(
      2001,
    );
    expect((await run(session, "print('x' * 3000)")).outcome).toBe("output_limit");
    await session.close();
  });

  it("run nothing between calls: what they left running is stopped, and goes on with the next", async () => {
    const session = await open();
    await run(
      session,
      "import threading, time\nn = 0\ndef count():\n    global n\n    while True:\n        n += 1\n        time.sleep(0.001)\nthreading.Thread(target=count, daemon=True).start()",
    );
    const before = Number(await valueOf(session, "n"));
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(Number(await valueOf(session, "n")) - before).toBeLessThan(300);
    await session.close();
  });
});

describe("a session as a whole", () => {
  it("is bounded in memory, which it is lost for", async () => {
    const session = await open({ limits: { memory_bytes: 96 * MiB } });
    await run(session, "kept = bytearray(60 << 20)");
    const over = await run(session, "more = bytearray(60 << 20)");
    expect(over).toMatchObject({ outcome: "memory_limit", signal: "SIGKILL", session: { state: "lost" } });
    expect((await session.describe()).detail).toContain("memory_limit");
    await session.close();
  });

  it("is bounded in files and processes, which it goes on after", async () => {
    const session = await open({ limits: { disk_bytes: 2 * MiB, processes: 4 } });
    expect(await run(session, "open('big', 'wb').write(bytes(4 << 20))")).toMatchObject({
      outcome: "disk_limit",
      session: { state: "kept" },
    });
    expect(
      await run(
        session,
        "import os, time\nfor _ in range(9):\n    if os.fork() == 0: time.sleep(60); os._exit(0)",
      ),
    ).toMatchObject({ outcome: "process_limit", session: { state: "kept" } });
    expect(await valueOf(session, "1 + 1")).toBe("2");
    await session.close();
  });

  it("is lost when an interrupt cannot reach the program", async () => {
    const session = await open();
    const deaf =
      "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nprint('a')\ntime.sleep(60)";
    expect(await run(session, deaf, { limits: { wall_ms: 1500 } })).toMatchObject({
      outcome: "wall_limit",
      signal: "SIGKILL",
      stdout: "a\n",
      session: { state: "lost" },
    });
    await session.close();
  });
});

describe("a fork", () => {
  it("has variables, modules, working directory and files of then; what comes later is each one's own", async () => {
    const session = await open();
    await run(
      session,
      "import os\nx = [1]\nos.makedirs('deep/er')\nopen('a.txt', 'w').write('A')\nopen('/tmp/t', 'w').write('T')\nos.symlink('/work/a.txt', 'link')\nos.chmod('a.txt', 0o640)\nos.chdir('deep')",
    );
    const fork = await forkOf(session);
    await run(
      fork,
      "x.append(2)\nopen('/work/a.txt', 'w').write('changed')\nopen('/tmp/t', 'a').write('+')\nos.mkdir('new')",
    );
    const seen =
      "x, os.getcwd(), sorted(os.listdir('.')), open('../link').read(), open('/tmp/t').read(), oct(os.stat('/work/a.txt').st_mode)";
    expect(await valueOf(fork, seen)).toBe(
      "([1, 2], '/work/deep', ['er', 'new'], 'changed', 'T+', '0o100640')",
    );
    expect(await valueOf(session, seen)).toBe("([1], '/work/deep', ['er'], 'A', 'T', '0o100640')");
    await Promise.all([session.close(), fork.close()]);
  });

  it("goes on with files that were open, each with its own", async () => {
    const session = await open();
    await run(
      session,
      "import tempfile\nlog = open('log', 'w')\nlog.write('before,')\nnames = open('names', 'w+')\nnames.write('a b c')\nnames.seek(2)\nhidden = tempfile.TemporaryFile('w+')\nhidden.write('h')\nhidden.flush()",
    );
    const fork = await forkOf(session);
    await run(fork, "log.write('fork'); log.flush(); hidden.write('f'); hidden.seek(0)");
    await run(session, "log.write('parent'); log.flush(); hidden.write('p'); hidden.seek(0)");
    expect(await valueOf(fork, "open('log').read(), names.read(), hidden.read()")).toBe(
      "('before,fork', 'b c', 'hf')",
    );
    expect(await valueOf(session, "open('log').read(), names.read(), hidden.read()")).toBe(
      "('before,parent', 'b c', 'hp')",
    );
    await Promise.all([session.close(), fork.close()]);
  });

  it("draws other random numbers, or on request the same as a replay would", async () => {
    const session = await open();
    await run(session, "import random\nrandom.seed(1)");
    const [a, b] = (await session.fork({ count: 2 })) as [Session, Session];
    const [c, d] = (await session.fork({ count: 2, reseed: false })) as [Session, Session];
    const draw = (one: Session) => valueOf(one, "random.random()");
    const [first, second, third, fourth] = [await draw(a), await draw(b), await draw(c), await draw(d)];
    expect(first).not.toBe(second);
    expect(third).toBe(await draw(session));
    expect(fourth).toBe(third);
    await Promise.all([session, a, b, c, d].map((one) => one.close()));
  });

  it("has the memory limit to itself, and its death is its own", async () => {
    const session = await open({ limits: { memory_bytes: 128 * MiB } });
    await run(session, "kept = b'x' * (80 << 20)");
    const forks = await session.fork({ count: 3 });
    const results = await Promise.all(
      forks.map((fork) => run(fork, "own = b'x' * (80 << 20); len(kept), len(own)")),
    );
    expect(results.map(({ value }) => value)).toEqual(forks.map(() => "(83886080, 83886080)"));
    expect(results[0]?.usage.memory_peak_bytes).toBeLessThan(128 * MiB);
    expect(await run(forks[0] as Session, "more = b'x' * (80 << 20)")).toMatchObject({
      outcome: "memory_limit",
      session: { state: "lost" },
    });
    expect(await valueOf(forks[1] as Session, "len(own)")).toBe("83886080");
    await Promise.all([session, ...forks].map((one) => one.close()));
  });

  it("has none of its parent's threads and children, and closes without them", async () => {
    const session = await open();
    await run(
      session,
      "import os, subprocess, threading, time\nchild = subprocess.Popen(['/bin/sleep', '60'])\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
    );
    const fork = await forkOf(session);
    expect(await valueOf(fork, "threading.active_count()")).toBe("1");
    await fork.close();
    expect(await valueOf(session, "threading.active_count(), child.poll()")).toBe("(2, None)");
    await session.close();
  });

  it("of a fork of a fork goes on, and calls of siblings run at once", async () => {
    let session = await open();
    const all = [session];
    await run(session, "import time; depth = 0");
    for (let depth = 1; depth <= 5; depth++) {
      session = await forkOf(session);
      all.push(session);
      await run(session, "depth += 1");
    }
    expect(await Promise.all(all.map((one) => valueOf(one, "depth")))).toEqual([
      "0",
      "1",
      "2",
      "3",
      "4",
      "5",
    ]);
    // Long enough for the last of them to begin on a machine however busy.
    const slept = await Promise.all(
      all.map((one) => run(one, "start = time.time(); time.sleep(2); (start, time.time())")),
    );
    const times = slept.map(
      ({ value }) => JSON.parse((value ?? "").replace("(", "[").replace(")", "]")) as [number, number],
    );
    const begun = Math.max(...times.slice(0, 4).map(([start]) => start));
    expect(Math.min(...times.slice(0, 4).map(([, end]) => end))).toBeGreaterThan(begun);
    await Promise.all(all.map((one) => one.close()));
  });
});
