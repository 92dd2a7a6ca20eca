/** Programs that use the processor without end, and clocks and signals by which they mean to go on. */
import { ONE_PROCESS, type HostileProgram, text } from "../program.ts";

export const CPU: readonly HostileProgram[] = [
  {
    name: "cpu_bigint_power",
    threat: "One C call that never returns to bytecode, so that no signal handler runs.",
    runtime: "python",
    source: text`
      x = 10 ** 10 ** 8
      print(x.bit_length())
    `,
    limits: { wall_ms: 500 },
    outcomes: ["wall_limit"],
  },
  {
    name: "cpu_c_iterator",
    threat: "A C-level iteration without end.",
    runtime: "python",
    source: text`
      print(sum(range(10**13)))
    `,
    limits: { wall_ms: 500 },
    outcomes: ["wall_limit"],
  },
  {
    name: "cpu_raise_own_rlimit",
    threat: "The program lifts its own RLIMIT_CPU and goes on.",
    runtime: "python",
    source: text`
      import resource
      try:
          resource.setrlimit(resource.RLIMIT_CPU, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)); print("BREACH:rlimit_cpu raised")
      except (ValueError, OSError): print("contained", flush=True)
      while True: pass
    `,
    limits: { wall_ms: 500 },
    outcomes: ["wall_limit"],
    prints: "contained\n",
  },
  {
    name: "cpu_compile_nesting",
    threat: "Nesting that overflows the compiler's stack.",
    runtime: "python",
    source: text`
      try: eval("(" * 200000 + ")" * 200000)
      except (MemoryError, SyntaxError, RecursionError, SystemError) as e: print("contained", type(e).__name__)
    `,
    outcomes: ["completed", "signaled"],
    why: "CPython refuses the nesting or its C stack overflows, by version",
    whenCompleted: /^contained/,
  },
  {
    name: "time_futex_deadlock",
    threat: "A deadlock.",
    runtime: "python",
    source: text`
      import threading
      l = threading.Lock()
      l.acquire()
      l.acquire()
    `,
    limits: { wall_ms: 500 },
    outcomes: ["wall_limit"],
  },
  {
    name: "time_wait_on_stopped",
    threat: "Waiting for a child that is stopped.",
    differs: ONE_PROCESS,
    runtime: "python",
    source: text`
      import os, signal
      p = os.fork()
      if p == 0:
          os.kill(os.getpid(), signal.SIGSTOP); os._exit(0)
      os.waitpid(p, 0)
    `,
    limits: { wall_ms: 500 },
    outcomes: ["wall_limit"],
  },
  {
    name: "time_input_forever",
    threat: "Reading where nobody writes.",
    runtime: "python",
    source: text`
      import os
      r, w = os.pipe()
      os.read(r, 1)
    `,
    limits: { wall_ms: 500 },
    outcomes: ["wall_limit"],
  },
  {
    name: "cpu_busy_loop",
    threat: "A loop without end.",
    runtime: "python",
    source: text`
      while True: pass
    `,
    limits: { wall_ms: 500 },
    outcomes: ["wall_limit"],
  },
  {
    name: "cpu_regex_backtrack",
    threat: "A regular expression that backtracks, in C.",
    runtime: "python",
    source: text`
      import re
      re.match(r'(a+)+$', 'a' * 40 + 'b')
    `,
    limits: { wall_ms: 500 },
    outcomes: ["wall_limit"],
  },
  {
    name: "cpu_int_to_str",
    threat: "A conversion in C whose time is the square of its length.",
    runtime: "python",
    source: text`
      import sys
      sys.set_int_max_str_digits(0)
      str(7 ** (10 ** 7))
    `,
    limits: { wall_ms: 500 },
    outcomes: ["wall_limit"],
  },
  {
    name: "cpu_ignored_signals",
    threat: "Every signal that can be ignored is, then a loop.",
    runtime: "python",
    source: text`
      import signal
      for number in range(1, 65):
          try: signal.signal(number, signal.SIG_IGN)
          except (OSError, ValueError): pass
      print("deaf", flush=True)
      while True: pass
    `,
    limits: { wall_ms: 500 },
    outcomes: ["wall_limit"],
    prints: "deaf\n",
  },
  {
    name: "cpu_blocked_signals",
    threat: "Every signal is blocked, then a wait that only a signal ends.",
    runtime: "python",
    source: text`
      import signal
      signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
      print("blocked", flush=True)
      signal.pause()
    `,
    limits: { wall_ms: 500 },
    outcomes: ["wall_limit"],
    prints: "blocked\n",
  },
  {
    name: "cpu_alarm_storm",
    threat: "A timer whose handler runs all the time.",
    runtime: "python",
    source: text`
      import signal
      signal.signal(signal.SIGALRM, lambda *a: None)
      signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)
      while True: signal.pause()
    `,
    limits: { wall_ms: 500 },
    outcomes: ["wall_limit"],
  },
  {
    name: "cpu_alarm_ends_itself",
    threat: "The program's own alarm is told apart from a limit of ours.",
    runtime: "python",
    source: text`
      import signal
      signal.alarm(1)
      signal.pause()
    `,
    limits: { wall_ms: 20000 },
    outcomes: ["signaled"],
    signal: "SIGALRM",
  },
  {
    name: "cpu_own_rlimit",
    threat: "The program's own lower CPU limit is told apart from the call's.",
    runtime: "python",
    source: text`
      import resource
      resource.setrlimit(resource.RLIMIT_CPU, (1, 1))
      print("limited", flush=True)
      while True: pass
    `,
    limits: { wall_ms: 30000, cpu_ms: 20000 },
    outcomes: ["signaled"],
    prints: "limited\n",
    signal: "SIGKILL",
  },
  {
    name: "cpu_sigxcpu_ignored",
    threat: "SIGXCPU is ignored, so that a soft limit does nothing.",
    runtime: "python",
    source: text`
      import signal
      signal.signal(signal.SIGXCPU, signal.SIG_IGN)
      while True: pass
    `,
    limits: { wall_ms: 20000, cpu_ms: 300 },
    outcomes: ["cpu_limit"],
  },
  {
    name: "cpu_threads_in_c",
    threat: "Many threads of C code use several cores.",
    runtime: "python",
    source: text`
      import hashlib, threading
      for _ in range(8): threading.Thread(target=hashlib.pbkdf2_hmac, args=("sha512", b"a", b"b", 10 ** 9)).start()
    `,
    limits: { wall_ms: 20000, cpu_ms: 300 },
    outcomes: ["cpu_limit"],
  },
  {
    name: "cpu_many_processes",
    threat: "Each process uses little, all of them much.",
    differs: ONE_PROCESS,
    runtime: "python",
    source: text`
      import os
      for _ in range(16):
          if os.fork() == 0: break
      while True: pass
    `,
    limits: { wall_ms: 20000, cpu_ms: 400 },
    outcomes: ["cpu_limit"],
  },
  {
    name: "cpu_short_children",
    threat: "Children that end before anybody looks at them.",
    differs: ONE_PROCESS,
    runtime: "python",
    source: text`
      import os
      while True:
          pid = os.fork()
          if pid == 0:
              sum(range(300_000)); os._exit(0)
          os.waitpid(pid, 0)
    `,
    limits: { wall_ms: 20000, cpu_ms: 300 },
    outcomes: ["cpu_limit"],
  },
  {
    name: "cpu_realtime",
    threat: "A scheduling class above everybody else's.",
    runtime: "python",
    source: text`
      import os
      for policy in (os.SCHED_FIFO, os.SCHED_RR):
          try:
              os.sched_setscheduler(0, policy, os.sched_param(1)); print("BREACH:realtime")
          except OSError: print("contained")
    `,
    outcomes: ["completed"],
    prints: "contained\ncontained\n",
  },
  {
    name: "cpu_priority",
    threat: "A priority above everybody else's, or a lower one for others.",
    runtime: "python",
    source: text`
      import os
      for change in (lambda: os.nice(-5), lambda: os.setpriority(os.PRIO_PROCESS, 0, -5), lambda: os.setpriority(os.PRIO_PROCESS, 1, 19), lambda: os.sched_setaffinity(1, {0})):
          try:
              change(); print("BREACH:priority")
          except OSError: print("contained")
    `,
    outcomes: ["completed"],
    prints: "contained\n".repeat(4),
  },
  {
    name: "cpu_sync_storm",
    threat: "sync and syncfs write out the host's file systems; here they do nothing.",
    runtime: "python",
    source: text`
      import ctypes, os
      L = ctypes.CDLL(None, use_errno=True)
      # The kernel would refuse a descriptor that is none.
      print("contained" if L.syncfs(-1) == 0 else "BREACH:syncfs reached the kernel")
      for _ in range(1000): os.sync()
    `,
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "cpu_main_thread_gone",
    threat: "The first thread ends, another goes on.",
    runtime: "python",
    source: text`
      import ctypes, threading
      def forever():
          while True: pass
      threading.Thread(target=forever).start()
      print("leaving", flush=True)
      ctypes.CDLL(None).pthread_exit(None)
    `,
    limits: { wall_ms: 500 },
    outcomes: ["wall_limit", "signaled"],
    why: "the wall limit ends what goes on, or the interpreter aborts on the exit of its first thread",
    prints: "leaving\n",
  },
  {
    name: "cpu_recursion",
    threat: "A recursion limit so high that the stack or the memory is used up.",
    runtime: "python",
    source: text`
      import sys
      sys.setrecursionlimit(10 ** 9)
      def f(n): return max([n], key=lambda x: f(x + 1))
      f(0)
    `,
    limits: { wall_ms: 2000 },
    outcomes: ["signaled", "memory_limit", "failed", "wall_limit"],
    why: "by version of CPython the C stack overflows, memory runs out or RecursionError is raised",
  },
];
