/** Programs that try the kernel's surface. */
import { ONE_USER, ONE_PROCESS, NO_PLACES, type HostileProgram, text } from "../program.ts";

export const KERNEL: readonly HostileProgram[] = [
  {
    name: "sys_io_uring",
    threat: "io_uring, whose operations a filter does not see.",
    runtime: "python",
    source: text`
      import ctypes, errno
      L = ctypes.CDLL(None, use_errno=True)
      def sc(n, *a):
          ctypes.set_errno(0)
          r = L.syscall(ctypes.c_long(n), *[x if isinstance(x, bytes) else ctypes.c_long(x) for x in a])
          return r, errno.errorcode.get(ctypes.get_errno(), ctypes.get_errno())
      def t(name, n, *a, ok=("EPERM", "ENOSYS", "EACCES")):
          r, e = sc(n, *a)
          print("contained" if r == -1 and e in ok else f"BREACH:{name} r={r} {e}")
      t("io_uring_setup", 425, 4, 0)
    `,
    arch: "x64",
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "sys_bpf",
    threat: "Programs of the kernel's own machine (bpf).",
    runtime: "python",
    source: text`
      import ctypes, errno
      L = ctypes.CDLL(None, use_errno=True)
      def sc(n, *a):
          ctypes.set_errno(0)
          r = L.syscall(ctypes.c_long(n), *[x if isinstance(x, bytes) else ctypes.c_long(x) for x in a])
          return r, errno.errorcode.get(ctypes.get_errno(), ctypes.get_errno())
      def t(name, n, *a, ok=("EPERM", "ENOSYS", "EACCES")):
          r, e = sc(n, *a)
          print("contained" if r == -1 and e in ok else f"BREACH:{name} r={r} {e}")
      t("bpf", 321, 0, 0, 0)
    `,
    arch: "x64",
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "sys_keyrings",
    threat: "Keyrings outlive the call and belong to the user.",
    runtime: "python",
    source: text`
      import ctypes, errno
      L = ctypes.CDLL(None, use_errno=True)
      def sc(n, *a):
          ctypes.set_errno(0)
          r = L.syscall(ctypes.c_long(n), *[x if isinstance(x, bytes) else ctypes.c_long(x) for x in a])
          return r, errno.errorcode.get(ctypes.get_errno(), ctypes.get_errno())
      def t(name, n, *a, ok=("EPERM", "ENOSYS", "EACCES")):
          r, e = sc(n, *a)
          print("contained" if r == -1 and e in ok else f"BREACH:{name} r={r} {e}")
      t("keyctl", 250, 0, -3, 0)
      t("add_key", 248, b"user", b"x", b"y", 1, -3)
      t("request_key", 249, b"user", b"x", 0, 0)
    `,
    arch: "x64",
    outcomes: ["completed"],
    prints: "contained\n".repeat(3),
  },
  {
    name: "sys_process_vm",
    threat: "Memory and descriptors of other processes.",
    runtime: "python",
    source: text`
      import ctypes, errno
      L = ctypes.CDLL(None, use_errno=True)
      def sc(n, *a):
          ctypes.set_errno(0)
          r = L.syscall(ctypes.c_long(n), *[x if isinstance(x, bytes) else ctypes.c_long(x) for x in a])
          return r, errno.errorcode.get(ctypes.get_errno(), ctypes.get_errno())
      def t(name, n, *a, ok=("EPERM", "ENOSYS", "EACCES")):
          r, e = sc(n, *a)
          print("contained" if r == -1 and e in ok else f"BREACH:{name} r={r} {e}")
      import os
      t("process_vm_readv", 310, os.getppid() or 1, 0, 0, 0, 0, 0)
      t("process_vm_writev", 311, os.getppid() or 1, 0, 0, 0, 0, 0)
      t("pidfd_getfd", 438, 0, 0, 0)
      t("process_madvise", 440, 0, 0, 0, 0, 0)
      t("kcmp", 312, 1, 1, 0, 0, 0)
    `,
    arch: "x64",
    outcomes: ["completed"],
    prints: "contained\n".repeat(5),
  },
  {
    name: "sys_clone_newuser",
    threat: "A user namespace brings all capabilities.",
    runtime: "python",
    source: text`
      import ctypes, errno
      L = ctypes.CDLL(None, use_errno=True)
      def sc(n, *a):
          ctypes.set_errno(0)
          r = L.syscall(ctypes.c_long(n), *[x if isinstance(x, bytes) else ctypes.c_long(x) for x in a])
          return r, errno.errorcode.get(ctypes.get_errno(), ctypes.get_errno())
      def t(name, n, *a, ok=("EPERM", "ENOSYS", "EACCES")):
          r, e = sc(n, *a)
          print("contained" if r == -1 and e in ok else f"BREACH:{name} r={r} {e}")
      import os
      r, e = sc(56, 0x10000000 | 17, 0, 0, 0, 0)
      if r == 0: os._exit(0)
      print("contained" if r == -1 and e in ("EPERM", "ENOSYS") else f"BREACH:clone NEWUSER {r} {e}")
    `,
    arch: "x64",
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "sys_perf_event",
    threat: "Performance counters see other processes.",
    runtime: "python",
    source: text`
      import ctypes, errno
      L = ctypes.CDLL(None, use_errno=True)
      def sc(n, *a):
          ctypes.set_errno(0)
          r = L.syscall(ctypes.c_long(n), *[x if isinstance(x, bytes) else ctypes.c_long(x) for x in a])
          return r, errno.errorcode.get(ctypes.get_errno(), ctypes.get_errno())
      def t(name, n, *a, ok=("EPERM", "ENOSYS", "EACCES")):
          r, e = sc(n, *a)
          print("contained" if r == -1 and e in ok else f"BREACH:{name} r={r} {e}")
      t("perf_event_open", 298, 0, 0, -1, -1, 0)
    `,
    arch: "x64",
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "sys_time_set",
    threat: "The machine's clock.",
    runtime: "python",
    source: text`
      import ctypes, errno
      L = ctypes.CDLL(None, use_errno=True)
      def sc(n, *a):
          ctypes.set_errno(0)
          r = L.syscall(ctypes.c_long(n), *[x if isinstance(x, bytes) else ctypes.c_long(x) for x in a])
          return r, errno.errorcode.get(ctypes.get_errno(), ctypes.get_errno())
      def t(name, n, *a, ok=("EPERM", "ENOSYS", "EACCES")):
          r, e = sc(n, *a)
          print("contained" if r == -1 and e in ok else f"BREACH:{name} r={r} {e}")
      t("settimeofday", 164, 0, 0)
      t("clock_settime", 227, 0, 0)
      t("adjtimex", 159, 0, ok=("EPERM", "EACCES", "ENOSYS", "EFAULT"))
    `,
    arch: "x64",
    outcomes: ["completed"],
    prints: "contained\n".repeat(3),
  },
  {
    name: "sys_handle_open",
    threat: "Files of the host opened by handle.",
    runtime: "python",
    source: text`
      import ctypes, errno
      L = ctypes.CDLL(None, use_errno=True)
      def sc(n, *a):
          ctypes.set_errno(0)
          r = L.syscall(ctypes.c_long(n), *[x if isinstance(x, bytes) else ctypes.c_long(x) for x in a])
          return r, errno.errorcode.get(ctypes.get_errno(), ctypes.get_errno())
      def t(name, n, *a, ok=("EPERM", "ENOSYS", "EACCES")):
          r, e = sc(n, *a)
          print("contained" if r == -1 and e in ok else f"BREACH:{name} r={r} {e}")
      t("name_to_handle_at", 303, -100, b"/", 0, 0, 0)
      t("open_by_handle_at", 304, -1, 0, 0)
    `,
    arch: "x64",
    outcomes: ["completed"],
    prints: "contained\ncontained\n",
  },
  {
    name: "sys_personality",
    threat: "A personality without address randomisation.",
    runtime: "python",
    source: text`
      import ctypes, errno
      L = ctypes.CDLL(None, use_errno=True)
      def sc(n, *a):
          ctypes.set_errno(0)
          r = L.syscall(ctypes.c_long(n), *[x if isinstance(x, bytes) else ctypes.c_long(x) for x in a])
          return r, errno.errorcode.get(ctypes.get_errno(), ctypes.get_errno())
      def t(name, n, *a, ok=("EPERM", "ENOSYS", "EACCES")):
          r, e = sc(n, *a)
          print("contained" if r == -1 and e in ok else f"BREACH:{name} r={r} {e}")
      r, e = sc(135, 0x0040000 | 0x0400000)
      print("contained" if r == -1 else "BREACH:personality changed")
    `,
    arch: "x64",
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "sys_modify_ldt_iopl",
    threat: "Old x86 interfaces.",
    runtime: "python",
    source: text`
      import ctypes, errno
      L = ctypes.CDLL(None, use_errno=True)
      def sc(n, *a):
          ctypes.set_errno(0)
          r = L.syscall(ctypes.c_long(n), *[x if isinstance(x, bytes) else ctypes.c_long(x) for x in a])
          return r, errno.errorcode.get(ctypes.get_errno(), ctypes.get_errno())
      def t(name, n, *a, ok=("EPERM", "ENOSYS", "EACCES")):
          r, e = sc(n, *a)
          print("contained" if r == -1 and e in ok else f"BREACH:{name} r={r} {e}")
      t("modify_ldt", 154, 0, 0, 0)
      t("iopl", 172, 3)
      t("ioperm", 173, 0, 1, 1)
    `,
    arch: "x64",
    outcomes: ["completed"],
    prints: "contained\n".repeat(3),
  },
  {
    name: "sys_x32_abi",
    threat: "The x32 ABI goes past a filter that looks at numbers only.",
    runtime: "python",
    source: text`
      import ctypes, errno
      L = ctypes.CDLL(None, use_errno=True)
      def sc(n, *a):
          ctypes.set_errno(0)
          r = L.syscall(ctypes.c_long(n), *[x if isinstance(x, bytes) else ctypes.c_long(x) for x in a])
          return r, errno.errorcode.get(ctypes.get_errno(), ctypes.get_errno())
      def t(name, n, *a, ok=("EPERM", "ENOSYS", "EACCES")):
          r, e = sc(n, *a)
          print("contained" if r == -1 and e in ok else f"BREACH:{name} r={r} {e}")
      r, e = sc(0x40000000 | 39)
      print("contained" if r == -1 else f"BREACH:x32 getpid {r}")
    `,
    arch: "x64",
    outcomes: ["completed", "signaled"],
    why: "the filter ends the process, or the kernel knows no x32",
    whenCompleted: /^contained/,
  },
  {
    name: "sys_regain_root",
    threat: "User 0 again.",
    notHeld: ONE_USER,
    runtime: "python",
    source: text`
      import os
      for f in (lambda: os.setuid(0), lambda: os.setresuid(0, 0, 0), lambda: os.setgid(0), lambda: os.setgroups([0])):
          try:
              f(); print("BREACH:uid/gid 0")
          except OSError: print("contained")
      print(os.getresuid(), os.getresgid(), os.getgroups())
    `,
    outcomes: ["completed"],
    says: [/^(?:contained\n){4}\(([1-9]\d*), \1, \1\) \(\1, \1, \1\) \[\]\n$/],
  },
  {
    name: "sys_capabilities",
    threat: "Capabilities that were left.",
    runtime: "python",
    source: text`
      d = {k: v.strip() for k, _, v in (l.partition(":") for l in open("/proc/self/status"))}
      bad = {k: d[k] for k in ("CapInh", "CapPrm", "CapEff", "CapAmb") if int(d[k], 16)}
      print("BREACH:" + str(bad) if bad else "contained", "NNP", d.get("NoNewPrivs"), "Seccomp", d.get("Seccomp"))
    `,
    outcomes: ["completed"],
    prints: "contained NNP 1 Seccomp 2\n",
  },
  {
    name: "sys_ptrace",
    threat: "Other processes are traced, or the program asks to be.",
    runtime: "python",
    source: text`
      import ctypes, errno, os
      L = ctypes.CDLL(None, use_errno=True)
      def attempt(name, number, *args, ok=("EPERM", "ENOSYS", "EACCES")):
          ctypes.set_errno(0)
          r = L.syscall(ctypes.c_long(number), *[a if isinstance(a, bytes) else ctypes.c_long(a) for a in args])
          e = errno.errorcode.get(ctypes.get_errno(), "0")
          if r == 0 and name.startswith("clone"): os._exit(0)
          print("contained" if r == -1 and e in ok else f"BREACH:{name} {r} {e}")
      attempt("ptrace traceme", 101, 0, 0, 0, 0)
      attempt("ptrace attach", 101, 16, os.getppid(), 0, 0)
      attempt("ptrace seize", 101, 0x4206, os.getppid(), 0, 0)
    `,
    arch: "x64",
    outcomes: ["completed"],
    prints: "contained\n".repeat(3),
  },
  {
    name: "sys_mount",
    threat: "File systems are mounted, moved and unmounted.",
    runtime: "python",
    source: text`
      import ctypes, errno, os
      L = ctypes.CDLL(None, use_errno=True)
      def attempt(name, number, *args, ok=("EPERM", "ENOSYS", "EACCES")):
          ctypes.set_errno(0)
          r = L.syscall(ctypes.c_long(number), *[a if isinstance(a, bytes) else ctypes.c_long(a) for a in args])
          e = errno.errorcode.get(ctypes.get_errno(), "0")
          if r == 0 and name.startswith("clone"): os._exit(0)
          print("contained" if r == -1 and e in ok else f"BREACH:{name} {r} {e}")
      attempt("mount tmpfs", 165, b"x", b"/tmp", b"tmpfs", 0, 0)
      attempt("mount proc", 165, b"proc", b"/tmp", b"proc", 0, 0)
      attempt("remount", 165, b"", b"/usr", b"", 4096 | 32, 0)
      attempt("umount", 166, b"/proc", 2)
      attempt("pivot_root", 155, b"/tmp", b"/tmp")
      attempt("chroot", 161, b"/tmp")
      attempt("open_tree", 428, -100, b"/", 1)
      attempt("move_mount", 429, -100, b"/tmp", -100, b"/work", 0)
      attempt("fsopen", 430, b"tmpfs", 0)
      attempt("fsconfig", 431, 0, 6, 0, 0, 0)
      attempt("fsmount", 432, 0, 0, 0)
      attempt("fspick", 433, -100, b"/tmp", 0)
      attempt("mount_setattr", 442, -100, b"/usr", 0, 0, 0)
    `,
    arch: "x64",
    outcomes: ["completed"],
    prints: "contained\n".repeat(13),
  },
  {
    name: "sys_unshare",
    threat: "New namespaces of every kind.",
    runtime: "python",
    source: text`
      import ctypes, errno, os
      L = ctypes.CDLL(None, use_errno=True)
      def attempt(name, number, *args, ok=("EPERM", "ENOSYS", "EACCES")):
          ctypes.set_errno(0)
          r = L.syscall(ctypes.c_long(number), *[a if isinstance(a, bytes) else ctypes.c_long(a) for a in args])
          e = errno.errorcode.get(ctypes.get_errno(), "0")
          if r == 0 and name.startswith("clone"): os._exit(0)
          print("contained" if r == -1 and e in ok else f"BREACH:{name} {r} {e}")
      for flag in (0x20000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000, 0x80, 0x10000000 | 0x20000):
          attempt(f"unshare {flag:#x}", 272, flag)
    `,
    arch: "x64",
    outcomes: ["completed"],
    prints: "contained\n".repeat(9),
  },
  {
    name: "sys_setns",
    threat: "Namespaces of itself and of the slot are entered.",
    differs: ONE_PROCESS,
    runtime: "python",
    source: text`
      import ctypes, errno, os
      L = ctypes.CDLL(None, use_errno=True)
      def attempt(name, number, *args, ok=("EPERM", "ENOSYS", "EACCES")):
          ctypes.set_errno(0)
          r = L.syscall(ctypes.c_long(number), *[a if isinstance(a, bytes) else ctypes.c_long(a) for a in args])
          e = errno.errorcode.get(ctypes.get_errno(), "0")
          if r == 0 and name.startswith("clone"): os._exit(0)
          print("contained" if r == -1 and e in ok else f"BREACH:{name} {r} {e}")
      for kind in ("mnt", "pid", "net", "user", "ipc", "uts", "cgroup"):
          try: fd = os.open(f"/proc/self/ns/{kind}", os.O_RDONLY)
          except OSError: fd = 0
          attempt("setns " + kind, 308, fd, 0)
      attempt("setns pidfd", 308, os.pidfd_open(os.getppid()), 0x7e020000)
    `,
    arch: "x64",
    outcomes: ["completed"],
    prints: "contained\n".repeat(8),
  },
  {
    name: "sys_clone_namespaces",
    threat: "A child in new namespaces.",
    runtime: "python",
    source: text`
      import ctypes, errno, os
      L = ctypes.CDLL(None, use_errno=True)
      def attempt(name, number, *args, ok=("EPERM", "ENOSYS", "EACCES")):
          ctypes.set_errno(0)
          r = L.syscall(ctypes.c_long(number), *[a if isinstance(a, bytes) else ctypes.c_long(a) for a in args])
          e = errno.errorcode.get(ctypes.get_errno(), "0")
          if r == 0 and name.startswith("clone"): os._exit(0)
          print("contained" if r == -1 and e in ok else f"BREACH:{name} {r} {e}")
      for flag in (0x20000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000):
          attempt(f"clone {flag:#x}", 56, flag | 17, 0, 0, 0, 0)
    `,
    arch: "x64",
    outcomes: ["completed"],
    prints: "contained\n".repeat(7),
  },
  {
    name: "sys_clone3",
    threat: "clone3, whose flags a filter cannot read.",
    runtime: "python",
    source: text`
      import ctypes, errno, os
      L = ctypes.CDLL(None, use_errno=True)
      def attempt(name, number, *args, ok=("EPERM", "ENOSYS", "EACCES")):
          ctypes.set_errno(0)
          r = L.syscall(ctypes.c_long(number), *[a if isinstance(a, bytes) else ctypes.c_long(a) for a in args])
          e = errno.errorcode.get(ctypes.get_errno(), "0")
          if r == 0 and name.startswith("clone"): os._exit(0)
          print("contained" if r == -1 and e in ok else f"BREACH:{name} {r} {e}")
      import struct
      for flag in (0, 0x10000000, 0x20000):
          args = struct.pack("<11Q", flag, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0)
          attempt("clone3", 435, args, len(args))
    `,
    arch: "x64",
    outcomes: ["completed"],
    prints: "contained\n".repeat(3),
  },
  {
    name: "sys_userfaultfd",
    threat: "Page faults that wait for the program, to win races in the kernel.",
    runtime: "python",
    source: text`
      import ctypes, errno, os
      L = ctypes.CDLL(None, use_errno=True)
      def attempt(name, number, *args, ok=("EPERM", "ENOSYS", "EACCES")):
          ctypes.set_errno(0)
          r = L.syscall(ctypes.c_long(number), *[a if isinstance(a, bytes) else ctypes.c_long(a) for a in args])
          e = errno.errorcode.get(ctypes.get_errno(), "0")
          if r == 0 and name.startswith("clone"): os._exit(0)
          print("contained" if r == -1 and e in ok else f"BREACH:{name} {r} {e}")
      attempt("userfaultfd", 323, 0)
      attempt("userfaultfd user", 323, 1)
    `,
    arch: "x64",
    outcomes: ["completed"],
    prints: "contained\ncontained\n",
  },
  {
    name: "sys_modules",
    threat: "Code is loaded into the kernel, or another kernel started.",
    runtime: "python",
    source: text`
      import ctypes, errno, os
      L = ctypes.CDLL(None, use_errno=True)
      def attempt(name, number, *args, ok=("EPERM", "ENOSYS", "EACCES")):
          ctypes.set_errno(0)
          r = L.syscall(ctypes.c_long(number), *[a if isinstance(a, bytes) else ctypes.c_long(a) for a in args])
          e = errno.errorcode.get(ctypes.get_errno(), "0")
          if r == 0 and name.startswith("clone"): os._exit(0)
          print("contained" if r == -1 and e in ok else f"BREACH:{name} {r} {e}")
      attempt("init_module", 175, b"x", 1, b"")
      attempt("finit_module", 313, 0, b"", 0)
      attempt("delete_module", 176, b"x", 0)
      attempt("kexec_load", 246, 0, 0, 0, 0)
      attempt("kexec_file_load", 320, 0, 0, 0, b"", 0)
      attempt("reboot", 169, 0xfee1dead, 672274793, 0, 0)
    `,
    arch: "x64",
    outcomes: ["completed"],
    prints: "contained\n".repeat(6),
  },
  {
    name: "sys_machine",
    threat: "Swap, accounting, quotas, logs and names of the machine.",
    runtime: "python",
    source: text`
      import ctypes, errno, os
      L = ctypes.CDLL(None, use_errno=True)
      def attempt(name, number, *args, ok=("EPERM", "ENOSYS", "EACCES")):
          ctypes.set_errno(0)
          r = L.syscall(ctypes.c_long(number), *[a if isinstance(a, bytes) else ctypes.c_long(a) for a in args])
          e = errno.errorcode.get(ctypes.get_errno(), "0")
          if r == 0 and name.startswith("clone"): os._exit(0)
          print("contained" if r == -1 and e in ok else f"BREACH:{name} {r} {e}")
      attempt("swapon", 167, b"/tmp/x", 0)
      attempt("swapoff", 168, b"/tmp/x")
      attempt("acct", 163, b"/tmp/x")
      attempt("quotactl", 179, 0, b"", 0, 0)
      attempt("syslog", 103, 3, 0, 0)
      attempt("vhangup", 153)
      attempt("sethostname", 170, b"owned", 5)
      attempt("setdomainname", 171, b"owned", 5)
      attempt("clock_adjtime", 305, 0, 0)
      attempt("fanotify_init", 300, 0, 0)
      attempt("lookup_dcookie", 212, 0, 0, 0)
    `,
    arch: "x64",
    outcomes: ["completed"],
    prints: "contained\n".repeat(11),
  },
  {
    name: "sys_ipc",
    threat: "Shared memory, semaphores and queues that outlive a call.",
    runtime: "python",
    source: text`
      import ctypes, errno, os
      L = ctypes.CDLL(None, use_errno=True)
      def attempt(name, number, *args, ok=("EPERM", "ENOSYS", "EACCES")):
          ctypes.set_errno(0)
          r = L.syscall(ctypes.c_long(number), *[a if isinstance(a, bytes) else ctypes.c_long(a) for a in args])
          e = errno.errorcode.get(ctypes.get_errno(), "0")
          if r == 0 and name.startswith("clone"): os._exit(0)
          print("contained" if r == -1 and e in ok else f"BREACH:{name} {r} {e}")
      attempt("shmget", 29, 1, 4096, 0o1666)
      attempt("shmat", 30, 0, 0, 0)
      attempt("semget", 64, 1, 1, 0o1666)
      attempt("msgget", 68, 1, 0o1666)
      attempt("mq_open", 240, b"adv", 0o102, 0o666, 0)
      attempt("mq_unlink", 241, b"adv")
    `,
    arch: "x64",
    outcomes: ["completed"],
    prints: "contained\n".repeat(6),
  },
  {
    name: "sys_memory_policy",
    threat: "Pages of this and of other processes are moved.",
    runtime: "python",
    source: text`
      import ctypes, errno, os
      L = ctypes.CDLL(None, use_errno=True)
      def attempt(name, number, *args, ok=("EPERM", "ENOSYS", "EACCES")):
          ctypes.set_errno(0)
          r = L.syscall(ctypes.c_long(number), *[a if isinstance(a, bytes) else ctypes.c_long(a) for a in args])
          e = errno.errorcode.get(ctypes.get_errno(), "0")
          if r == 0 and name.startswith("clone"): os._exit(0)
          print("contained" if r == -1 and e in ok else f"BREACH:{name} {r} {e}")
      attempt("mbind", 237, 0, 0, 0, 0, 0, 0)
      attempt("set_mempolicy", 238, 0, 0, 0)
      attempt("migrate_pages", 256, 0, 0, 0, 0)
      attempt("move_pages", 279, 0, 0, 0, 0, 0, 0)
      attempt("process_mrelease", 448, 0, 0)
      attempt("memfd_secret", 447, 0)
      attempt("io_setup", 206, 1, 0)
    `,
    arch: "x64",
    outcomes: ["completed"],
    prints: "contained\n".repeat(7),
  },
  {
    name: "sys_unknown",
    threat: "System calls newer than anybody has looked at.",
    runtime: "python",
    source: text`
      import ctypes, errno, os
      L = ctypes.CDLL(None, use_errno=True)
      def attempt(name, number, *args, ok=("EPERM", "ENOSYS", "EACCES")):
          ctypes.set_errno(0)
          r = L.syscall(ctypes.c_long(number), *[a if isinstance(a, bytes) else ctypes.c_long(a) for a in args])
          e = errno.errorcode.get(ctypes.get_errno(), "0")
          if r == 0 and name.startswith("clone"): os._exit(0)
          print("contained" if r == -1 and e in ok else f"BREACH:{name} {r} {e}")
      looked_at = {449, 452, 453, 454, 455, 456, 462}
      for number in range(449, 600):
          if number not in looked_at: attempt(f"number {number}", number, 0, 0, 0, 0, 0, 0)
    `,
    arch: "x64",
    outcomes: ["completed"],
    prints: "contained\n".repeat(144),
  },
  {
    name: "sys_filter_undone",
    threat: "A filter of its own, by which the one above it is to be undone.",
    runtime: "python",
    source: text`
      import ctypes, errno, os
      L = ctypes.CDLL(None, use_errno=True)
      def attempt(name, number, *args, ok=("EPERM", "ENOSYS", "EACCES")):
          ctypes.set_errno(0)
          r = L.syscall(ctypes.c_long(number), *[a if isinstance(a, bytes) else ctypes.c_long(a) for a in args])
          e = errno.errorcode.get(ctypes.get_errno(), "0")
          if r == 0 and name.startswith("clone"): os._exit(0)
          print("contained" if r == -1 and e in ok else f"BREACH:{name} {r} {e}")
      import struct
      L.prctl(38, 1, 0, 0, 0)
      allow = (ctypes.c_ubyte * 8)(*struct.pack("<HBBI", 6, 0, 0, 0x7fff0000))
      program = struct.pack("<HxxxxxxQ", 1, ctypes.addressof(allow))
      print("own filter", L.prctl(22, 2, program))
      attempt("mount", 165, b"x", b"/tmp", b"tmpfs", 0, 0)
      attempt("unshare", 272, 0x10000000)
      print(open("/proc/self/status").read().split("Seccomp:")[1].split()[0])
    `,
    arch: "x64",
    outcomes: ["completed"],
    prints: "own filter 0\ncontained\ncontained\n2\n",
  },
  {
    name: "sys_i386",
    threat: "The 32-bit ABI goes past a filter that looks at numbers only.",
    runtime: "python",
    source: text`
      import ctypes, errno, os
      L = ctypes.CDLL(None, use_errno=True)
      def attempt(name, number, *args, ok=("EPERM", "ENOSYS", "EACCES")):
          ctypes.set_errno(0)
          r = L.syscall(ctypes.c_long(number), *[a if isinstance(a, bytes) else ctypes.c_long(a) for a in args])
          e = errno.errorcode.get(ctypes.get_errno(), "0")
          if r == 0 and name.startswith("clone"): os._exit(0)
          print("contained" if r == -1 and e in ok else f"BREACH:{name} {r} {e}")
      import mmap
      code = mmap.mmap(-1, 4096, prot=7)
      code.write(bytes.fromhex("b814000000cd80c3"))
      getpid = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
      print("BREACH:int 0x80" if getpid() > 0 else "contained", flush=True)
    `,
    arch: "x64",
    outcomes: ["signaled", "completed"],
    why: "the filter ends the process, or the kernel knows no 32-bit ABI",
    whenCompleted: "contained\n",
  },
  {
    name: "sys_prctl",
    threat: "prctl: privileges, keep-capabilities, ambient capabilities, memory layout, secure bits.",
    runtime: "python",
    source: text`
      import ctypes
      L = ctypes.CDLL(None, use_errno=True)
      L.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
      games = {"no_new_privs off": (38, 0, 0, 0, 0), "seccomp off": (22, 0, 0, 0, 0), "ambient raise": (47, 2, 21, 0, 0), "securebits": (28, 0, 0, 0, 0),
               "bounding drop": (24, 0, 0, 0, 0), "mm start": (35, 1, 4096, 0, 0), "mm exe": (35, 13, 0, 0, 0), "dumpable 2": (4, 2, 0, 0, 0), "tsc": (26, 3, 0, 0, 0)}
      print("".join(f"BREACH:{name}\n" if L.prctl(*game) == 0 else "contained\n" for name, game in games.items()), end="")
    `,
    outcomes: ["completed"],
    prints: "contained\n".repeat(9),
  },
  {
    name: "sys_capset",
    threat: "Capabilities are asked for, by every way there is.",
    differs: NO_PLACES,
    runtime: "python",
    source: text`
      import ctypes, os, struct
      L = ctypes.CDLL(None, use_errno=True)
      header = struct.pack("<II", 0x20080522, 0)
      for wanted in (1 << 21, 1 << 7, 0xffffffff):
          print("contained" if L.capset(header, struct.pack("<6I", wanted, wanted, wanted, 0, 0, 0)) == -1 else "BREACH:capset")
      L.setfsuid(0); open("/tmp/f", "w").close()
      print("contained" if os.stat("/tmp/f").st_uid == os.getuid() else "BREACH:setfsuid")
    `,
    outcomes: ["completed"],
    prints: "contained\n".repeat(4),
  },
  {
    name: "sys_rlimits",
    threat: "Limits are raised above what was set.",
    runtime: "python",
    source: text`
      import resource
      raised = []
      for name in ("NOFILE", "CORE", "MEMLOCK", "MSGQUEUE", "NICE", "RTPRIO", "SIGPENDING", "CPU"):
          kind = getattr(resource, "RLIMIT_" + name, None)
          if kind is None: continue
          hard = resource.getrlimit(kind)[1]
          try:
              resource.setrlimit(kind, (hard, resource.RLIM_INFINITY if hard == 0 else hard + 1)); raised.append(name)
          except (OSError, ValueError): pass
      print("BREACH:" + str(raised) if raised else "contained")
    `,
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "sys_landlock_widen",
    threat: "A Landlock domain of its own, by which another is to be widened.",
    runtime: "python",
    source: text`
      import ctypes, os
      L = ctypes.CDLL(None, use_errno=True)
      L.prctl(38, 1, 0, 0, 0)
      fd = L.syscall(444, (ctypes.c_uint64 * 1)(1 << 2), 8, 0)
      if fd >= 0: L.syscall(446, fd, 0)
      for path in ("/etc/passwd", "/usr/bin/python3"):
          try:
              os.open(path, os.O_WRONLY); print("BREACH:" + path)
          except OSError: print("contained")
    `,
    outcomes: ["completed"],
    prints: "contained\ncontained\n",
  },
  {
    name: "sys_binfmt_exec",
    threat: "Scripts and files that ask the kernel for an interpreter, or for themselves.",
    differs: NO_PLACES,
    runtime: "python",
    source: text`
      import os, subprocess
      open("/tmp/loop", "w").write("#!/tmp/loop\n"); os.chmod("/tmp/loop", 0o755)
      open("/tmp/odd", "wb").write(b"\x7fELF" + b"\xff" * 60); os.chmod("/tmp/odd", 0o755)
      for path in ("/tmp/loop", "/tmp/odd"):
          try:
              subprocess.run([path]); print("BREACH:ran")
          except OSError: print("contained")
    `,
    outcomes: ["completed"],
    prints: "contained\ncontained\n",
  },
];
