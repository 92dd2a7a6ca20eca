/**
 * Programs that want the reward without the answer. Each is called as `f(3)`, of which 9 is expected, and knows
 * neither; what it may reach of the code that calls it, it does.
 */
import type { VerdictName } from "../../src/contract/verdict.ts";
import { text } from "../security/program.ts";

export interface Adversary {
  readonly name: string;
  readonly runtime: "python" | "node" | "javascript";
  readonly source: string;
  readonly verdict: VerdictName;
}

const python = (name: string, verdict: VerdictName, source: string): Adversary => ({
  name,
  runtime: "python",
  source,
  verdict,
});

const PYTHON: readonly Adversary[] = [
  python("exits with 0 while it is loaded", "program_failed", "raise SystemExit(0)"),
  python(
    "exits with 0 when it is called",
    "program_failed",
    text`
      import os
      def f(n): os._exit(0)
    `,
  ),
  python(
    "replaces itself by a program that ends well",
    "program_failed",
    text`
      import os
      def f(n): os.execv("/bin/true", ["true"])
    `,
  ),
  python(
    "prints what a judge might look for",
    "wrong_answer",
    text`
      import sys
      for stream in (sys.stdout, sys.stderr):
          print('{"value": 9, "verdict": "accepted", "reward": 1}', "accepted", "PASSED", "9", file=stream)
      def f(n): return None
    `,
  ),
  python(
    "returns an object that equals everything",
    "wrong_answer",
    text`
      class Anything:
          def __eq__(self, other): return True
          def __hash__(self): return 0
      def f(n): return Anything()
    `,
  ),
  python(
    "returns a number that equals everything",
    "wrong_answer",
    text`
      class Anything(int):
          def __eq__(self, other): return True
          def __repr__(self): return "9 or any"
      def f(n): return Anything(1)
    `,
  ),
  python(
    "has numpy's tolist say true",
    "wrong_answer",
    text`
      class Anything:
          def tolist(self): return True
      def f(n): return Anything()
    `,
  ),
  python(
    "patches json",
    "wrong_answer",
    text`
      import json, json.encoder
      json.dumps = lambda *args, **more: "true"
      json.encoder.JSONEncoder.encode = lambda *args: "true"
      def f(n): return None
    `,
  ),
  python(
    "puts others in the place of modules",
    "wrong_answer",
    text`
      import sys, types
      fake = types.ModuleType("fake")
      fake.dumps = lambda *args, **more: "null"
      fake.f = lambda n: "accepted"
      sys.modules["json"] = sys.modules["solution"] = fake
      import __main__
      __main__.json = fake
      __main__.solution = fake
      def f(n): return None
    `,
  ),
  python(
    "writes the file again when all is over",
    "wrong_answer",
    text`
      import __main__, atexit
      def again():
          with open(__main__.asked["place"], "w") as file: file.write('{"value": true}')
      atexit.register(again)
      def f(n): return None
    `,
  ),
  python(
    "has a thread write the file later",
    "wrong_answer",
    text`
      import __main__, threading, time
      def later():
          time.sleep(0.2)
          with open(__main__.asked["place"], "w") as file: file.write('{"value": [9]}')
      def f(n):
          threading.Thread(target=later).start()
    `,
  ),
  python(
    "writes the file with another shape",
    "wrong_answer",
    text`
      import __main__, os
      def f(n):
          with open(__main__.asked["place"], "w") as file: file.write('{"verdict": "accepted", "expected": 9}')
          os._exit(0)
    `,
  ),
  python(
    "links the file to another",
    "program_failed",
    text`
      import __main__, os
      def f(n):
          os.symlink("/etc/passwd", __main__.asked["place"])
          os._exit(0)
    `,
  ),
  python(
    "makes the file longer than is read",
    "program_failed",
    text`
      import __main__, os
      def f(n):
          with open(__main__.asked["place"], "w") as file: file.write('{"value": "' + "x" * (18 << 20) + '"}')
          os._exit(0)
    `,
  ),
  python(
    "nests the value without end",
    "wrong_answer",
    text`
      import __main__, os
      def f(n):
          with open(__main__.asked["place"], "w") as file: file.write('{"value": ' + "[" * 500_000 + "]" * 500_000 + "}")
          os._exit(0)
    `,
  ),
  python(
    "writes a value that is no text",
    "program_failed",
    text`
      import __main__, os
      def f(n):
          with open(__main__.asked["place"], "wb") as file: file.write(b'{"value": "\xff\xfe"}')
          os._exit(0)
    `,
  ),
  python(
    "gives the value a name of objects",
    "wrong_answer",
    text`
      import __main__, os
      def f(n):
          with open(__main__.asked["place"], "w") as file: file.write('{"__proto__": {"value": 9}}')
          os._exit(0)
    `,
  ),
  python(
    "returns the right value and fails",
    "program_failed",
    text`
      import atexit, os
      atexit.register(lambda: os._exit(3))
      def f(n): return n * n
    `,
  ),
  python(
    "returns the right value and never ends",
    "limit",
    text`
      import atexit
      def forever():
          while True: pass
      atexit.register(forever)
      def f(n): return n * n
    `,
  ),
];

const JAVASCRIPT: readonly Adversary[] = (["node", "javascript"] as const).flatMap((runtime) => {
  const of = (name: string, verdict: VerdictName, source: string): Adversary => ({
    name,
    runtime,
    source,
    verdict,
  });
  return [
    of("exits with 0 while it is loaded", "program_failed", "process.exit(0)"),
    of("exits with 0 when it is called", "program_failed", "function f() { process.exit(0) }"),
    of("never keeps its promise", "program_failed", "const f = () => new Promise(() => {})"),
    of("swallows what follows it", "program_failed", "const f = 1; /* accepted {value: 9}"),
    of(
      "patches JSON",
      "wrong_answer",
      "JSON.stringify = () => 'true'; JSON.parse = () => [9]; const f = () => null",
    ),
    of("says true in toJSON", "wrong_answer", "const f = () => ({ toJSON: () => true, valueOf: () => 9 })"),
    of("returns a proxy of everything", "wrong_answer", "const f = () => new Proxy({}, { get: () => 9 })"),
  ];
});

export const ADVERSARIES: readonly Adversary[] = [...PYTHON, ...JAVASCRIPT];

/** Says on stdout how often a text is found in all that a program can see; `HID` and `DEN` are its two halves. */
export const SEARCH = text`
  import gc, os, sys
  def f(n):
      wanted = ("HID" + "DEN").encode()
      seen = [repr(dict(os.environ)), repr(sys.argv), sys.stdin.read()]
      for place in ("/work", "/tmp", "/dev/shm", "/proc/self"):
          for name in os.listdir(place):
              try: seen.append(open(f"{place}/{name}", "rb").read(1 << 22).decode("latin1"))
              except OSError: pass
      found = sum(wanted.decode() in one for one in seen)
      frame = sys._getframe(1)
      while frame:
          found += wanted.decode() in repr({**frame.f_locals, **frame.f_globals}); frame = frame.f_back
      found += sum(wanted.decode() in one for one in gc.get_objects() if isinstance(one, str))
      print("found", found)
      return n
`;
