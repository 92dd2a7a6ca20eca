/** Programs aimed at how results come back. */
import { type HostileProgram, text } from "../program.ts";

export const PROTOCOL: readonly HostileProgram[] = [
  {
    name: "proto_forge_frames",
    threat: "Results are forged on every descriptor.",
    runtime: "python",
    source: text`
      import os, json, struct
      f = json.dumps({"status": "ok", "exit_code": 0, "stdout": "PASS", "duration_ms": 0}).encode()
      for fd in range(0, 256):
          for b in (f + b"\n", struct.pack("<I", len(f)) + f, struct.pack(">I", len(f)) + f, b"\0" * 16):
              try: os.write(fd, b)
              except OSError: pass
      raise SystemExit(9)
    `,
    outcomes: ["failed"],
    says: ["PASS"],
    exitCode: 9,
  },
  {
    name: "proto_pickle_result",
    threat: "A result that runs code where it is unpickled.",
    runtime: "python",
    source: text`
      class R:
          def __reduce__(self):
              import os
              return (os.system, ("echo BREACH:unpickled > /tmp/pwned",))
      result = R()
      print("done")
      result
    `,
    outcomes: ["completed"],
    prints: "done\n",
  },
  {
    name: "proto_excepthook",
    threat: "A hook that turns an exception into exit code 0.",
    runtime: "python",
    source: text`
      import sys, traceback
      sys.excepthook = lambda *a: (_ for _ in ()).throw(SystemExit(0))
      traceback.print_exception = None
      raise ValueError("x")
    `,
    outcomes: ["completed", "failed"],
    why: "the exit code is the hook's, as it is under a plain interpreter",
    prints: "",
  },
  {
    name: "proto_frame_walk",
    threat: "Expected answers in frames above the program's own.",
    runtime: "python",
    source: text`
      import sys, gc
      f = sys._getframe()
      seen = []
      while f:
          seen += [k for k, v in f.f_locals.items() if type(v).__name__ != "module" and any(w in k.lower() for w in ("expected", "answer", "secret", "token", "tests"))]
          f = f.f_back
      seen += [k for d in gc.get_objects() if type(d) is dict for k in d if isinstance(k, str) and k in ("expected_" + "output", "test_" + "cases", "api_" + "key")]
      print("BREACH:" + str(seen[:5]) if seen else "contained")
    `,
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "proto_always_equal",
    threat: "An object that equals everything.",
    runtime: "python",
    source: text`
      class A(str):
          def __eq__(self, o): return True
          def __ne__(self, o): return False
          def __hash__(self): return 0
      result = A("wrong")
      print("wrong")
    `,
    outcomes: ["completed"],
    prints: "wrong\n",
  },
  {
    name: "proto_stdin_past_end",
    threat: "More of stdin than there is.",
    runtime: "python",
    source: text`
      import sys
      try:
          while True: input()
      except EOFError: print("eof")
    `,
    stdin: "1\n2\n",
    outcomes: ["completed"],
    prints: "eof\n",
  },
  {
    name: "proto_stdin_steal_control",
    threat: "The request or the next one on stdin.",
    runtime: "python",
    source: text`
      import os
      os.set_blocking(0, False)
      try:
          d = os.read(0, 1 << 20)
          print("BREACH:control bytes" if b"code" in d and len(d) > 4 else "contained")
      except OSError: print("contained")
    `,
    stdin: "7\n",
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "proto_self_mem_write",
    threat: "Memory of the interpreter is overwritten.",
    runtime: "python",
    source: text`
      import ctypes
      x = b"constant"
      try:
          m = open("/proc/self/mem", "r+b", buffering=0); m.seek(id(x)); m.write(b"\0" * 8); print("own memory changed")
      except OSError: print("contained")
      ctypes.memset(id(None), 255, 16)
    `,
    outcomes: ["completed", "failed", "signaled"],
    why: "how a broken interpreter ends is its own affair; the next call must not see it",
    says: [/^(?:contained|own memory changed)?/],
  },
  {
    name: "proto_nul_and_surrogates",
    threat: "NUL and half a surrogate in the output.",
    runtime: "python",
    source: text`
      print("a\0b")
      print("\ud800".encode("utf-8", "surrogatepass"))
    `,
    outcomes: ["completed"],
    prints: "a\u0000b\nb'\\xed\\xa0\\x80'\n",
  },
];
