/** Programs that make processes, leave them behind and send signals to those of others. */
import { ONE_USER, LOOKED_AT, ONE_PROCESS, type HostileProgram, text } from "../program.ts";

export const PROCESSES: readonly HostileProgram[] = [
  {
    name: "proc_fork_bomb",
    threat: "A fork bomb.",
    notHeld: LOOKED_AT,
    runtime: "python",
    source: text`
      import os
      while True:
          try: os.fork()
          except OSError: pass
    `,
    limits: { wall_ms: 500 },
    outcomes: ["wall_limit", "cpu_limit"],
    why: "two cores can use up both limits at the same moment",
  },
  {
    name: "proc_daemon_late_write",
    threat: "A daemon writes to the output after its call's end.",
    differs: ONE_PROCESS,
    runtime: "python",
    source: text`
      import os, time
      if os.fork() == 0:
          os.setsid(); time.sleep(0.5)
          os.write(1, b"BREACH:late write\n"); os._exit(0)
      print("first", flush=True)
    `,
    outcomes: ["completed"],
    prints: "first\n",
  },
  {
    name: "proc_thread_bomb",
    threat: "Threads without end.",
    differs: LOOKED_AT,
    runtime: "python",
    source: text`
      import threading, time
      n = 0
      try:
          while n < 100000:
              threading.Thread(target=time.sleep, args=(60,), daemon=True).start(); n += 1
          print("BREACH:100000 threads")
      except RuntimeError: print("contained", n)
    `,
    outcomes: ["completed", "memory_limit"],
    why: "the process limit, or the stacks meet the memory limit",
    whenCompleted: /^contained \d+\n$/,
  },
  {
    name: "proc_stop_self",
    threat: "A stopped process, which no signal but SIGKILL ends.",
    runtime: "python",
    source: text`
      import os, signal
      os.kill(os.getpid(), signal.SIGSTOP)
      print("resumed")
    `,
    limits: { wall_ms: 500 },
    outcomes: ["wall_limit"],
  },
  {
    name: "proc_stopped_child",
    threat: "A stopped child outlives its parent.",
    differs: ONE_PROCESS,
    runtime: "python",
    source: text`
      import os, signal
      p = os.fork()
      if p == 0:
          os.kill(os.getpid(), signal.SIGSTOP); os._exit(0)
      os.waitpid(p, os.WUNTRACED)
      print("parent exits")
    `,
    outcomes: ["completed"],
    prints: "parent exits\n",
  },
  {
    name: "proc_exit_codes",
    threat: "An exit code that looks like a signal.",
    runtime: "python",
    source: text`
      import os
      os._exit(255)
    `,
    outcomes: ["failed"],
    exitCode: 255,
  },
  {
    name: "proc_self_sigkill",
    threat: "SIGKILL of itself, which a first process of a namespace would ignore.",
    runtime: "python",
    source: text`
      import os
      os.kill(os.getpid(), 9)
      print("still alive as pid 1?")
    `,
    outcomes: ["signaled"],
    prints: "",
    signal: "SIGKILL",
  },
  {
    name: "proc_abort",
    threat: "abort(), and no core file of it.",
    runtime: "python",
    source: text`
      import os
      os.abort()
    `,
    outcomes: ["signaled"],
    signal: "SIGIOT",
  },
  {
    name: "proc_subprocess_shell",
    threat: "A shell by subprocess has the program's own user.",
    differs: { ...ONE_PROCESS, ...LOOKED_AT },
    runtime: "python",
    source: text`
      import subprocess
      r = subprocess.run(["/bin/sh", "-c", "id -u; echo shell"], capture_output=True, text=True)
      print(r.stdout)
    `,
    outcomes: ["completed"],
    says: [/^[1-9]\d*\nshell\n\n$/],
  },
  {
    name: "proc_double_fork_daemon",
    threat: "A daemon of a session of its own, deaf to signals, with the output open.",
    differs: ONE_PROCESS,
    runtime: "python",
    source: text`
      import os, signal, time
      if os.fork() == 0:
          os.setsid()
          if os.fork() == 0:
              for number in (1, 2, 3, 13, 15): signal.signal(number, signal.SIG_IGN)
              time.sleep(3600)
          os._exit(0)
      print("first")
    `,
    limits: { wall_ms: 30000 },
    outcomes: ["completed"],
    prints: "first\n",
  },
  {
    name: "proc_orphan_holds_pipes",
    threat: "An orphan keeps both output pipes open: the end is a process's death, not a closed pipe.",
    differs: ONE_PROCESS,
    runtime: "python",
    source: text`
      import os, time
      if os.fork() == 0: time.sleep(3600)
      os.write(1, b"out"); os.write(2, b"err")
      os._exit(4)
    `,
    limits: { wall_ms: 30000 },
    outcomes: ["failed"],
    prints: "out",
    exitCode: 4,
  },
  {
    name: "proc_zombie_farm",
    threat: "Dead children that nobody asks for fill the process table.",
    differs: LOOKED_AT,
    runtime: "python",
    source: text`
      import os
      made = 0
      try:
          while made < 10_000:
              if os.fork() == 0: os._exit(0)
              made += 1
          print("BREACH:10000 zombies")
      except OSError: print("contained", made)
    `,
    outcomes: ["completed"],
    says: [/^contained \d+\n$/],
  },
  {
    name: "proc_shell_fork_bomb",
    threat: "The classic fork bomb of the shell.",
    differs: ONE_PROCESS,
    runtime: "python",
    source: text`
      import subprocess
      print(subprocess.run(['/bin/sh', '-c', ':(){ :|:& };:'], stderr=subprocess.DEVNULL).returncode)
    `,
    limits: { wall_ms: 1500 },
    outcomes: ["completed", "wall_limit", "cpu_limit", "memory_limit", "process_limit"],
    why: "the shell that starts it may end before, or be hit itself",
    whenCompleted: /^\d+\n$/,
  },
  {
    name: "proc_sessions",
    threat: "Sessions without end, each with a process.",
    differs: LOOKED_AT,
    runtime: "python",
    source: text`
      import os, time
      try:
          while True:
              if os.fork() == 0:
                  os.setsid(); time.sleep(3600)
      except OSError: print("contained")
    `,
    limits: { wall_ms: 20000 },
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "proc_kill_all",
    threat: "SIGKILL to every process there is.",
    differs: ONE_PROCESS,
    runtime: "python",
    source: text`
      import os, time
      if os.fork() == 0: time.sleep(3600)
      try: os.kill(-1, 9)
      except OSError: pass
      print("alive")
    `,
    outcomes: ["completed"],
    prints: "alive\n",
  },
  {
    name: "proc_signal_slot",
    threat: "Every signal to the process that holds the slot.",
    notHeld: ONE_USER,
    runtime: "python",
    source: text`
      import os, signal
      hits = []
      for number in range(0, 65):
          for send in (os.kill, lambda pid, n: signal.pidfd_send_signal(os.pidfd_open(pid), n)):
              try:
                  send(1, number); hits.append(number)
              except OSError: pass
      print("BREACH:" + str(hits) if hits else "contained")
    `,
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "proc_signal_siblings",
    threat: "Signals to every process id.",
    notHeld: ONE_USER,
    runtime: "python",
    source: text`
      import os
      hits = []
      for pid in [*range(1, 5000), *range(-5000, -1)]:
          if abs(pid) in (os.getpid(), os.getpgrp()): continue
          try:
              os.kill(pid, 9); hits.append(pid)
          except OSError: pass
      print("BREACH:" + str(hits[:5]) if hits else "contained")
    `,
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "proc_kill_own_group",
    threat: "SIGKILL to its own process group.",
    differs: ONE_PROCESS,
    runtime: "python",
    source: text`
      import os, signal
      if os.fork() == 0: signal.pause()
      os.killpg(0, signal.SIGKILL)
    `,
    outcomes: ["signaled"],
    signal: "SIGKILL",
  },
  {
    name: "proc_subreaper",
    threat: "Orphans go to a subreaper that outlives the program.",
    differs: ONE_PROCESS,
    runtime: "python",
    source: text`
      import ctypes, os, time
      L = ctypes.CDLL(None)
      if os.fork() == 0:
          print("subreaper", L.prctl(36, 1, 0, 0, 0), flush=True)
          if os.fork() == 0:
              if os.fork() == 0: time.sleep(3600)
              os._exit(0)
          time.sleep(3600)
      time.sleep(0.2)
    `,
    outcomes: ["completed"],
    prints: "subreaper 0\n",
  },
  {
    name: "proc_adopted_by_slot",
    threat: "A child made for the slot process (CLONE_PARENT) outlives the program.",
    differs: ONE_PROCESS,
    runtime: "python",
    source: text`
      import ctypes, os, time
      pid = ctypes.CDLL(None).syscall(56, 0x8000 | 17, 0, 0, 0, 0)
      if pid == 0: time.sleep(3600)
      print("adopted", pid > 0)
    `,
    arch: "x64",
    outcomes: ["completed"],
    prints: "adopted True\n",
  },
  {
    name: "proc_stop_group",
    threat: "The whole group is stopped.",
    differs: ONE_PROCESS,
    runtime: "python",
    source: text`
      import os, signal, time
      if os.fork() == 0: time.sleep(3600)
      os.killpg(0, signal.SIGSTOP)
    `,
    limits: { wall_ms: 500 },
    outcomes: ["wall_limit"],
  },
  {
    name: "proc_vfork_wait",
    threat: "A parent that waits in vfork for a child that never executes.",
    differs: ONE_PROCESS,
    runtime: "python",
    source: text`
      import subprocess
      subprocess.run(["/bin/sh", "-c", "kill -STOP $$"])
    `,
    limits: { wall_ms: 500 },
    outcomes: ["wall_limit"],
  },
  {
    name: "proc_exec_self",
    threat: "Another interpreter in place of the program: it is as confined.",
    runtime: "python",
    source: text`
      import os, sys
      os.execv("/usr/bin/python3", ["python3", "-c", "import re; s = open('/proc/self/status').read(); print(*re.findall(r'(?:CapEff|NoNewPrivs|Seccomp):\\s*(\\w+)', s))"])
    `,
    outcomes: ["completed"],
    prints: "0000000000000000 1 2\n",
  },
  {
    name: "proc_limit_of_one",
    threat: "With a limit of one process there is no second.",
    notHeld: LOOKED_AT,
    runtime: "python",
    source: text`
      import os, threading
      for start in (os.fork, threading.Thread(target=print).start):
          try:
              start(); print("BREACH:a second one")
          except (OSError, RuntimeError): print("contained")
    `,
    limits: { processes: 1 },
    outcomes: ["completed"],
    prints: "contained\ncontained\n",
  },
  {
    name: "proc_terminal",
    threat: "Keystrokes into a terminal of whoever started the service.",
    runtime: "python",
    source: text`
      import fcntl, os
      for path in ("/dev/tty", "/dev/console", "/dev/ptmx", "/dev/pts/0", "/dev/pts/ptmx"):
          try:
              fd = os.open(path, os.O_RDWR); fcntl.ioctl(fd, 0x5412, b"x"); print("BREACH:" + path)
          except OSError: print("contained")
    `,
    outcomes: ["completed"],
    prints: "contained\n".repeat(5),
  },
  {
    name: "proc_fork_while_dying",
    threat: "Processes that fork until the very moment they are killed.",
    differs: ONE_PROCESS,
    runtime: "python",
    source: text`
      import os, signal
      for _ in range(8):
          if os.fork() == 0:
              while True:
                  try:
                      if os.fork() == 0: os.setsid()
                      else: os._exit(0)
                  except OSError: pass
      signal.pause()
    `,
    limits: { wall_ms: 500 },
    outcomes: ["wall_limit", "cpu_limit"],
    why: "two cores can use up both limits at the same moment",
  },
];
