/** Programs that leave something to the next call, and those that look for it. */
import { ONE_PROCESS, NO_PLACES, type HostileProgram, MiB, text } from "../program.ts";

export const CONTAMINATION: readonly HostileProgram[] = [
  {
    name: "cross_modules_plant",
    threat: "Patched modules, environment and import path are left behind.",
    runtime: "python",
    source: text`
      import builtins, math, json, sys, os, random, types
      builtins.print_orig = print
      math.sqrt = lambda x: 666
      json.dumps = lambda *a, **k: "owned"
      builtins.len = lambda x: 0
      sys.modules["adv_mod"] = types.ModuleType("adv_mod")
      sys.path.insert(0, "/tmp/evil")
      os.environ["ADV_ENV"] = "1"
      sys.setrecursionlimit(77)
      print("planted")
    `,
    outcomes: ["completed"],
    prints: "planted\n",
  },
  {
    name: "cross_modules_check",
    threat: "What a previous call patched is found.",
    runtime: "python",
    source: text`
      import builtins, math, json, sys, os
      bad = [n for n, v in (("sqrt", math.sqrt(4) != 2), ("json", json.dumps(1) != "1"), ("len", len([1]) != 1), ("mod", "adv_mod" in sys.modules), ("path", "/tmp/evil" in sys.path), ("env", "ADV_ENV" in os.environ), ("rec", sys.getrecursionlimit() == 77), ("builtin", hasattr(builtins, "print_orig"))) if v]
      print("BREACH:" + str(bad) if bad else "contained")
    `,
    outcomes: ["completed"],
    prints: "contained\n",
    after: "cross_modules_plant",
  },
  {
    name: "cross_sysv_plant",
    threat: "System V IPC objects are left behind.",
    runtime: "python",
    source: text`
      import ctypes
      L = ctypes.CDLL(None)
      print(L.shmget(0x41445631, 4096, 0o1666), L.semget(0x41445631, 1, 0o1666), L.msgget(0x41445631, 0o1666))
    `,
    outcomes: ["completed"],
    prints: "-1 -1 -1\n",
  },
  {
    name: "cross_sysv_check",
    threat: "System V IPC objects of a previous call are found.",
    runtime: "python",
    source: text`
      import ctypes
      L = ctypes.CDLL(None)
      r = (L.shmget(0x41445631, 4096, 0), L.semget(0x41445631, 1, 0), L.msgget(0x41445631, 0))
      print("BREACH:" + str(r) if max(r) >= 0 else "contained")
    `,
    outcomes: ["completed"],
    prints: "contained\n",
    after: "cross_sysv_plant",
  },
  {
    name: "cross_mqueue_plant",
    threat: "A POSIX message queue is left behind.",
    runtime: "python",
    source: text`
      import ctypes, os
      L = ctypes.CDLL("librt.so.1", use_errno=True)
      print(L.mq_open(b"/adv", os.O_CREAT | os.O_RDWR, 0o666, None))
    `,
    outcomes: ["completed"],
    prints: "-1\n",
  },
  {
    name: "cross_mqueue_check",
    threat: "A message queue of a previous call is found.",
    runtime: "python",
    source: text`
      import ctypes, os
      L = ctypes.CDLL("librt.so.1", use_errno=True)
      print("BREACH:mqueue" if L.mq_open(b"/adv", os.O_RDWR) >= 0 else "contained")
    `,
    outcomes: ["completed"],
    prints: "contained\n",
    after: "cross_mqueue_plant",
  },
  {
    name: "cross_daemon_plant",
    threat: "A daemon that ignores every signal stays.",
    differs: ONE_PROCESS,
    runtime: "python",
    source: text`
      import os, time, signal
      if os.fork() == 0:
          os.setsid()
          for s in range(1, 32):
              try: signal.signal(s, signal.SIG_IGN)
              except (OSError, ValueError): pass
          while True:
              try: open("/tmp/adv_daemon", "a").write("x")
              except OSError: pass
              time.sleep(0.01)
      print("planted")
    `,
    outcomes: ["completed"],
    prints: "planted\n",
  },
  {
    name: "cross_daemon_check",
    threat: "A daemon of a previous call still writes.",
    differs: ONE_PROCESS,
    runtime: "python",
    source: text`
      import os, time
      time.sleep(0.3)
      n = len([p for p in os.listdir("/proc") if p.isdigit()]) if os.path.isdir("/proc") else 0
      print("BREACH:daemon file" if os.path.exists("/tmp/adv_daemon") else "contained", n)
    `,
    outcomes: ["completed"],
    prints: "contained 1\n",
    after: "cross_daemon_plant",
  },
  {
    name: "cross_rng_numpy",
    threat: "Random state shared by all calls of a slot.",
    runtime: "python",
    source: text`
      import numpy as np, random, os, tempfile
      print(np.random.rand(), random.random(), next(tempfile._get_candidate_names()))
    `,
    outcomes: ["completed"],
    says: [/^0\.\d+(?:e-\d+)? 0\.\d+(?:e-\d+)? \w+\n$/],
    distinct: 3,
  },
  {
    name: "cross_hash_seed",
    threat: "Hashes that depend on the container that a call came to.",
    runtime: "python",
    source: text`
      print(hash("adversarial"), list({"a", "b", "c", "d"}))
    `,
    outcomes: ["completed"],
    says: [/^-?\d+ \[/],
    identical: 3,
  },
  {
    name: "cross_inherited_fds",
    threat: "Descriptors of the slot are inherited.",
    runtime: "python",
    source: text`
      import os, socket, stat
      bad = []
      for fd in range(3, 1024):
          try: st = os.fstat(fd)
          except OSError: continue
          k = "sock" if stat.S_ISSOCK(st.st_mode) else "fifo" if stat.S_ISFIFO(st.st_mode) else "dir" if stat.S_ISDIR(st.st_mode) else "other"
          bad.append((fd, k))
      print("BREACH:" + str(bad) if bad else "contained")
    `,
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "cross_prlimit_sibling",
    threat: "Limits of other processes.",
    runtime: "python",
    source: text`
      import resource
      hit = 0
      for p in range(1, 400):
          try:
              import os
              if p != os.getpid(): resource.prlimit(p, resource.RLIMIT_NOFILE); hit += 1
          except OSError: pass
      print("BREACH:prlimit on %d" % hit if hit else "contained")
    `,
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "cross_residue_plant",
    threat:
      "Source, stdin, files and output of a call that must be gone after it: marker-of-the-previous-call-source.",
    runtime: "python",
    source: text`
      import sys
      data = sys.stdin.read()
      for n in range(200): print("marker-of-the-previous-call" + "-output", n, data)
      print("marker-of-the-previous-call" + "-errors" * 20, file=sys.stderr)
      open("kept.txt", "w").write("marker-of-the-previous-call" + "-kept" * 40)
      open("marker-of-the-previous-call" + "-name", "w").close()
      print("planted")
    `,
    stdin: "marker-of-the-previous-call-stdin",
    collect: ["kept.txt", "kept2.txt"],
    givenFiles: { "data.txt": "marker-of-the-previous-call-file" },
    outcomes: ["completed"],
    says: ["planted"],
    files: { "kept.txt": 227, "kept2.txt": "not_found" },
  },
  {
    name: "cross_residue_check",
    threat:
      "What the slot process read, wrote and freed for a previous call is in memory that the next one inherits.",
    runtime: "python",
    source: text`
      import ctypes, re
      # In such a way that the search does not find itself.
      needle = re.compile(rb"marker-of-the-previous-cal[l]-.{0,12}")
      hits, seen = [], 0
      for line in open("/proc/self/maps"):
          start, end, access, name = re.match(r"(\w+)-(\w+) (\S+) \S+ \S+ \S+\s*(.*)", line).groups()
          size = int(end, 16) - int(start, 16)
          if not access.startswith("rw") or size > 256 << 20 or name in ("[vvar]", "[vsyscall]"): continue
          data = ctypes.string_at(int(start, 16), size)
          seen += size
          hits += [(name or "anonymous", hit) for hit in needle.findall(data)[:3]]
      print("BREACH:" + str(hits) if hits else "contained" if seen > 1 << 20 else seen)
    `,
    limits: { wall_ms: 30000 },
    outcomes: ["completed"],
    prints: "contained\n",
    after: "cross_residue_plant",
  },
  {
    name: "cross_process_state_plant",
    threat: "Limits, handlers, masks, timers, priority, locale and directory are left changed.",
    runtime: "python",
    source: text`
      import gc, locale, os, resource, signal, sys, threading, warnings, decimal
      resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)); resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
      signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGPIPE, signal.SIG_DFL)
      signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1}); signal.setitimer(signal.ITIMER_REAL, 100)
      os.umask(0o777); os.nice(5); os.chdir("/"); os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
      sys.setswitchinterval(1); gc.disable(); warnings.simplefilter("error"); decimal.getcontext().prec = 3; sys.settrace(lambda *a: None); sys.setprofile(lambda *a: None)
      sys.stdout.reconfigure(encoding="ascii"); sys.argv.append("left"); sys.dont_write_bytecode = False
      print("planted")
    `,
    outcomes: ["completed"],
    prints: "planted\n",
  },
  {
    name: "cross_process_state_check",
    threat: "Process state that a previous call changed is found.",
    runtime: "python",
    source: text`
      import gc, os, resource, signal, sys, decimal
      state = dict(nofile=resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 64, fsize=resource.getrlimit(resource.RLIMIT_FSIZE)[0] == 1 << 20, term=signal.getsignal(signal.SIGTERM) != signal.SIG_DFL,
          pipe=signal.getsignal(signal.SIGPIPE) != signal.SIG_IGN, mask=bool(signal.pthread_sigmask(signal.SIG_BLOCK, [])), timer=signal.getitimer(signal.ITIMER_REAL)[0] != 0, umask=os.umask(0) != 0o022,
          nice=os.nice(0) != 0, cwd=not os.getcwd().endswith("/work"), affinity=len(os.sched_getaffinity(0)) != os.cpu_count(), switch=sys.getswitchinterval() == 1, gc=not gc.isenabled(), prec=decimal.getcontext().prec == 3,
          trace=sys.gettrace() is not None, encoding=sys.stdout.encoding != "utf-8", argv=len(sys.argv) != 1)
      left = [name for name, value in state.items() if value]
      print("BREACH:" + str(left) if left else "contained")
    `,
    outcomes: ["completed"],
    prints: "contained\n",
    after: "cross_process_state_plant",
  },
  {
    name: "cross_numpy_plant",
    threat: "A patched numpy and its printing options are left behind.",
    runtime: "python",
    source: text`
      import numpy as np
      np.random.seed(0); np.set_printoptions(precision=1); np.seterr(all="raise"); np.add = None; np.array = lambda *a: "owned"
      print("planted")
    `,
    outcomes: ["completed"],
    prints: "planted\n",
  },
  {
    name: "cross_numpy_check",
    threat: "What a previous call patched in numpy is found.",
    runtime: "python",
    source: text`
      import numpy as np
      a = np.array([1.23456, 2])
      print("contained" if str(a) == "[1.23456 2.     ]" and np.add(1, 2) == 3 and np.geterr()["over"] == "warn" else "BREACH:" + str(a))
    `,
    outcomes: ["completed"],
    prints: "contained\n",
    after: "cross_numpy_plant",
  },
  {
    name: "cross_random_state",
    threat: "Random state of the interpreter, of OpenSSL and of temporary names.",
    runtime: "python",
    source: text`
      import os, random, secrets, ssl, tempfile, uuid
      print(random.random(), secrets.token_hex(8), ssl.RAND_bytes(8).hex(), next(tempfile._get_candidate_names()), uuid.uuid4(), os.urandom(8).hex())
    `,
    outcomes: ["completed"],
    says: [/^\S+ [0-9a-f]{16} [0-9a-f]{16} \w+ [0-9a-f-]{36} [0-9a-f]{16}\n$/],
    distinct: 3,
  },
  {
    name: "cross_modules_cached_plant",
    threat: "Modules made of files and of nothing are left in the cache of imports.",
    differs: NO_PLACES,
    runtime: "python",
    source: text`
      import importlib.util, sys, types, pathlib
      pathlib.Path("/tmp/json.py").write_text("dumps = lambda *a: 'owned'"); pathlib.Path("helper.py").write_text("x = 1")
      sys.path.insert(0, "/tmp"); sys.path_importer_cache.clear(); sys.meta_path.insert(0, type("F", (), {"find_spec": lambda *a: None})())
      import helper
      import heapq; heapq.heappush = None
      sys.modules["left_behind"] = types.ModuleType("left_behind")
      print("planted")
    `,
    outcomes: ["completed"],
    prints: "planted\n",
  },
  {
    name: "cross_modules_cached_check",
    threat: "Modules and finders of a previous call are found.",
    differs: NO_PLACES,
    runtime: "python",
    source: text`
      # The same heap as before: import pathlib
      import heapq, json, sys
      left = [name for name in ("helper", "left_behind") if name in sys.modules] + [f for f in sys.meta_path if "__main__" in repr(f)] + [p for p in sys.path if p == "/tmp"]
      try: import helper; left.append("helper")
      except ImportError: pass
      h = []; heapq.heappush(h, 1)
      print("contained" if not left and json.dumps(1) == "1" else "BREACH:" + str(left))
    `,
    outcomes: ["completed"],
    prints: "contained\n",
    after: "cross_modules_cached_plant",
  },
  {
    name: "cross_environment_plant",
    threat: "Environment and arguments given to a call, and set by it.",
    runtime: "python",
    source: text`
      # The heap of the next call: import subprocess
      import os
      os.environ['LEFT'] = '1'; os.putenv('LEFT2', '1')
      print(os.environ['GIVEN'])
    `,
    args: ["private"],
    env: { GIVEN: "secret" },
    outcomes: ["completed"],
    prints: "secret\n",
  },
  {
    name: "cross_environment_check",
    threat: "Environment and arguments of a previous call are found.",
    differs: ONE_PROCESS,
    runtime: "python",
    source: text`
      import os, subprocess, sys
      seen = str(dict(os.environ)) + str(sys.argv) + subprocess.run(["/usr/bin/env"], capture_output=True, text=True).stdout
      print("BREACH" if any(word in seen for word in ("LEFT", "GIVEN", "secret", "private")) else "contained")
    `,
    outcomes: ["completed"],
    prints: "contained\n",
    after: "cross_environment_plant",
  },
  {
    name: "cross_report_plant",
    threat: "An exception's text is left in the memory that the slot reads it from.",
    runtime: "python",
    source: text`
      raise ValueError('marker-of-the-report')
    `,
    outcomes: ["failed"],
    exitCode: 1,
    error: "ValueError",
  },
  {
    name: "cross_report_check",
    threat: "The exception of a previous call is found where the slot reads it.",
    runtime: "python",
    source: text`
      import gc, os
      hits = [1 for o in gc.get_objects() for v in ([o] + gc.get_referents(o)) if type(v) is memoryview and any(bytes(v))]
      print("BREACH:report" if hits else "contained", flush=True)
      os._exit(0)
    `,
    outcomes: ["completed"],
    prints: "contained\n",
    after: "cross_report_plant",
  },
  {
    name: "cross_big_stdin_small_limit",
    threat:
      "More input than the call has memory: it is the slot's, not the program's, and no reason to lose the call.",
    runtime: "python",
    source: text`
      import os
      print(len(os.read(0, 10)))
    `,
    limits: { memory_bytes: 16 * MiB },
    stdinBytes: 24 * MiB,
    outcomes: ["completed"],
    prints: "10\n",
  },
  {
    name: "cross_input_after_small_limit",
    threat: "A call of 16 MiB leaves the slot a limit that the next call's input does not fit in.",
    runtime: "python",
    source: text`
      import os
      print(os.fstat(0).st_size)
    `,
    stdinBytes: 30 * MiB,
    outcomes: ["completed"],
    prints: "31457280\n",
    after: "cross_big_stdin_small_limit",
  },
];
