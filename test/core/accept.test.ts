import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Call, CALL_BOUNDS } from "../../src/contract/call.ts";
import { type ErrorCode, SandboxError } from "../../src/contract/errors.ts";
import { DEFAULT_LIMIT_POLICY, type Limits } from "../../src/contract/limits.ts";
import { acceptCall } from "../../src/core/accept.ts";
import { decideLimits } from "../../src/core/clamp.ts";
import { ACCEPT, call, LIMITS } from "./builders.ts";

function refusal(refused: () => unknown): SandboxError {
  try {
    refused();
  } catch (error) {
    if (error instanceof SandboxError) return error;
    throw error;
  }
  return expect.fail("nothing was refused");
}

const accept = (fields: Partial<Call>, pointer = "") => acceptCall(call(fields), ACCEPT, pointer);
const named = (count: number, value = "") =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`N${index}`, value]));

describe("a call that leaves everything out", () => {
  test("gets the defaults", () => {
    expect(acceptCall(call({ source: "pass" }), ACCEPT)).toEqual({
      id: "new-id",
      runtime: ACCEPT.runtimes["python"],
      spec: {
        entry: { kind: "fork", interpreter: "python", fileName: "main.py" },
        source: Buffer.from("pass"),
        stdin: Buffer.alloc(0),
        args: [],
        env: {},
        files: [],
        collect: [],
        cell: false,
        limits: LIMITS,
      },
      compile: null,
      priority: "normal",
      deadlineMs: null,
      encoding: "utf8",
      bytes: 4 + 1024,
    });
  });
});

test("what a call says is what it gets", () => {
  const found = accept({
    id: "mine",
    source: "ü",
    stdin: "€",
    args: ["-x", ""],
    env: { A_1: "b" },
    files: {
      "./in//a.txt": "text",
      b: { content: "/wA=", encoding: "base64" },
      c: { content: "c", encoding: "utf8" },
    },
    collect: ["out/./x"],
    mode: "cell",
    output_encoding: "base64",
    priority: "low",
    deadline_ms: 5,
    limits: { wall_ms: 1 },
  });
  expect(found).toMatchObject({ id: "mine", priority: "low", deadlineMs: 5, encoding: "base64" });
  expect(found.spec).toMatchObject({ args: ["-x", ""], env: { A_1: "b" }, collect: ["out/x"], cell: true });
  expect(found.spec.source).toEqual(Buffer.from("ü"));
  expect(found.spec.stdin).toEqual(Buffer.from("€"));
  expect(found.spec.files).toEqual([
    { path: "in/a.txt", content: Buffer.from("text") },
    { path: "b", content: Buffer.from([0xff, 0x00]) },
    { path: "c", content: Buffer.from("c") },
  ]);
  expect(found.spec.limits.wall_ms).toBe(1);
});

test("a call takes as many bytes as its source, stdin, files, arguments and environment have, and some more", () => {
  const { bytes: least } = accept({});
  expect(accept({ source: "ab" }).bytes).toBe(least + 2);
  expect(accept({ stdin: "€" }).bytes).toBe(least + 3);
  expect(accept({ files: { a: "12345", b: { content: "AAAA", encoding: "base64" } } }).bytes).toBe(least + 8);
  expect(accept({ args: ["abc", ""] }).bytes).toBe(least + 5);
  expect(accept({ env: { A: "bc" } }).bytes).toBe(least + 5);
  expect(accept({ collect: ["abc"] }).bytes).toBe(least + 4);
});

type Refused = readonly [what: string, fields: Partial<Call>, code: ErrorCode, path: string, says: RegExp];

const over = "x".repeat(CALL_BOUNDS.argsBytesMax);

