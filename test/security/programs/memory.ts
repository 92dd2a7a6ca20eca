/** Programs that use more memory than they may, wherever the kernel counts it. */
import {
  BETWEEN_LOOKS,
  NO_KERNEL_MEMORY,
  NO_MEMFD,
  ONE_PROCESS,
  NO_PLACES,
  type HostileProgram,
  MiB,
  text,
} from "../program.ts";

export const MEMORY: readonly HostileProgram[] = [
  {
    name: "mem_balloon",
    threat: "Memory without end.",
    runtime: "python",
    source: text`
      b = []
      while True: b.append(bytearray(8 << 20))
    `,
    limits: { wall_ms: 10000, memory_bytes: 128 * MiB },
    outcomes: ["memory_limit", "failed"],
    why: "the kernel kills, or malloc fails first",
  },
  {
    name: "mem_slow_growth",
    threat: "Memory that grows in small steps.",
    runtime: "python",
    source: text`
      b = []
      import time
      while True:
          b.append("x" * 1_000_003); time.sleep(0.0005)
    `,
    limits: { wall_ms: 1500, memory_bytes: 128 * MiB },
    outcomes: ["memory_limit", "wall_limit"],
    why: "a slow machine reaches the wall limit first",
  },
  {
    name: "mem_single_huge",
    threat: "One allocation larger than the machine.",
    runtime: "python",
    source: text`
      try:
          x = bytearray(1 << 42); print("BREACH:4TiB")
      except MemoryError: print("contained")
    `,
    limits: { wall_ms: 10000, memory_bytes: 128 * MiB },
    outcomes: ["completed", "memory_limit"],
    why: "malloc refuses it, or overcommit lets the kernel kill at the limit",
    whenCompleted: /^contained/,
  },
  {
    name: "mem_catch_and_continue",
    threat: "MemoryError is caught and allocation goes on.",
    runtime: "python",
    source: text`
      b = []
      while True:
          try: b.append(bytearray(4 << 20))
          except MemoryError: pass
    `,
    limits: { wall_ms: 1500, memory_bytes: 128 * MiB },
    outcomes: ["memory_limit", "wall_limit"],
    why: "killed for memory, or it spins on refusals until the wall limit",
  },
  {
    name: "mem_dev_shm_fill",
    threat: "/dev/shm filled until the machine has no memory.",
    differs: NO_PLACES,
    runtime: "python",
    source: text`
      n = 0
      try:
          with open("/dev/shm/fill", "wb") as f:
              while n < 8 << 30: n += f.write(b"x" * (1 << 20))
          print("BREACH:8GiB in /dev/shm")
      except OSError as e: print("contained", e.errno, n >> 20)
    `,
    outcomes: ["completed"],
    says: [/^contained 28 \d+\n$/],
  },
  {
    name: "mem_memfd_fill",
    threat: "A memory file filled without end: pages of no process.",
    differs: NO_MEMFD,
    runtime: "python",
    source: text`
      import os
      n = 0
      try:
          fd = os.memfd_create("x")
          while n < 8 << 30: n += os.write(fd, b"x" * (1 << 20))
          print("BREACH:8GiB memfd")
      except (OSError, AttributeError) as e: print("contained")
    `,
    limits: { wall_ms: 10000, memory_bytes: 128 * MiB },
    outcomes: ["memory_limit"],
  },
  {
    name: "mem_exec_tiny_then_memfd",
    threat: "The process that grows is a tiny one, so that a larger one is the victim.",
    differs: NO_MEMFD,
    runtime: "python",
    source: text`
      import os, sys
      fd = os.memfd_create("x"); os.set_inheritable(fd, True)
      try:
          os.execv("/bin/sh", ["sh", "-c", f"cat /dev/zero > /proc/self/fd/{fd}"])
      except OSError: print("contained")
    `,
    limits: { wall_ms: 10000, memory_bytes: 128 * MiB },
    outcomes: ["memory_limit"],
  },
  {
    name: "mem_page_table_bomb",
    threat: "A page touched in every 2 MiB: page tables instead of pages.",
    differs: NO_KERNEL_MEMORY,
    runtime: "python",
    source: text`
      import mmap
      m = mmap.mmap(-1, 1 << 38, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000)
      for i in range(0, 1 << 38, 2 << 20): m[i] = 1
      print("BREACH:131072 page tables")
    `,
    limits: { wall_ms: 1000, memory_bytes: 128 * MiB },
    outcomes: ["memory_limit", "wall_limit"],
    why: "page tables are counted, a slow machine reaches the wall limit first",
  },
  {
    name: "mem_pipe_buffers",
    threat: "Kernel memory of full pipes.",
    runtime: "python",
    source: text`
      import os, fcntl
      k = 0
      keep = []
      try:
          while k < 100000:
              r, w = os.pipe(); keep.append((r, w)); fcntl.fcntl(w, 1031, 1 << 20); os.set_blocking(w, False)
              try:
                  while True: os.write(w, b"x" * 65536)
              except BlockingIOError: pass
              k += 1
      except OSError as e: print("contained", e.errno, k)
    `,
    limits: { wall_ms: 10000, memory_bytes: 128 * MiB },
    outcomes: ["completed", "memory_limit"],
    why: "stopped by the number of pages that pipes may hold, of descriptors, or by the memory limit",
    whenCompleted: /^contained \d+ \d+\n$/,
  },
  {
    name: "mem_zlib_bomb",
    threat: "64 MiB from 64 KiB, again and again.",
    runtime: "python",
    source: text`
      import zlib
      z = zlib.compress(bytes(64 << 20), 9)
      d = zlib.decompressobj()
      out = []
      while True: out.append(zlib.decompress(z))
    `,
    limits: { wall_ms: 1500, memory_bytes: 128 * MiB },
    outcomes: ["memory_limit", "wall_limit"],
    why: "decompression on a slow machine reaches the wall limit first",
  },
  {
    name: "mem_mlock",
    threat: "All memory locked, so that none can be reclaimed.",
    runtime: "python",
    source: text`
      import ctypes, mmap
      L = ctypes.CDLL(None, use_errno=True)
      r = L.mlockall(3)
      print("BREACH:mlockall" if r == 0 else "contained")
    `,
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "mem_limit_plus_a_page",
    threat: "One page more than the limit.",
    notHeld: { watched: BETWEEN_LOOKS, one_user: BETWEEN_LOOKS, process: BETWEEN_LOOKS },
    runtime: "python",
    source: text`
      import mmap
      size = (64 << 20) + 4096
      m = mmap.mmap(-1, size)
      for at in range(0, size, 4096): m[at] = 1
      print("BREACH:more than the limit")
    `,
    limits: { memory_bytes: 64 * MiB },
    outcomes: ["memory_limit"],
  },
  {
    name: "mem_below_the_limit",
    threat: "The limit is not lower than it says: an honest program near it ends well.",
    runtime: "python",
    source: text`
      import mmap
      size = 56 << 20
      m = mmap.mmap(-1, size)
      for at in range(0, size, 4096): m[at] = 1
      print("fits")
    `,
    limits: { memory_bytes: 64 * MiB },
    outcomes: ["completed"],
    prints: "fits\n",
  },
  {
    name: "mem_many_processes",
    threat: "Each process keeps below the limit, all of them do not.",
    differs: ONE_PROCESS,
    runtime: "python",
    source: text`
      import os, signal
      children = []
      for _ in range(8):
          pid = os.fork()
          if pid == 0:
              block = bytearray(os.urandom(1 << 20)) * 24
              signal.pause()
          children.append(pid)
      killed = 0
      for _ in children:
          pid, status = os.waitpid(-1, 0)
          killed += os.WIFSIGNALED(status)
          if killed == 2: break
      print("contained")
      for pid in children:
          try: os.kill(pid, signal.SIGKILL)
          except ProcessLookupError: pass
    `,
    limits: { wall_ms: 10000, memory_bytes: 64 * MiB },
    outcomes: ["completed", "memory_limit"],
    why: "the kernel may choose the parent too",
    whenCompleted: "contained\n",
  },
  {
    name: "mem_shared_mapping",
    threat: "Shared memory of no file.",
    runtime: "python",
    source: text`
      import mmap
      m = mmap.mmap(-1, 256 << 20, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)
      for at in range(0, 256 << 20, 4096): m[at] = 1
      print("BREACH:256 MiB shared")
    `,
    limits: { memory_bytes: 64 * MiB },
    outcomes: ["memory_limit"],
  },
  {
    name: "mem_files_and_heap",
    threat: "Files in the scratch directories count as memory, together with the heap.",
    differs: NO_PLACES,
    runtime: "python",
    source: text`
      with open("/tmp/half", "wb") as f: f.write(b"x" * (40 << 20))
      block = b"y" * (40 << 20)
      print("BREACH:80 MiB under a limit of 64")
    `,
    limits: { memory_bytes: 64 * MiB },
    outcomes: ["memory_limit"],
  },
  {
    name: "mem_page_cache",
    threat: "Reading many files fills the page cache, which must not kill an honest program.",
    runtime: "python",
    source: text`
      import os
      read = 0
      for directory, _, names in os.walk("/usr/lib"):
          for name in names:
              path = os.path.join(directory, name)
              if read > 160 << 20: break
              try:
                  if not os.path.islink(path):
                      with open(path, "rb") as f: read += len(f.read(8 << 20))
              except OSError: pass
      print("contained" if read > 80 << 20 else read)
    `,
    limits: { memory_bytes: 64 * MiB, wall_ms: 30000 },
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "mem_stack_of_threads",
    threat: "Stacks of threads, each as large as can be.",
    runtime: "python",
    source: text`
      import threading
      threading.stack_size(256 << 20)
      def deep(n):
          return deep(n + 1) if n < 900 else event.wait()
      event = threading.Event()
      started = 0
      try:
          while started < 10000:
              threading.Thread(target=deep, args=(0,), daemon=True).start(); started += 1
          print("BREACH:10000 threads")
      except (RuntimeError, MemoryError): print("contained")
    `,
    limits: { wall_ms: 10000 },
    outcomes: ["completed", "memory_limit", "signaled"],
    why: "refused at the process limit or at the address space, or killed at the memory limit",
    whenCompleted: "contained\n",
  },
  {
    name: "mem_nested_repr",
    threat: "A structure so deep that showing it overflows the stack.",
    runtime: "python",
    source: text`
      nested = []
      for _ in range(2_000_000): nested = [nested]
      repr(nested)
    `,
    outcomes: ["failed", "signaled", "memory_limit"],
    why: "RecursionError, or the stack overflows as the structure is freed",
  },
  {
    name: "mem_pickle_bomb",
    threat: "Pickles of a few bytes that ask for gigabytes.",
    runtime: "python",
    source: text`
      import pickle
      for bomb in (b"\x8e" + (1 << 45).to_bytes(8, "little"), b"]r\xff\xff\xff\x7f.", b"\x80\x04\x95" + (1 << 60).to_bytes(8, "little")):
          try:
              pickle.loads(bomb); print("loaded")
          except Exception: print("contained")
    `,
    limits: { memory_bytes: 64 * MiB },
    outcomes: ["completed", "memory_limit"],
    why: "refused by pickle and malloc, or killed at the limit",
    whenCompleted: /^(?:(?:contained|loaded)\n){3}$/,
  },
  {
    name: "mem_zip_bomb",
    threat: "An archive of some kilobytes unpacks to more than the disk.",
    differs: NO_PLACES,
    runtime: "python",
    source: text`
      import io, zipfile
      packed = io.BytesIO()
      with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as z:
          with z.open("zeros", "w") as f:
              for _ in range(96): f.write(bytes(1 << 20))
      try:
          zipfile.ZipFile(packed).extractall("/tmp"); print("BREACH:96 MiB on a disk of 16")
      except OSError as error: print("contained", error.errno)
    `,
    limits: { disk_bytes: 16 * MiB },
    outcomes: ["completed"],
    prints: "contained 28\n",
  },
  {
    name: "mem_shared_memory_object",
    threat: "A shared memory object larger than the disk.",
    differs: NO_PLACES,
    runtime: "python",
    source: text`
      from multiprocessing import shared_memory
      m = shared_memory.SharedMemory(create=True, size=1 << 30)
      for at in range(0, 1 << 30, 4096): m.buf[at] = 1
      print("BREACH:1 GiB of shared memory")
    `,
    limits: { disk_bytes: 16 * MiB },
    outcomes: ["disk_limit", "signaled", "memory_limit"],
    why: "the kernel sends SIGBUS where the file system is full",
  },
  {
    name: "mem_socket_buffers",
    threat: "Kernel memory of full sockets.",
    differs: NO_KERNEL_MEMORY,
    runtime: "python",
    source: text`
      import socket
      pairs, sent = [], 0
      try:
          while True:
              a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
              a.setblocking(False); a.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 30)
              pairs.append((a, b))
              try:
                  while True: sent += a.send(bytes(60000))
              except BlockingIOError: pass
      except OSError as error: print("contained", error.errno)
    `,
    limits: { memory_bytes: 64 * MiB },
    outcomes: ["completed", "memory_limit", "failed"],
    why: "stopped by the number of descriptors, by refused memory or by the kernel",
    whenCompleted: /^contained \d+\n$/,
  },
  {
    name: "mem_descriptors",
    threat: "Descriptors without end.",
    runtime: "python",
    source: text`
      import os
      opened = 0
      try:
          while opened < 100_000: os.dup(0); opened += 1
          print("BREACH:100000 descriptors")
      except OSError as error: print("contained", error.errno)
    `,
    outcomes: ["completed"],
    prints: "contained 24\n",
  },
  {
    name: "mem_numpy_balloon",
    threat: "One large array, in a slot that is forked from a heap with numpy.",
    runtime: "python",
    source: text`
      import numpy as np
      print(np.ones(1 << 28).sum())
    `,
    limits: { memory_bytes: 128 * MiB },
    outcomes: ["memory_limit", "failed"],
    why: "killed at the limit, or refused by malloc",
    prints: "",
  },
  {
    name: "mem_collected_near_limit",
    threat:
      "A file as large as the memory allows is collected: that takes the slot's memory, not the program's.",
    runtime: "python",
    source: text`
      with open("big.bin", "wb") as f:
          for _ in range(40): f.write(b"\xff" * (1 << 20))
      print("written")
    `,
    limits: { memory_bytes: 64 * MiB, disk_bytes: 64 * MiB },
    collect: ["big.bin"],
    outcomes: ["completed"],
    prints: "written\n",
    files: { "big.bin": 41943040 },
  },
  {
    name: "mem_output_near_limit",
    threat: "Output up to what is kept, from a program at its memory limit.",
    runtime: "python",
    source: text`
      import os
      block = bytearray(40 << 20)
      for _ in range(60): os.write(1, b"o" * (1 << 18)); os.write(2, b"e" * (1 << 18))
      os.write(1, b"done")
    `,
    limits: { memory_bytes: 64 * MiB, output_bytes: 16 * MiB, wall_ms: 20000 },
    outcomes: ["completed"],
    says: [/o{1000}done$/],
  },
  {
    name: "mem_replaced_slot_plant",
    threat: "Leaves so much behind that the slot is replaced, its files not yet freed.",
    differs: NO_PLACES,
    runtime: "python",
    source: text`
      import os
      with open("/tmp/large", "wb") as f: f.write(b"x" * (48 << 20))
      for _ in range(200): os.mkdir("d"); os.chdir("d")
      print("planted")
    `,
    outcomes: ["completed"],
    prints: "planted\n",
  },
  {
    name: "mem_replaced_slot_check",
    threat: "The limit of a call in a new slot is not raised by what the old one still holds.",
    runtime: "python",
    source: text`
      import mmap
      size = 80 << 20
      m = mmap.mmap(-1, size)
      for at in range(0, size, 4096): m[at] = 1
      print("BREACH:80 MiB under a limit of 64")
    `,
    limits: { memory_bytes: 64 * MiB },
    outcomes: ["memory_limit"],
    after: "mem_replaced_slot_plant",
  },
  {
    name: "mem_cached_slot_plant",
    threat: "Fills the page cache, which is charged to the slot and stays.",
    differs: NO_PLACES,
    runtime: "python",
    source: text`
      import os
      read = 0
      for directory, _, names in os.walk("/opt"):
          for name in names:
              try:
                  with open(os.path.join(directory, name), "rb") as f: read += len(f.read(16 << 20))
              except OSError: pass
      print("planted" if read > 1 << 20 else read)
    `,
    limits: { wall_ms: 30000 },
    outcomes: ["completed"],
    prints: "planted\n",
  },
  {
    name: "mem_cached_slot_check",
    threat: "The limit is not raised by a page cache that a previous slot filled.",
    runtime: "python",
    source: text`
      import mmap
      size = 80 << 20
      m = mmap.mmap(-1, size)
      for at in range(0, size, 4096): m[at] = 1
      print("BREACH:80 MiB under a limit of 64")
    `,
    limits: { memory_bytes: 64 * MiB },
    outcomes: ["memory_limit"],
    times: 2,
    after: "mem_cached_slot_plant",
  },
];
