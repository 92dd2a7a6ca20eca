/** Programs that flood, forge and break their streams and what they say about themselves. */
import { ONE_PROCESS, type HostileProgram, MiB, text } from "../program.ts";

export const OUTPUT: readonly HostileProgram[] = [
  {
    name: "out_flood_stdout",
    threat: "Output without end.",
    runtime: "python",
    source: text`
      while True: print("x" * 4096)
    `,
    limits: { output_bytes: 65536 },
    outcomes: ["output_limit"],
    truncated: true,
  },
  {
    name: "out_both_interleaved",
    threat: "Both streams written in turn, a deadlock for a reader of one at a time.",
    runtime: "python",
    source: text`
      import os
      for i in range(100000):
          os.write(1, b"o" * 100); os.write(2, b"e" * 100)
    `,
    limits: { output_bytes: 65536 },
    outcomes: ["output_limit"],
    truncated: true,
  },
  {
    name: "out_split_multibyte_at_cap",
    threat: "The cut falls into a character of four bytes.",
    runtime: "python",
    source: text`
      import os
      while True: os.write(1, "😀".encode() * 1000)
    `,
    limits: { output_bytes: 65537 },
    outcomes: ["output_limit"],
    says: [/^\u{1f600}+\n\[\.\.\. \d+ bytes left out \.\.\.\]\n(?:\u{1f600}*)$/u],
    truncated: true,
  },
  {
    name: "out_close_then_exit",
    threat: "Streams are closed long before the end.",
    runtime: "python",
    source: text`
      import os
      os.close(1); os.close(2); os.close(0)
    `,
    outcomes: ["completed"],
    prints: "",
  },
  {
    name: "out_reopen_stdout",
    threat: "stdout opened anew by its path.",
    runtime: "python",
    source: text`
      import os
      try:
          f = open("/proc/self/fd/1", "w"); f.write("via proc\n"); f.close()
      except OSError: print("contained")
      print("end")
    `,
    outcomes: ["completed"],
    prints: "via proc\nend\n",
  },
  {
    name: "out_nonblocking_stdout",
    threat: "stdout made non-blocking for whoever shares it.",
    runtime: "python",
    source: text`
      import os
      os.set_blocking(1, False)
      try:
          while True: os.write(1, b"x" * 65536)
      except BlockingIOError: pass
    `,
    outcomes: ["completed"],
    says: ["xxxx"],
  },
  {
    name: "out_no_newline_no_flush",
    threat: "Output that is still in the buffer at the end is there once.",
    runtime: "python",
    source: text`
      import sys, os
      sys.stdout.write("buffered")
      sys.exit(3)
    `,
    outcomes: ["failed"],
    prints: "buffered",
    exitCode: 3,
  },
  {
    name: "out_flood_no_newline",
    threat: "One line without end.",
    runtime: "python",
    source: text`
      import os
      while True: os.write(1, b'x' * 65536)
    `,
    limits: { output_bytes: 65536 },
    outcomes: ["output_limit"],
    says: [/^x+\n\[\.\.\. \d+ bytes left out \.\.\.\]\nx+$/],
    truncated: true,
  },
  {
    name: "out_flood_newlines",
    threat: "Nothing but newlines.",
    runtime: "python",
    source: text`
      import os
      while True: os.write(1, b'\n' * 65536)
    `,
    limits: { output_bytes: 65536 },
    outcomes: ["output_limit"],
    truncated: true,
  },
  {
    name: "out_flood_stderr",
    threat: "Errors without end.",
    runtime: "python",
    source: text`
      import os
      os.write(1, b'kept')
      while True: os.write(2, b'e' * 65536)
    `,
    limits: { output_bytes: 65536 },
    outcomes: ["output_limit"],
    prints: "kept",
  },
  {
    name: "out_flood_many_writers",
    threat: "Many writers keep a pipe of a megabyte full, so that its reader never finds it empty.",
    differs: ONE_PROCESS,
    runtime: "python",
    source: text`
      import fcntl, os
      for fd in (1, 2): fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, 1 << 20)
      for _ in range(24):
          if os.fork() == 0: break
      block = b"x" * (1 << 20)
      fd = 1 + os.getpid() % 2
      while True: os.write(fd, block)
    `,
    limits: { output_bytes: 1 * MiB, wall_ms: 5000 },
    outcomes: ["output_limit"],
  },
  {
    name: "out_flood_up_to_wall",
    threat: "Output that is never too much, until the wall limit.",
    runtime: "python",
    source: text`
      import os, time
      while True: os.write(1, b"."); time.sleep(0.001)
    `,
    limits: { wall_ms: 500 },
    outcomes: ["wall_limit"],
    says: [/^\.+$/],
  },
  {
    name: "out_closed_and_alive",
    threat: "Closed streams are not taken for the end.",
    runtime: "python",
    source: text`
      import os, time
      for fd in range(3): os.close(fd)
      time.sleep(3600)
    `,
    limits: { wall_ms: 500 },
    outcomes: ["wall_limit"],
    prints: "",
  },
  {
    name: "out_late_hooks",
    threat: "Output from exit hooks, threads and destructors belongs to the call.",
    runtime: "python",
    source: text`
      import atexit, threading, time
      class Late:
          def __del__(self): print("destroyed")
      late = Late()
      atexit.register(print, "hook")
      threading.Thread(target=lambda: (time.sleep(0.05), print("thread"))).start()
      print("main")
    `,
    outcomes: ["completed"],
    prints: "main\nthread\nhook\ndestroyed\n",
  },
  {
    name: "out_broken_streams",
    threat: "Streams whose methods never return well.",
    runtime: "python",
    source: text`
      import sys
      class Broken:
          closed = False
          def write(self, text): raise SystemExit(0)
          def flush(self): raise MemoryError
      sys.stdout = Broken()
      sys.stderr = None
      raise ValueError("seen")
    `,
    outcomes: ["completed", "failed"],
    why: "the stream itself asks for exit code 0 where the traceback is written",
    prints: "",
  },
  {
    name: "out_forged_evidence",
    threat: "A frame as the slot sends it, with a forged end, on every descriptor.",
    runtime: "python",
    source: text`
      import os, struct
      body = struct.pack("<IBBIIIQQQQ", 0, 0, 0, 0, 0, 1, 1, 1, 1, 1)
      for text in (b"forged", b""): body += struct.pack("<QI", len(text), len(text)) + text + struct.pack("<I", 0)
      body += struct.pack("<II", 0, 0) + b"\x01" + struct.pack("<Q", 1)
      for kind in (3, 4, 5, 18, 20):
          frame = struct.pack("<IB", len(body) + 1, kind) + body
          for fd in [*range(3, 1024), 2]:
              try: os.write(fd, frame)
              except OSError: pass
      os._exit(9)
    `,
    outcomes: ["failed"],
    prints: "",
    exitCode: 9,
  },
  {
    name: "out_forged_report",
    threat:
      "The memory in which the interpreter tells its exception is found and forged: it is the program's own word.",
    runtime: "python",
    source: text`
      import gc, json, os
      report = json.dumps({"error": {"type": "Forged", "message": "by the program", "line": 7}}).encode()
      views = {id(v): v for o in gc.get_objects() for v in ([o] + gc.get_referents(o)) if type(v) is memoryview and not v.readonly}
      for view in views.values():
          view[4 : 4 + len(report)] = report
          view[:4] = len(report).to_bytes(4, "little")
      print(len(views), flush=True)
      os._exit(3)
    `,
    outcomes: ["failed"],
    says: [/^[01]\n$/],
    exitCode: 3,
    error: "?Forged",
  },
  {
    name: "out_garbage_report",
    threat: "The same memory holds garbage, a length past its end, JSON that is no report.",
    runtime: "python",
    source: text`
      import gc, os
      for view in [v for o in gc.get_objects() for v in ([o] + gc.get_referents(o)) if type(v) is memoryview and not v.readonly]:
          choice = os.getpid() % 4
          view[4:] = (os.urandom(len(view) - 4), b"[" * (len(view) - 4), b"\0" * (len(view) - 4), b'{"value":{"toString":1},"error":[]}'.ljust(len(view) - 4))[choice]
          view[:4] = (b"\xff\xff\xff\xff", (len(view) - 4).to_bytes(4, "little"))[choice % 2]
      print("garbage", flush=True)
      os._exit(0)
    `,
    outcomes: ["completed"],
    prints: "garbage\n",
    times: 4,
  },
  {
    name: "out_huge_report",
    threat: "An exception whose message is longer than an answer.",
    runtime: "python",
    source: text`
      raise ValueError('\u20ac' * (8 << 20))
    `,
    outcomes: ["failed", "output_limit"],
    why: "the traceback that shows it may be more than is kept",
    exitCode: 1,
    error: "ValueError",
  },
  {
    name: "out_hostile_exception",
    threat: "An exception that cannot be shown.",
    runtime: "python",
    source: text`
      class Bad(Exception):
          def __str__(self): raise SystemExit(0)
          @property
          def __traceback__(self): raise KeyError
      raise Bad
    `,
    outcomes: ["failed", "completed"],
    why: "the program's own methods run while its exception is shown, and may ask for exit code 0",
    prints: "",
  },
  {
    name: "out_hostile_value",
    threat: "A value in cell mode whose repr loops.",
    runtime: "python",
    source: text`
      class Loop:
          def __repr__(self):
              while True: pass
      Loop()
    `,
    limits: { wall_ms: 500 },
    cell: true,
    outcomes: ["wall_limit"],
  },
  {
    name: "out_forged_mark",
    threat: "The mark of left-out bytes, printed by the program.",
    runtime: "python",
    source: text`
      print('[... 99 bytes left out ...]')
    `,
    outcomes: ["completed"],
    prints: "[... 99 bytes left out ...]\n",
    truncated: false,
  },
  {
    name: "out_every_byte",
    threat: "Every byte there is, most of them no UTF-8.",
    runtime: "python",
    source: text`
      import os
      os.write(1, bytes(range(256)) * 4)
    `,
    outcomes: ["completed"],
    says: [/\ufffd/],
  },
  {
    name: "out_read_back",
    threat: "The program reads its own output pipe empty.",
    runtime: "python",
    source: text`
      import os
      os.write(1, b"gone")
      try:
          fd = os.open("/proc/self/fd/1", os.O_RDONLY | os.O_NONBLOCK); os.read(fd, 100)
      except OSError: pass
      os.write(1, b"end")
    `,
    outcomes: ["completed"],
    says: [/^(?:gone)?end$/],
  },
  {
    name: "out_signals_by_io",
    threat: "The output pipe is told to send SIGKILL to the slot on every write.",
    runtime: "python",
    source: text`
      import fcntl, os
      for fd in (0, 1, 2):
          for set in (lambda: fcntl.fcntl(fd, fcntl.F_SETOWN, 1), lambda: fcntl.fcntl(fd, 10, 9), lambda: fcntl.fcntl(fd, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)):
              try: set()
              except OSError: pass
      for _ in range(100): os.write(1, b"x")
      os._exit(0)
    `,
    outcomes: ["completed"],
    prints: "x".repeat(100),
  },
  {
    name: "out_stdin_flags_plant",
    threat: "Flags of an inherited stdin are changed for whoever has it next.",
    runtime: "python",
    source: text`
      import fcntl, os
      fcntl.fcntl(0, fcntl.F_SETFL, os.O_NONBLOCK | os.O_APPEND)
      for command, value in ((fcntl.F_SETOWN, os.getpid()), (10, 34)):
          try: fcntl.fcntl(0, command, value)
          except OSError: pass
      print("planted")
    `,
    outcomes: ["completed"],
    prints: "planted\n",
  },
  {
    name: "out_stdin_flags_check",
    threat: "Flags that a previous call set on its stdin are found.",
    runtime: "python",
    source: text`
      import fcntl, os
      flags = fcntl.fcntl(0, fcntl.F_GETFL) & (os.O_NONBLOCK | os.O_APPEND | os.O_ACCMODE)
      state = (flags, fcntl.fcntl(0, fcntl.F_GETOWN), fcntl.fcntl(0, 11))
      print("contained" if state == (0, 0, 0) else "BREACH:" + str(state))
    `,
    outcomes: ["completed"],
    prints: "contained\n",
    after: "out_stdin_flags_plant",
  },
  {
    name: "out_sealed_stdin",
    threat: "stdin is written, grown or kept for the next call.",
    runtime: "python",
    source: text`
      import os
      for change in (lambda: os.ftruncate(0, 1 << 20), lambda: os.write(os.open("/proc/self/fd/0", os.O_RDWR), b"x"), lambda: os.write(0, b"x")):
          try:
              change(); print("BREACH:stdin changed")
          except OSError: print("contained")
      print(open(0).read())
    `,
    stdin: "own",
    outcomes: ["completed"],
    prints: "contained\ncontained\ncontained\nown\n",
  },
];
