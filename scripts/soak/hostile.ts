/** Programs that try to take the machine, to stay behind or to say more than may be said, each at small limits. */
import type { Call, RuntimeId } from "../../src/contract/call.ts";
import type { Limits } from "../../src/contract/limits.ts";
import type { Outcome } from "../../src/contract/outcome.ts";
import type { Result } from "../../src/contract/result.ts";

export interface Hostile {
  readonly name: string;
  readonly call: Call;
  /** Outcomes that are right: where two limits are reached at about the same time, either. */
  readonly outcomes: readonly Outcome[];
  /** The whole of stdout, where it is known. */
  readonly stdout?: string;
}

const MiB = 1 << 20;
const BOUNDS: Partial<Limits> = {
  wall_ms: 300,
  cpu_ms: 200,
  memory_bytes: 64 * MiB,
  output_bytes: 32 << 10,
  processes: 16,
  disk_bytes: 4 * MiB,
};
/** For programs that end by themselves, on a machine however busy. */
const PATIENT: Partial<Limits> = { wall_ms: 60_000, cpu_ms: 60_000 };

function hostile(
  runtime: RuntimeId,
  name: string,
  outcomes: readonly Outcome[],
  source: string,
  more: { limits?: Partial<Limits>; stdout?: string } = {},
): Hostile {
  const call: Call = { runtime, source, limits: { ...BOUNDS, ...more.limits } };
  return { name, call, outcomes, ...(more.stdout === undefined ? {} : { stdout: more.stdout }) };
}

const TIME: readonly Outcome[] = ["wall_limit", "cpu_limit"];

const PYTHON: readonly Hostile[] = [
  hostile(
    "python",
    "fork bomb",
    [...TIME, "process_limit", "memory_limit"],
    "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass",
  ),
  hostile(
    "python",
    "thread bomb",
    [...TIME, "process_limit", "memory_limit", "failed"],
    "import threading, time\nwhile True:\n    threading.Thread(target=time.sleep, args=(60,)).start()",
  ),
  hostile(
    "python",
    "balloon",
    ["memory_limit"],
    "held = []\nwhile True:\n    held.append(bytearray(1 << 20))",
    { limits: PATIENT },
  ),
  hostile(
    "python",
    "balloon in shared memory",
    ["memory_limit", "disk_limit"],
    "import os\nwith open('/dev/shm/b', 'wb') as f:\n    while True:\n        f.write(bytes(1 << 20))",
    { limits: { ...PATIENT, memory_bytes: 32 * MiB, disk_bytes: 256 * MiB } },
  ),
  hostile("python", "flood", ["output_limit"], "while True:\n    print('x' * 4096)", { limits: PATIENT }),
  hostile(
    "python",
    "flood without a newline, on both",
    ["output_limit"],
    "import os\nwhile True:\n    os.write(1, b'x' * 65536)\n    os.write(2, b'y' * 65536)",
    { limits: PATIENT },
  ),
  hostile(
    "python",
    "disk fill",
    ["disk_limit"],
    "with open('f', 'wb') as f:\n    while True:\n        f.write(bytes(1 << 16))",
    { limits: PATIENT },
  ),
  hostile(
    "python",
    "files without end",
    ["disk_limit", "failed", "memory_limit", ...TIME],
    "i = 0\nwhile True:\n    open(f'f{i}', 'w').close()\n    i += 1",
    { limits: { wall_ms: 2000, cpu_ms: 2000 } },
  ),
  hostile(
    "python",
    "daemon",
    ["completed"],
    "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(600)\n    os._exit(0)\nprint('gone', flush=True)\nos._exit(0)",
    { limits: PATIENT, stdout: "gone\n" },
  ),
  hostile(
    "python",
    "orphan that holds the pipes",
    ["completed"],
    "import os, subprocess\nsubprocess.Popen(['sleep', '600'])\nprint('left', flush=True)\nos._exit(0)",
    { limits: PATIENT, stdout: "left\n" },
  ),
  hostile("python", "busy loop", TIME, "while True:\n    pass"),
  hostile("python", "one long operation", TIME, "10 ** 10 ** 8"),
  hostile(
    "python",
    "ignored signals",
    TIME,
    "import signal\nfor s in signal.valid_signals():\n    try:\n        signal.signal(s, signal.SIG_IGN)\n    except OSError:\n        pass\nwhile True:\n    pass",
  ),
  hostile(
    "python",
    "kill of everybody",
    ["completed", "signaled", "failed"],
    "import os, signal\nfor target in (-1, 1, os.getppid()):\n    try:\n        os.kill(target, signal.SIGKILL)\n    except OSError:\n        pass\nprint('alive')",
    { limits: PATIENT },
  ),
  hostile("python", "crash", ["signaled"], "import ctypes\nctypes.string_at(8)", { limits: PATIENT }),
  hostile(
    "python",
    "marks left for the next call",
    ["completed"],
    "import builtins, os, random, sys\nfor path in ('/tmp/mark', 'mark', '/dev/shm/mark'):\n    if os.path.exists(path):\n        print('found', path)\n    open(path, 'w').close()\nif hasattr(builtins, 'mark') or 'MARK' in os.environ:\n    print('found in memory')\nbuiltins.mark = 1\nos.environ['MARK'] = '1'\nsys.modules['json'] = None",
    { limits: PATIENT, stdout: "" },
  ),
];

const JAVASCRIPT: readonly Hostile[] = [
  hostile("javascript", "loop in an isolate", TIME, "for (;;);"),
  hostile(
    "javascript",
    "microtasks without end",
    [...TIME, "memory_limit"],
    "const f = () => Promise.resolve().then(f); f();",
  ),
  hostile(
    "javascript",
    "heap of an isolate",
    ["memory_limit"],
    "const held = []; for (;;) held.push(new Array(1e5).fill(1.5));",
    { limits: PATIENT },
  ),
  hostile(
    "javascript",
    "buffers of an isolate",
    ["memory_limit", "failed"],
    "const held = []; for (;;) held.push(new Uint8Array(1 << 20).fill(1));",
    { limits: PATIENT },
  ),
  hostile(
    "javascript",
    "marks left for the next isolate",
    ["completed"],
    "if (globalThis.mark || Object.prototype.mark) console.log('found'); globalThis.mark = 1; Object.prototype.mark = 1;",
    { limits: PATIENT, stdout: "" },
  ),
  hostile("node", "loop in Node", TIME, "for (;;);", { limits: { memory_bytes: 256 * MiB } }),
];

export const HOSTILE: readonly Hostile[] = [...PYTHON, ...JAVASCRIPT];

/** What is wrong with the answer, in one sentence, or null. */
export function checkHostile(program: Hostile, result: Result): string | null {
  if (!program.outcomes.includes(result.outcome))
    return `outcome is ${result.outcome}, not ${program.outcomes.join(" or ")}${result.detail === null ? "" : ` (${result.detail})`}${result.stderr === "" ? "" : `: ${JSON.stringify(result.stderr.slice(-200))}`}`;
  if (program.stdout !== undefined && result.stdout !== program.stdout)
    return `stdout is ${JSON.stringify(result.stdout.slice(0, 120))}, not ${JSON.stringify(program.stdout)}`;
  return null;
}
