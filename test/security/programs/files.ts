/** Programs that fill, trap and climb the file system. */
import { ONE_USER, ONE_PROCESS, NO_PLACES, type HostileProgram, MiB, text } from "../program.ts";

export const FILES: readonly HostileProgram[] = [
  {
    name: "file_inode_bomb",
    threat: "Empty files without end.",
    differs: NO_PLACES,
    runtime: "python",
    source: text`
      import os
      n = 0
      try:
          while n < 2_000_000:
              open(f"/tmp/i{n}", "w").close(); n += 1
          print("BREACH:2M inodes")
      except OSError as e: print("contained", e.errno, n)
    `,
    outcomes: ["completed"],
    says: [/^contained 28 \d+\n$/],
  },
  {
    name: "file_sparse_huge",
    threat: "A sparse file of a petabyte, collected.",
    differs: NO_PLACES,
    runtime: "python",
    source: text`
      import os
      try:
          with open("s", "wb") as f: os.truncate(f.fileno(), 1 << 50)
          print("sparse ok")
      except OSError: print("contained")
    `,
    collect: ["s"],
    outcomes: ["completed"],
    files: { s: "too_large" },
  },
  {
    name: "file_symlink_out",
    threat: "Links and a FIFO to be collected in place of files.",
    differs: NO_PLACES,
    runtime: "python",
    source: text`
      import os
      for s, d in (("/etc/passwd", "/work/out.txt"), ("/proc/self/environ", "/work/env.txt"), ("/", "/work/rootdir")):
          os.symlink(s, d)
      os.mkfifo("/work/fifo.txt")
      print("planted")
    `,
    collect: ["out.txt", "env.txt", "rootdir", "fifo.txt"],
    outcomes: ["completed"],
    prints: "planted\n",
    files: {
      "out.txt": "not_a_regular_file",
      "env.txt": "not_a_regular_file",
      rootdir: "not_a_regular_file",
      "fifo.txt": "not_a_regular_file",
    },
  },
  {
    name: "file_name_tricks",
    threat: "Names with newlines, bad bytes and marks that turn text around.",
    differs: NO_PLACES,
    runtime: "python",
    source: text`
      import os
      for n in (b"\xff\xfe.txt", b"a\nb.txt", b"-rf", b" ", b"x" * 255, "‮txt.exe".encode()):
          open(b"/tmp/" + n, "w").write("x")
      print("planted")
    `,
    outcomes: ["completed"],
    prints: "planted\n",
  },
  {
    name: "file_mknod_device",
    threat: "A block device made in the scratch directory.",
    runtime: "python",
    source: text`
      import os, stat
      try:
          os.mknod("/tmp/vda", 0o666 | stat.S_IFBLK, os.makedev(254, 0)); open("/tmp/vda", "rb").read(1); print("BREACH:block device")
      except OSError: print("contained")
    `,
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "file_lock_shared_inode",
    threat: "flock on files that all sandboxes share is a channel between them.",
    runtime: "python",
    source: text`
      import fcntl, os
      for p in ("/usr/bin/python3", "/usr/lib/os-release", "/bin/sh"):
          try:
              f = open(p); fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB); print("BREACH:lock on shared inode", p); break
          except OSError: print("contained")
    `,
    outcomes: ["completed"],
    prints: "contained\n".repeat(3),
  },
  {
    name: "file_fill_disk",
    threat: "All scratch directories are filled.",
    runtime: "python",
    source: text`
      written = 0
      for directory in ("/work", "/tmp", "/dev/shm"):
          try:
              with open(directory + "/fill", "wb", buffering=0) as f:
                  while written < 1 << 30: written += f.write(bytes(1 << 16))
          except OSError: pass
      print("contained" if written <= 8 << 20 else "BREACH:" + str(written))
    `,
    limits: { disk_bytes: 8 * MiB },
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "file_fill_disk_uncaught",
    threat: "The disk is full and the program does not notice.",
    differs: NO_PLACES,
    runtime: "python",
    source: text`
      open('/tmp/fill', 'wb').write(bytes(16 << 20))
    `,
    limits: { disk_bytes: 8 * MiB },
    outcomes: ["disk_limit"],
    exitCode: 1,
  },
  {
    name: "file_deep_tree",
    threat: "A tree deeper than a path can be long.",
    runtime: "python",
    source: text`
      import os
      depth = 0
      try:
          while depth < 5000: os.mkdir("d" * 50); os.chdir("d" * 50); depth += 1
      except OSError: pass
      print("deep" if depth >= 1000 else depth)
    `,
    outcomes: ["completed"],
    prints: "deep\n",
  },
  {
    name: "file_hard_link",
    threat: "A file of the host by a hard link in the scratch directory.",
    runtime: "python",
    source: text`
      import os
      for target in ("/etc/passwd", "/usr/bin/python3", "/proc/self/exe"):
          try:
              os.link(target, "linked", follow_symlinks=True); print("BREACH:" + target)
          except OSError: print("contained")
      open("own.txt", "w").write("own"); os.link("own.txt", "second.txt")
    `,
    collect: ["second.txt", "linked"],
    outcomes: ["completed"],
    prints: "contained\n".repeat(3),
    files: { "second.txt": 3, linked: "not_found" },
  },
  {
    name: "file_collect_special",
    threat: "Whatever is not a plain file is collected.",
    differs: NO_PLACES,
    runtime: "python",
    source: text`
      import os, socket
      os.mkfifo("fifo"); os.mkdir("directory"); os.symlink("/etc", "etc"); os.symlink("loop", "loop"); os.symlink("secret", "link")
      socket.socket(socket.AF_UNIX).bind("socket")
      open("secret", "w").write("own"); os.chmod("secret", 0)
      os.symlink("/proc/self/fd/0", "magic")
    `,
    collect: ["fifo", "directory", "etc/passwd", "loop", "link", "socket", "secret", "magic"],
    outcomes: ["completed"],
    prints: "",
    files: {
      fifo: "not_a_regular_file",
      directory: "not_a_regular_file",
      "etc/passwd": "not_a_regular_file",
      loop: "not_a_regular_file",
      link: "not_a_regular_file",
      socket: "not_a_regular_file",
      secret: 3,
      magic: "not_a_regular_file",
    },
  },
  {
    name: "file_swap_while_collected",
    threat: "A daemon swaps a file for a link to the host's while it is collected.",
    differs: ONE_PROCESS,
    runtime: "python",
    source: text`
      import os
      open("mine", "w").write("mine")
      if os.fork() == 0:
          os.setsid()
          n = 0
          while True:
              n += 1
              try:
                  os.symlink("/etc/passwd", f"l{n}"); os.rename(f"l{n}", "swap"); open(f"m{n}", "w").write("mine"); os.rename(f"m{n}", "swap")
              except OSError: pass
      import time
      time.sleep(0.1)
    `,
    collect: ["swap"],
    outcomes: ["completed"],
    prints: "",
    files: { swap: ["not_a_regular_file", 4] },
  },
  {
    name: "file_many_collected",
    threat: "Sparse files that are together longer than any answer.",
    runtime: "python",
    source: text`
      for n in range(8):
          with open(f"s{n}", "wb") as f: f.truncate(15 << 20)
    `,
    limits: { memory_bytes: 64 * MiB },
    collect: ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7"],
    outcomes: ["completed"],
    prints: "",
    files: {
      s0: 15728640,
      s1: 15728640,
      s2: 15728640,
      s3: 15728640,
      s4: "too_large",
      s5: "too_large",
      s6: "too_large",
      s7: "too_large",
    },
  },
  {
    name: "file_read_host",
    threat: "Files of the host that tell its secrets.",
    runtime: "python",
    source: text`
      import os
      hits = []
      for path in ("/etc/shadow", "/etc/ssh", "/root", "/home", "/var", "/srv", "/mnt", "/media", "/boot", "/sys", "/run/rollcall", "/run/docker.sock", "/run/secrets",
                   "/proc/1/environ", "/proc/1/root/etc", "/proc/1/cwd", "/proc/1/fd", "/proc/1/maps", "/proc/1/mem", "/proc/sys", "/proc/kmsg", "/proc/vmcore"):
          try:
              found = os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(1)
              if found: hits.append(path)
          except OSError: pass
      print("BREACH:" + str(hits) if hits else "contained")
    `,
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "file_find_marker",
    threat: "A file of the host anywhere in sight, by its name or in the environment.",
    runtime: "python",
    source: text`
      import os
      hits = [name for name in os.environ if "ROLLCALL_HOST" in name]
      for directory, directories, names in os.walk("/"):
          if directory.startswith(("/proc", "/usr")): directories.clear(); continue
          hits += [os.path.join(directory, name) for name in names + directories if "rollcall-host-marker" in name]
      print("BREACH:" + str(hits) if hits else "contained")
    `,
    limits: { wall_ms: 30000 },
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "file_writable_elsewhere",
    threat:
      "A place outside of the scratch directories that can be written, and so keeps what one call leaves for the next.",
    notHeld: ONE_USER,
    differs: NO_PLACES,
    runtime: "python",
    source: text`
      import os
      hits, seen = [], 0
      for directory, directories, names in os.walk("/"):
          if directory in ("/proc", "/work", "/tmp", "/dev/shm"): directories.clear(); continue
          seen += 1
          if os.access(directory, os.W_OK): hits.append(directory)
          hits += [path for name in names for path in [os.path.join(directory, name)] if not os.path.islink(path) and not path.startswith("/dev/") and os.access(path, os.W_OK)]
      print("BREACH:" + str(hits[:5]) if hits else "contained" if seen > 50 else seen)
    `,
    limits: { wall_ms: 60000 },
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "file_write_base",
    threat: "The interpreter, its libraries and the service's own files are overwritten.",
    runtime: "python",
    source: text`
      import os, json, ctypes
      for path in ("/usr/bin/python3", json.__file__, "/etc/passwd", "/opt/rollcall/forkserver/program.py", "/opt/node/bin/node", "/usr/planted", "/planted", "/opt/planted", "/run/planted", "/dev/planted"):
          try:
              os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)); print("BREACH:" + path)
          except OSError: print("contained")
    `,
    outcomes: ["completed"],
    prints: "contained\n".repeat(10),
  },
  {
    name: "file_setuid_copy",
    threat: "A copy of a shell that runs as its owner.",
    notHeld: ONE_USER,
    differs: NO_PLACES,
    runtime: "python",
    source: text`
      import os, shutil, subprocess
      shutil.copy("/usr/bin/id", "/tmp/id"); os.chmod("/tmp/id", 0o6755)
      try: os.chown("/tmp/id", 0, 0); print("BREACH:chown")
      except OSError: print("contained")
      print("contained" if subprocess.run(["/tmp/id", "-u"], capture_output=True, text=True).stdout.strip() == str(os.getuid()) else "BREACH:setuid")
    `,
    outcomes: ["completed"],
    prints: "contained\ncontained\n",
  },
  {
    name: "file_devices",
    threat: "Devices besides the harmless five.",
    differs: NO_PLACES,
    runtime: "python",
    source: text`
      import os
      allowed = {"null", "zero", "full", "random", "urandom", "tty", "fd", "stdin", "stdout", "stderr", "shm", "core", "pts", "ptmx", "mqueue", "console"}
      print("contained" if set(os.listdir("/dev")) <= allowed else "BREACH:" + str(set(os.listdir("/dev")) - allowed))
      for name in ("mem", "kmem", "port", "kvm", "fuse", "net/tun", "loop-control", "vsock", "vhost-net", "userfaultfd", "uinput", "kmsg", "vda", "sda"):
          try:
              os.open("/dev/" + name, os.O_RDWR); print("BREACH:" + name)
          except OSError: pass
      for major, minor in ((1, 1), (1, 3), (10, 229), (254, 0)):
          try:
              os.mknod("node", 0o20666, os.makedev(major, minor)); open("node").close(); print("BREACH:mknod")
          except OSError: print("contained")
    `,
    outcomes: ["completed"],
    prints: "contained\n".repeat(5),
  },
  {
    name: "file_capability_attribute",
    threat: "A capability stored with a file.",
    differs: NO_PLACES,
    runtime: "python",
    source: text`
      import os
      open("/tmp/f", "w").close()
      for name in ("security.capability", "trusted.x"):
          try:
              os.setxattr("/tmp/f", name, b"\x01\x00\x00\x02" + b"\xff" * 16); print("BREACH:" + name)
          except OSError: print("contained")
    `,
    outcomes: ["completed"],
    prints: "contained\ncontained\n",
  },
  {
    name: "file_scratch_roots",
    threat: "The scratch directories themselves are renamed, removed or opened to others.",
    notHeld: ONE_USER,
    runtime: "python",
    source: text`
      import os
      for change in (lambda: os.rename("/work", "/work2"), lambda: os.rmdir("/tmp"), lambda: os.chmod("/tmp", 0o700), lambda: os.chown("/work", os.getuid(), -1), lambda: os.setxattr("/work", "user.left", b"1"), lambda: os.symlink("/etc", "/dev/link")):
          try:
              change(); print("BREACH:changed")
          except OSError: print("contained")
    `,
    outcomes: ["completed"],
    prints: "contained\n".repeat(6),
  },
  {
    name: "file_source_replaced",
    threat: "The program's own file becomes a directory with something in it.",
    runtime: "python",
    source: text`
      import os
      os.remove("main.py"); os.mkdir("main.py"); open("main.py/x", "w").write("x"); os.mkdir("main.py/y"); os.chmod("main.py", 0)
      print("replaced")
    `,
    outcomes: ["completed"],
    prints: "replaced\n",
  },
  {
    name: "file_traps_plant",
    threat: "Directories without permissions, names in bad bytes, links into loops are left behind.",
    differs: NO_PLACES,
    runtime: "python",
    source: text`
      import os
      for place in ("/work", "/tmp", "/dev/shm"):
          os.chdir(place)
          for name in (b"closed", b"\xff\xfe", b"a\nb", b"-rf", b".hidden", "\u202etxt".encode()):
              os.mkdir(name); open(name + b"/inside", "w").write("left"); os.symlink("..", name + b"/up"); os.mkfifo(name + b"/fifo")
          os.mkdir("open"); open("open/f", "w").close(); os.chmod("open", 0o1777); os.chmod(b"closed", 0)
      print("planted")
    `,
    outcomes: ["completed"],
    prints: "planted\n",
  },
  {
    name: "file_traps_check",
    threat: "Files that a previous call left are found.",
    differs: NO_PLACES,
    runtime: "python",
    source: text`
      import os
      found = [os.path.join(d, n) for root in ("/work", "/tmp", "/dev/shm") for d, ds, ns in os.walk(root) for n in ds + ns]
      print("contained" if found in (["/work/main.py"], []) else "BREACH:" + ascii(found[:5]))
    `,
    outcomes: ["completed"],
    prints: "contained\n",
    after: "file_traps_plant",
  },
  {
    name: "file_watch_others",
    threat: "Watching files that all sandboxes share tells what other calls import.",
    runtime: "python",
    source: text`
      import ctypes, fcntl, os
      L = ctypes.CDLL(None, use_errno=True)
      fd = L.inotify_init()
      print("contained" if L.inotify_add_watch(fd, b"/usr/lib", 0xfff) < 0 else "BREACH:inotify")
      directory = os.open("/usr/lib", os.O_RDONLY)
      for command, argument in ((fcntl.F_NOTIFY, 0x8000003f), (fcntl.F_SETLEASE, fcntl.F_RDLCK)):
          try:
              fcntl.fcntl(directory, command, argument - (1 << 32) if argument >> 31 else argument); print("BREACH:fcntl")
          except OSError: print("contained")
    `,
    outcomes: ["completed"],
    prints: "contained\n".repeat(3),
  },
  {
    name: "file_dumpable_memory",
    threat: "Its own memory file once it made itself dumpable; pages of code and of the slot are written.",
    runtime: "python",
    source: text`
      import ctypes
      ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
      try:
          with open("/proc/self/mem", "r+b", buffering=0) as memory:
              for line in open("/proc/self/maps"):
                  if "r-x" in line or "rw-s" in line:
                      start = int(line.split("-")[0], 16)
                      try: memory.seek(start); memory.write(b"\xcc" * 64)
                      except (OSError, ValueError): pass
          print("overwritten", flush=True)
      except OSError: print("contained")
    `,
    outcomes: ["completed", "failed", "signaled"],
    why: "what it overwrote is its own copy; how it ends after that is its own affair",
  },
];
