import path from "node:path";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SandboxError } from "../../src/contract/errors.ts";
import { checkAllFiles, checkDistinct, normalisePath } from "../../src/core/paths.ts";

const deep = (depth: number) => Array.from({ length: depth }, () => "d").join("/");

describe("normalisePath", () => {
  test.each([
    ["a", "a"],
    ["./a", "a"],
    ["a//b", "a/b"],
    ["a/./b", "a/b"],
    [".hidden", ".hidden"],
    ["...", "..."],
    ["..a/b..", "..a/b.."],
    ["a b\nc", "a b\nc"],
    ["back\\slash", "back\\slash"],
    ["ümläut/😀", "ümläut/😀"],
    [deep(32), deep(32)],
    ["x".repeat(255), "x".repeat(255)],
  ])("%j is %j", (given, found) => {
    expect(normalisePath(given, "/p")).toBe(found);
  });

  test.each([
    ["", /names no file/],
    [".", /names no file/],
    ["./.", /names no file/],
    ["a/", /names no file/],
    ["/a", /absolute/],
    ["//a", /absolute/],
    ["..", /climbs/],
    ["a/../b", /climbs/],
    ["a/..", /climbs/],
    ["a\0b", /NUL/],
    ["\ud800", /half a character/],
    [deep(33), /deeper than 32/],
    ["x".repeat(256), /longer than 255 bytes/],
    ["é".repeat(128), /longer than 255 bytes/],
    [`${"x".repeat(250)}/${"x".repeat(250)}/${"x".repeat(20)}`, /longer than 512 bytes/],
  ])("%j is refused", (given, says) => {
    const refused = () => normalisePath(given, "/files/0");
    expect(refused).toThrow(SandboxError);
    expect(refused).toThrow(says);
    expect(refused).toThrow(expect.objectContaining({ code: "invalid_path", path: "/files/0" }));
    expect(refused).toThrow(
      /relative to the working directory and stays inside it, e\.g\. "data\/input\.txt"/,
    );
  });

  test("what is accepted stays inside, is normal, and is what the file system would make of it", () => {
    const segment = fc.oneof(
      fc.constantFrom("", ".", "..", "a", "b", " ", "...", "\0", "~", "%2e%2e"),
      fc.string({ unit: "binary", maxLength: 5 }),
    );
    const given = fc.array(segment, { maxLength: 8 }).map((segments) => segments.join("/"));
    fc.assert(
      fc.property(given, (stated) => {
        let found: string;
        try {
          found = normalisePath(stated, "/p");
        } catch (error) {
          expect(error).toMatchObject({ name: "SandboxError", code: "invalid_path", path: "/p" });
          return;
        }
        const inside = path.posix.resolve("/work", found);
        expect(inside.startsWith("/work/")).toBe(true);
        expect(inside).toBe(path.posix.resolve("/work", stated));
        expect(inside).toBe(`/work/${found}`);
        expect(normalisePath(found, "/p")).toBe(found);
        expect(Buffer.from(found).toString()).toBe(found);
      }),
      { numRuns: 5000 },
    );
  });
});

describe("which paths may be together", () => {
  const files = (...paths: string[]) => checkAllFiles(paths, "/files");

  test("all different files may", () => {
    expect(() => files("a", "b/a", "b/c", "ab", "a.b")).not.toThrow();
    expect(() => files()).not.toThrow();
  });

  test("two that are one may not", () => {
    expect(() => files("a", "b", "a")).toThrow(/"a" is given twice/);
    expect(() => checkDistinct(["a/b", "a/b"], "/collect")).toThrow(
      expect.objectContaining({ code: "invalid_path", path: "/collect" }),
    );
  });

  test("nothing lies below a file, at any depth and in any order", () => {
    expect(() => files("a/b/c/d", "x", "a/b")).toThrow(/"a\/b\/c\/d" lies below "a\/b", which is a file/);
    expect(() => files("a", "a/b")).toThrow(
      expect.objectContaining({ code: "invalid_path", path: "/files" }),
    );
  });

  test("a directory and what lies in it may both be collected", () => {
    expect(() => checkDistinct(["a", "a/b"], "/collect")).not.toThrow();
  });

  test("accepted are exactly those sets that a file system can hold", () => {
    const name = fc.array(fc.constantFrom("a", "b", "ab"), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(fc.array(name, { maxLength: 6 }), (lists) => {
        const below = (one: readonly string[], other: readonly string[]) =>
          other.length <= one.length && other.every((segment, index) => segment === one[index]);
        const clash = lists.some((one, at) =>
          lists.some((other, place) => at !== place && below(one, other)),
        );
        const check = () => files(...lists.map((list) => list.join("/")));
        if (clash) expect(check).toThrow(SandboxError);
        else expect(check).not.toThrow();
      }),
      { numRuns: 2000 },
    );
  });
});