const REFUSED: readonly Refused[] = [
  [
    "a runtime of no name here",
    { runtime: "perl" as never },
    "unknown_runtime",
    "/runtime",
    /"perl".*python, node/,
  ],
  [
    "a runtime that objects have",
    { runtime: "toString" as never },
    "unknown_runtime",
    "/runtime",
    /"toString"/,
  ],
  [
    "a mode that the runtime has not",
    { runtime: "node", mode: "cell" },
    "invalid_call",
    "/mode",
    /node, which has script/,
  ],
  [
    "a limit above the ceiling",
    { limits: { wall_ms: 600_001 } },
    "limit_above_ceiling",
    "/limits/wall_ms",
    /600001.*600000/,
  ],
  [
    "a source that is too long",
    { source: "x".repeat(CALL_BOUNDS.sourceBytesMax + 1) },
    "call_too_large",
    "/source",
    /source has 4194305 bytes, the most is 4194304/,
  ],
  [
    "a source that is too long in bytes only",
    { source: "€".repeat(CALL_BOUNDS.sourceBytesMax / 2) },
    "call_too_large",
    "/source",
    /the most is 4194304/,
  ],
  [
    "stdin that is too long",
    { stdin: "x".repeat(CALL_BOUNDS.stdinBytesMax + 1) },
    "call_too_large",
    "/stdin",
    /33554432/,
  ],
  [
    "too many files",
    { files: named(CALL_BOUNDS.filesMax + 1) },
    "call_too_large",
    "/files",
    /257 files, the most is 256/,
  ],
  [
    "files that are too long together",
    { files: named(3, "x".repeat(23 << 20)) },
    "call_too_large",
    "/files",
    /67108864/,
  ],
  ["a file outside", { files: { "../x": "" } }, "invalid_path", "/files/..~1x", /climbs.*stays inside/],
  ["a name with a tilde", { files: { "/~": "" } }, "invalid_path", "/files/~1~0", /absolute/],
  [
    "a file in place of the program",
    { files: { "main.py": "" } },
    "invalid_path",
    "/files",
    /taken by the program/,
  ],
  [
    "a file below the program",
    { files: { "main.py/x": "" } },
    "invalid_path",
    "/files",
    /lies below "main.py"/,
  ],
  ["one file by two names", { files: { a: "", "./a": "" } }, "invalid_path", "/files", /given twice/],
  [
    "what is not base64",
    { files: { a: { content: "*", encoding: "base64" } } },
    "invalid_call",
    "/files/a/content",
    /base64/,
  ],
  [
    "base64 of no length",
    { files: { a: { content: "AAAAA", encoding: "base64" } } },
    "invalid_call",
    "/files/a/content",
    /base64/,
  ],
  [
    "base64 url",
    { files: { a: { content: "_-AA", encoding: "base64" } } },
    "invalid_call",
    "/files/a/content",
    /base64/,
  ],
  [
    "a path to collect that is absolute",
    { collect: ["a", "/etc/passwd"] },
    "invalid_path",
    "/collect/1",
    /absolute/,
  ],
  ["a path to collect twice", { collect: ["a", "a/."] }, "invalid_path", "/collect", /given twice/],
  ["an argument with NUL", { args: ["a", "\0"] }, "invalid_call", "/args/1", /NUL/],
  [
    "arguments that are too long",
    { args: [over] },
    "call_too_large",
    "/args",
    /65537 bytes, the most is 65536/,
  ],
  [
    "a name that no variable has",
    { env: { "1A": "" } },
    "invalid_call",
    "/env",
    /"1A".*letters, digits and _/,
  ],
  ["a variable of no name", { env: { "": "" } }, "invalid_call", "/env", /"" is no name/],
  ["a variable with =", { env: { "A=B": "" } }, "invalid_call", "/env", /no name/],
  ["a value with NUL", { env: { A: "a\0b" } }, "invalid_call", "/env/A", /A holds a NUL/],
  [
    "too many variables",
    { env: named(CALL_BOUNDS.envMax + 1) },
    "call_too_large",
    "/env",
    /65 .*the most is 64/,
  ],
  ["an environment that is too long", { env: { A: over } }, "call_too_large", "/env", /the most is 65536/],
];

describe("refused", () => {
  test.each(REFUSED)("%s", (_, fields, code, path, says) => {
    const error = refusal(() => accept(fields));
    expect({ code: error.code, path: error.path }).toEqual({ code, path });
    expect(error.message).toMatch(says);
    expect(error.fault).toBe("caller");
    expect(error.message.length).toBeLessThan(400);
  });

  test.each(REFUSED)("in a batch the pointer begins with the call's place: %s", (_, fields, code, path) => {
    const error = refusal(() => accept(fields, "/calls/7"));
    expect({ code: error.code, path: error.path }).toEqual({ code, path: `/calls/7${path}` });
  });
});

