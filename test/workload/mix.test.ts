import { describe, expect, test } from "vitest";
import { OUTCOME_NAMES } from "../../src/contract/outcome.ts";
import { RUNTIME_IDS } from "../../src/contract/call.ts";
import {
  callOf,
  checkResult,
  createDraw,
  createRandom,
  loadPrograms,
  programsOfGroup,
} from "../../workload/mix.ts";
import type { Program } from "../../workload/mix.ts";
import { resultOf } from "../support/result.ts";

const programs = loadPrograms();

function programOf(expectation: Program["expect"]): Program {
  return { runtime: "python", kind: "one", source: "", stdin: "", warm_cpu_ms: 1, expect: expectation };
}

describe("programs.jsonl", () => {
  test("names each program once, in our vocabulary", () => {
    expect(new Set(programs.map((program) => program.kind)).size).toBe(programs.length);
    for (const program of programs) {
      expect(RUNTIME_IDS).toContain(program.runtime);
      expect(OUTCOME_NAMES).toContain(program.expect.outcome);
      expect(program.warm_cpu_ms === null, program.kind).toBe(program.expect.outcome === "wall_limit");
    }
  });

  test("has a group for every program", () => {
    const groups = [
      "light_python",
      "sympy",
      "numpy",
      "scipy_pandas",
      "no_output_or_bare_expr",
      "stdin",
      "error",
    ];
    const others = ["timeout", "big_output", "reward", "javascript", "node"];
    const grouped = new Set([...groups, ...others].flatMap((group) => programsOfGroup(programs, group)));
    expect(programs.filter((program) => !grouped.has(program))).toEqual([]);
  });
});

describe("createDraw", () => {
  test("draws the same calls from the same seed", () => {
    const kinds = (seed: number) => {
      const draw = createDraw(programs, "mature_policy", createRandom(seed));
      return Array.from({ length: 50 }, () => draw().kind);
    };
    expect(kinds(7)).toEqual(kinds(7));
    expect(kinds(7)).not.toEqual(kinds(8));
  });

  test("keeps to the weights", () => {
    const draw = createDraw(programs, "mature_policy", createRandom(1));
    const drawn = Array.from({ length: 20_000 }, draw);
    const share = drawn.filter((program) => program.kind.startsWith("numpy_")).length / drawn.length;
    expect(share).toBeGreaterThan(0.07);
    expect(share).toBeLessThan(0.09);
    expect(drawn.some((program) => program.runtime !== "python")).toBe(false);
  });

  test("refuses programs of which no group has one", () => {
    expect(() => createDraw([], "mature_policy", createRandom(1))).toThrow("none of the programs");
  });
});

describe("checkResult", () => {
  const right = programOf({ outcome: "failed", exit_code: 1, stdout: "a\n", stderr_last_line: "E: x" });
  const answer = { outcome: "failed", exit_code: 1, stdout: "a\n", stderr: "Trace\nE: x\n" } as const;

  test("is null for the right answer", () => {
    expect(checkResult(right, resultOf(answer))).toBeNull();
  });

  test.each([
    [{ ...answer, outcome: "signaled" } as const, "outcome is signaled, not failed"],
    [{ ...answer, exit_code: 2 }, "exit code is 2, not 1"],
    [{ ...answer, stdout: "b\n" }, 'stdout is "b\\n", not "a\\n"'],
    [{ ...answer, stderr: "E: y" }, 'stderr ends with "E: y", not "E: x"'],
  ])("tells what is wrong (%#)", (part, message) => {
    expect(checkResult(right, resultOf(part))).toBe(message);
  });

  test("compares long output by its length and hash", () => {
    const hash = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb";
    const long = programOf({ outcome: "completed", stdout_bytes: 1, stdout_sha256: hash });
    expect(checkResult(long, resultOf({ stdout: "a" }))).toBeNull();
    expect(checkResult(long, resultOf({ stdout: "b" }))).toContain("wrong content");
    expect(checkResult(long, resultOf({ stdout: "ab" }))).toContain("2 bytes");
  });

  test("looks at the value only when there is one", () => {
    const cell = programOf({ outcome: "completed", cell_value: "2520" });
    expect(checkResult(cell, resultOf({ value: null }))).toBeNull();
    expect(checkResult(cell, resultOf({ value: "1" }))).toContain("value is");
  });
});

test("callOf leaves out an empty stdin", () => {
  expect(callOf(programOf({ outcome: "completed" }), { id: "a" })).toEqual({
    runtime: "python",
    source: "",
    id: "a",
  });
});
