import { expect, test } from "vitest";
import { FlagError, readBenchFlags } from "../../bench/flags.ts";
import { runBench } from "../../bench/main.ts";

test("modes", () => {
  expect(readBenchFlags([]).mode).toEqual({ kind: "help" });
  expect(readBenchFlags(["--suite", "all,sweep"]).mode).toEqual({ kind: "suites", names: ["all", "sweep"] });
  expect(readBenchFlags(["--load"]).mode).toEqual({ kind: "load" });
  expect(readBenchFlags(["--compare", "a", "b"]).mode).toEqual({ kind: "compare", files: ["a", "b"] });
  expect(readBenchFlags(["--report", "a.json"]).mode).toEqual({ kind: "report", file: "a.json" });
});

test("peers by URL, and their processes", () => {
  const flags = readBenchFlags(["--code-judge", "http://a", "--peer-pid", "code-judge=12"]);
  expect([...flags.peerUrls]).toEqual([["code-judge", "http://a"]]);
  expect([...flags.peerPids]).toEqual([["code-judge", 12]]);
});

test("a load has defaults; bursts and closed loops send batches", () => {
  expect(readBenchFlags(["--load"]).load).toMatchObject({
    target: "rollcall",
    arrivals: "poisson",
    batch: 1,
  });
  expect(readBenchFlags(["--load", "--arrivals", "closed"]).load.batch).toBe(64);
});

test.each([
  [["--nonsense"]],
  [["--load", "--rate", "fast"]],
  [["--load", "--rate", "0"]],
  [["--load", "--arrivals", "never"]],
  [["--compare", "a"]],
  [["word"]],
  [["--peer-pid", "code-judge"]],
])("%j is refused", (argv) => {
  expect(() => readBenchFlags(argv)).toThrow(FlagError);
});

test("what cannot be understood ends with 2 and the help, an unknown suite too", async () => {
  const said: string[] = [];
  expect(await runBench(["--suite", "nothing"], (text) => void said.push(text))).toBe(2);
  expect(said.join("\n")).toMatch(/there is no suite nothing[^]*Usage/);
});
