/** Programs that look at the machine from inside. */
import { NO_PLACES, type HostileProgram, text } from "../program.ts";

export const HOST_VIEW: readonly HostileProgram[] = [
  {
    name: "leak_other_processes",
    threat: "Processes of others in /proc.",
    differs: NO_PLACES,
    runtime: "python",
    source: text`
      import os
      me = os.getpid()
      out = []
      for p in os.listdir("/proc") if os.path.isdir("/proc") else []:
          if p.isdigit() and int(p) != me:
              try: out.append((p, open(f"/proc/{p}/cmdline").read()[:60]))
              except OSError: pass
      print("BREACH:" + str(out[:3]) if out else "contained")
    `,
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "leak_environ",
    threat: "The server's environment.",
    runtime: "python",
    source: text`
      import os
      bad = [k for k in os.environ if any(w in k.upper() for w in ("TOKEN", "SECRET", "KEY", "PASS", "AWS", "KUBE", "PROXY", "CREDENTIAL"))]
      print("BREACH:" + str(bad) if bad else "contained", sorted(os.environ))
    `,
    outcomes: ["completed"],
    says: [/^contained \[/],
  },
  {
    name: "leak_kernel_files",
    threat: "Files of the kernel that tell about the machine.",
    runtime: "python",
    source: text`
      for p in ("/proc/kallsyms", "/proc/kcore", "/proc/keys", "/proc/config.gz", "/proc/timer_list", "/proc/sched_debug", "/proc/kpagecount", "/proc/slabinfo", "/sys/kernel/debug", "/sys/kernel/security", "/sys/firmware", "/dev/kmsg", "/proc/cmdline", "/proc/version"):
          try:
              import os
              x = os.listdir(p) if os.path.isdir(p) else open(p, "rb").read(32)
              print("BREACH:" + p if x and p not in ("/proc/version",) else "empty")
          except OSError: print("contained")
    `,
    outcomes: ["completed"],
    says: [/^(?:(?:contained|empty)\n){14}$/],
  },
  {
    name: "proc_write_core_pattern",
    threat: "Settings of the machine and of the process in /proc.",
    runtime: "python",
    source: text`
      for p, v in (("/proc/sys/kernel/core_pattern", "|/tmp/x"), ("/proc/sysrq-trigger", "h"), ("/proc/sys/vm/drop_caches", "1"), ("/proc/self/oom_score_adj", "-1000"), ("/proc/self/uid_map", "0 0 1"), ("/proc/1/oom_score_adj", "1000"), ("/sys/kernel/uevent_helper", "/tmp/x"), ("/proc/sys/fs/binfmt_misc/register", ":x:")):
          try:
              open(p, "w").write(v); print("BREACH:" + p)
          except OSError: print("contained")
    `,
    outcomes: ["completed"],
    prints: "contained\n".repeat(8),
  },
  {
    name: "proc_cgroup_escape",
    threat: "The cgroup's own files.",
    runtime: "python",
    source: text`
      import glob, os
      hit = []
      for p in glob.glob("/sys/fs/cgroup/**/release_agent", recursive=True) + glob.glob("/sys/fs/cgroup/**/cgroup.procs", recursive=True)[:50] + glob.glob("/sys/fs/cgroup/**/memory.limit_in_bytes", recursive=True)[:50]:
          try:
              open(p, "w").write("0"); hit.append(p)
          except OSError: pass
      print("BREACH:" + str(hit[:3]) if hit else "contained")
    `,
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "proc_oom_score_lower",
    threat: "Another victim for the kernel when memory is out.",
    runtime: "python",
    source: text`
      try:
          v = int(open("/proc/self/oom_score_adj").read())
          open("/proc/self/oom_score_adj", "w").write("0")
          print("BREACH:lowered from %d" % v if v > 0 else "was 0")
      except OSError: print("contained")
    `,
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "leak_proc_entries",
    threat: "Entries of /proc that are not of a process.",
    differs: NO_PLACES,
    runtime: "python",
    source: text`
      import os
      found = [name for name in os.listdir("/proc") if not name.isdigit() and name not in ("self", "thread-self")]
      print("BREACH:" + str(found) if found else "contained")
    `,
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "leak_names",
    threat: "The machine's name and the cgroup's path.",
    notHeld: { process: "the machine has its own name there: no namespace gives it another" },
    runtime: "python",
    source: text`
      import os, socket
      print(socket.gethostname(), os.uname().nodename, sorted({line.split(":", 2)[2].strip() for line in open("/proc/self/cgroup")}) == ["/"])
    `,
    outcomes: ["completed"],
    prints: "sandbox sandbox True\n",
  },
  {
    name: "leak_self_files",
    threat: "Files of its own process that change how the kernel treats it.",
    runtime: "python",
    source: text`
      hits = []
      for name in ("uid_map", "gid_map", "setgroups", "oom_adj", "oom_score_adj", "coredump_filter", "timerslack_ns", "clear_refs", "loginuid", "attr/current", "sched", "autogroup", "make-it-fail", "comm"):
          try:
              open("/proc/self/" + name, "w").write("0"); hits.append(name)
          except OSError: pass
      print("BREACH:" + str(hits) if hits else "contained")
    `,
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "leak_slot_memory",
    threat: "Memory and descriptors of the slot process by /proc.",
    runtime: "python",
    source: text`
      import os
      hits = []
      for pid in ("1", str(os.getppid())):
          for name in ("mem", "maps", "environ", "fd", "fdinfo", "root", "cwd", "exe", "ns/mnt", "map_files", "stack", "syscall", "cmdline", "status"):
              try:
                  path = f"/proc/{pid}/{name}"
                  os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(1) if not name in ("exe", "cwd", "root") else os.readlink(path)
                  hits.append(path)
              except OSError: pass
      print("BREACH:" + str(hits) if hits else "contained")
    `,
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "leak_maps_of_files",
    threat: "Other processes by handles of the own /proc directory.",
    runtime: "python",
    source: text`
      import os
      hits = []
      for path in ("/proc/self/root/proc/1/environ", "/proc/self/cwd/../../run/rollcall", "/proc/self/task/1/environ", "/proc/thread-self/../../../1/environ", "/proc/self/fd/0/../1"):
          try:
              found = os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(1)
              if found: hits.append(path)
          except OSError: pass
      print("BREACH:" + str(hits) if hits else "contained")
    `,
    outcomes: ["completed"],
    prints: "contained\n",
  },
];