describe("accepted at its edge", () => {
  test.each<readonly [string, Partial<Call>]>([
    ["the longest source", { source: "x".repeat(CALL_BOUNDS.sourceBytesMax) }],
    ["the longest stdin", { stdin: "x".repeat(CALL_BOUNDS.stdinBytesMax) }],
    ["the most files", { files: named(CALL_BOUNDS.filesMax) }],
    ["the longest files", { files: named(2, "x".repeat(CALL_BOUNDS.filesBytesMax / 2)) }],
    ["the longest argument", { args: [over.slice(1)] }],
    ["the most variables", { env: named(CALL_BOUNDS.envMax) }],
    ["base64 without its padding", { files: { a: { content: "QQ", encoding: "base64" } } }],
    ["an empty file", { files: { a: { content: "", encoding: "base64" } } }],
    ["the program's own source, to collect", { collect: ["main.py"] }],
    ["every limit at its ceiling", { limits: DEFAULT_LIMIT_POLICY.ceiling }],
  ])("%s", (_, fields) => {
    expect(accept(fields).spec.limits.wall_ms).toBeGreaterThan(0);
  });
});

test("base64 comes back byte for byte, with its padding or without", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 50 }), fc.boolean(), (array, padded) => {
      const content = Buffer.from(array).toString("base64");
      const stated = padded ? content : content.replaceAll("=", "");
      const found = accept({ files: { a: { content: stated, encoding: "base64" } } });
      expect(found.spec.files[0]?.content).toEqual(Buffer.from(array));
    }),
  );
});

describe("decideLimits", () => {
  const names = Object.keys(LIMITS) as (keyof Limits)[];

  test.each(names)("%s may be as high as its ceiling, and one more is refused with both numbers", (name) => {
    const most = DEFAULT_LIMIT_POLICY.ceiling[name];
    expect(decideLimits({ [name]: most }, DEFAULT_LIMIT_POLICY, "")[name]).toBe(most);
    const error = refusal(() => decideLimits({ [name]: most + 1 }, DEFAULT_LIMIT_POLICY, "/calls/3"));
    expect(error).toMatchObject({ code: "limit_above_ceiling", path: `/calls/3/limits/${name}` });
    expect(error.message).toContain(String(most));
    expect(error.message).toContain(String(most + 1));
  });

  test("CPU time goes with wall time, as far as its ceiling, unless the call names it", () => {
    const decide = (asked: Partial<Limits>) => decideLimits(asked, DEFAULT_LIMIT_POLICY, "").cpu_ms;
    expect(decide({})).toBe(LIMITS.cpu_ms);
    expect(decide({ wall_ms: 700 })).toBe(1400);
    expect(decide({ wall_ms: 700, cpu_ms: 3 })).toBe(3);
    const ceiling = { ...DEFAULT_LIMIT_POLICY.ceiling, cpu_ms: 1000 };
    expect(decideLimits({ wall_ms: 700 }, { ...DEFAULT_LIMIT_POLICY, ceiling }, "").cpu_ms).toBe(1000);
  });

  test("a field that is undefined is one that is left out", () => {
    const asked = { wall_ms: undefined, cpu_ms: undefined } as unknown as Partial<Limits>;
    expect(decideLimits(asked, DEFAULT_LIMIT_POLICY, "")).toEqual(LIMITS);
  });

  test("every limit is what was asked, else the default, and nothing is lowered in silence", () => {
    const asked = fc.record(
      Object.fromEntries(
        names.map((name) => [name, fc.integer({ min: 1, max: DEFAULT_LIMIT_POLICY.ceiling[name] })]),
      ),
      { requiredKeys: [] },
    ) as fc.Arbitrary<Partial<Limits>>;
    fc.assert(
      fc.property(asked, (stated) => {
        const before = structuredClone(DEFAULT_LIMIT_POLICY);
        const found = decideLimits(stated, DEFAULT_LIMIT_POLICY, "");
        for (const name of names) {
          if (stated[name] !== undefined) expect(found[name]).toBe(stated[name]);
          else if (name !== "cpu_ms") expect(found[name]).toBe(LIMITS[name]);
          expect(found[name]).toBeLessThanOrEqual(DEFAULT_LIMIT_POLICY.ceiling[name]);
        }
        expect(DEFAULT_LIMIT_POLICY).toEqual(before);
      }),
    );
  });
});
