import { constants } from "node:os";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { mayBecomeReward, type Outcome, OUTCOME_NAMES } from "../../src/contract/outcome.ts";
import { conclude, concludeWithoutRun, nameOutcome, signalName } from "../../src/core/conclude.ts";
import type { EndedBy, Evidence } from "../../src/core/ports.ts";
import { accepted, captured, evidence, LIMITS } from "./builders.ts";

const { SIGKILL, SIGSEGV, SIGXCPU } = constants.signals;

const bytes = (totalBytes: number) => ({ head: Buffer.alloc(0), tail: Buffer.alloc(0), totalBytes });
const usage = (cpu_ms: number) => ({ wall_ms: 1, cpu_ms, memory_peak_bytes: 0, processes: 1 });
const excess = bytes(LIMITS.output_bytes + 1);
const killed = { exitCode: null, signal: SIGKILL };

const TABLE: readonly (readonly [string, Partial<Evidence>, Outcome])[] = [
  ["a good end", {}, "completed"],
  ["another exit code", { exitCode: 1 }, "failed"],
  ["the exit code of a shell that saw SIGKILL", { exitCode: 137 }, "failed"],
  ["a signal", { exitCode: null, signal: SIGSEGV }, "signaled"],
  ["a signal of its own that looks like ours", killed, "signaled"],
  ["ended at the wall limit", { ...killed, endedBy: "wall" }, "wall_limit"],
  ["ended at the CPU limit", { ...killed, endedBy: "cpu" }, "cpu_limit"],
  ["ended for its output", { ...killed, endedBy: "output" }, "output_limit"],
  ["ended for its memory", { ...killed, endedBy: "memory" }, "memory_limit"],
  ["given up", { ...killed, endedBy: "cancel" }, "cancelled"],
  ["ended by us, though it exited well in that moment", { endedBy: "wall" }, "wall_limit"],
  ["ended by us, after a kill for memory", { ...killed, endedBy: "wall", oomKills: 1 }, "wall_limit"],
  ["killed for memory", { ...killed, oomKills: 1 }, "memory_limit"],
  ["a child killed for memory, and a bad end", { exitCode: 1, oomKills: 1 }, "memory_limit"],
  ["a child killed for memory, and a good end", { oomKills: 1 }, "completed"],
  ["forks refused, and a bad end", { exitCode: 1, forksRefused: 3 }, "process_limit"],
  ["forks refused, and a good end", { forksRefused: 3 }, "completed"],
  ["a full disk, and a bad end", { exitCode: 1, diskFull: true }, "disk_limit"],
  ["a full disk, and a good end", { diskFull: true }, "completed"],
  ["memory before processes", { exitCode: 1, oomKills: 1, forksRefused: 1, diskFull: true }, "memory_limit"],
  ["processes before the disk", { exitCode: 1, forksRefused: 1, diskFull: true }, "process_limit"],
  ["a kernel limit before too much output", { exitCode: 1, diskFull: true, stdout: excess }, "disk_limit"],
  ["SIGXCPU at the CPU limit", { exitCode: null, signal: SIGXCPU, usage: usage(LIMITS.cpu_ms) }, "cpu_limit"],
  ["SIGKILL at the CPU limit", { ...killed, usage: usage(LIMITS.cpu_ms) }, "cpu_limit"],
  ["SIGKILL below the CPU limit", { ...killed, usage: usage(LIMITS.cpu_ms - 1) }, "signaled"],
  ["SIGSEGV at the CPU limit", { exitCode: null, signal: SIGSEGV, usage: usage(LIMITS.cpu_ms) }, "signaled"],
  ["an exit code at the CPU limit", { exitCode: 1, usage: usage(LIMITS.cpu_ms) }, "failed"],
  ["too much stdout in spite of a good end", { stdout: excess }, "output_limit"],
  ["too much stderr in spite of a good end", { stderr: excess }, "output_limit"],
  ["too much output before a bad end", { exitCode: 1, stdout: excess }, "output_limit"],
  ["too much output before a signal", { exitCode: null, signal: SIGSEGV, stderr: excess }, "output_limit"],
  ["as much output as is allowed, in each stream", outputs(LIMITS.output_bytes), "completed"],
];

function outputs(totalBytes: number): Partial<Evidence> {
  return { stdout: bytes(totalBytes), stderr: bytes(totalBytes) };
}

describe("nameOutcome", () => {
  test.each(TABLE)("%s", (_, fields, outcome) => {
    expect(nameOutcome(evidence(fields), LIMITS)).toBe(outcome);
  });

  test("the table reaches every outcome that evidence can have", () => {
    const reached = new Set(TABLE.map(([, , outcome]) => outcome));
    const elsewhere: readonly Outcome[] = ["compile_failed", "sandbox_failed"];
    expect(OUTCOME_NAMES.filter((name) => !reached.has(name) && !elsewhere.includes(name))).toEqual([]);
  });
});

const ENDINGS: readonly (EndedBy | null)[] = [null, "wall", "cpu", "output", "memory", "cancel"];
const count = fc.oneof(fc.constant(0), fc.nat(3));
const stream = fc
  .oneof(fc.nat(100), fc.constantFrom(LIMITS.output_bytes, LIMITS.output_bytes + 1))
  .map(bytes);
const end = fc.oneof(
  fc.integer({ min: 0, max: 255 }).map((exitCode) => ({ exitCode, signal: null })),
  fc.constant({ exitCode: 0, signal: null }),
  fc.integer({ min: 1, max: 64 }).map((signal) => ({ exitCode: null, signal })),
);
const anyEvidence: fc.Arbitrary<Evidence> = fc
  .record({
    end,
    endedBy: fc.oneof(fc.constant(null), fc.constantFrom(...ENDINGS)),
    oomKills: count,
    forksRefused: count,
    diskFull: fc.boolean(),
    stdout: stream,
    stderr: stream,
    report: fc.constantFrom({}, { error: { type: "MemoryError", message: "", line: 1 } }, { value: "1" }),
    usage: fc.constantFrom(usage(0), usage(LIMITS.cpu_ms), usage(LIMITS.cpu_ms * 2)),
  })
  .map(({ end, ...rest }) => evidence({ ...end, ...rest }));

const holds = (property: (found: Evidence, outcome: Outcome) => void) => {
  fc.assert(
    fc.property(anyEvidence, (found) => property(found, nameOutcome(found, LIMITS))),
    { numRuns: 2000 },
  );
};

describe("for any evidence", () => {
  test("there is one outcome, the same each time, and never our own fault", () => {
    holds((found, outcome) => {
      expect(OUTCOME_NAMES).toContain(outcome);
      expect(nameOutcome(structuredClone(found), LIMITS)).toBe(outcome);
      expect(["sandbox_failed", "compile_failed"]).not.toContain(outcome);
    });
  });

  test("completed is exit 0, no signal, ended by nobody and all output there", () => {
    holds((found, outcome) => {
      const well =
        found.exitCode === 0 &&
        found.signal === null &&
        found.endedBy === null &&
        found.stdout.totalBytes <= LIMITS.output_bytes &&
        found.stderr.totalBytes <= LIMITS.output_bytes;
      expect(outcome === "completed").toBe(well);
    });
  });

  test("cancelled is what was cancelled, and can be no reward", () => {
    holds((found, outcome) => {
      expect(outcome === "cancelled").toBe(found.endedBy === "cancel");
      expect(mayBecomeReward(outcome)).toBe(outcome !== "cancelled");
    });
  });

  test("a limit is named only when it was met", () => {
    holds((found, outcome) => {
      if (outcome === "wall_limit") expect(found.endedBy).toBe("wall");
      if (outcome === "memory_limit") expect(found.endedBy === "memory" || found.oomKills > 0).toBe(true);
      if (outcome === "process_limit") expect(found.forksRefused).toBeGreaterThan(0);
      if (outcome === "disk_limit") expect(found.diskFull).toBe(true);
      if (outcome === "cpu_limit" && found.endedBy !== "cpu") {
        expect(found.usage.cpu_ms).toBeGreaterThanOrEqual(LIMITS.cpu_ms);
      }
      if (outcome === "signaled") expect(found.signal).not.toBeNull();
      if (outcome === "failed") expect(found.exitCode).not.toBe(0);
    });
  });

  test("what the program says about itself changes nothing", () => {
    holds((found, outcome) => {
      const said = { error: { type: "TimeoutError", message: "wall_limit", line: null }, value: "completed" };
      expect(nameOutcome({ ...found, report: said }, LIMITS)).toBe(outcome);
    });
  });
});

describe("conclude", () => {
  const times = { acceptedMs: 100, grantedMs: 107.12345 };

  test("the Result says what was measured, in milliseconds of three decimals", () => {
    const found = evidence({
      stdout: captured("out"),
      stderr: captured("err"),
      startMs: 2.00049,
      runMs: 4.56789,
      usage: { wall_ms: 1.23456, cpu_ms: 0.98765, memory_peak_bytes: 7, processes: 2 },
      report: { error: { type: "ValueError", message: "m", line: 3 }, value: "42" },
    });
    expect(conclude(accepted({ id: "a" }), found, times)).toEqual({
      id: "a",
      outcome: "completed",
      exit_code: 0,
      signal: null,
      stdout: "out",
      stderr: "err",
      output_encoding: "utf8",
      truncated: { stdout: 0, stderr: 0 },
      error: { type: "ValueError", message: "m", line: 3 },
      value: "42",
      files: {},
      usage: { wall_ms: 1.235, cpu_ms: 0.988, memory_peak_bytes: 7, processes: 2 },
      timing: { queued_ms: 7.123, started_ms: 9.124, run_ms: 4.568 },
      detail: null,
    });
  });

  test("a signal has its name, an unknown one its number", () => {
    const { exit_code: exitCode, signal } = conclude(accepted(), evidence(killed), times);
    expect([exitCode, signal]).toEqual([null, "SIGKILL"]);
    expect([signalName(SIGSEGV), signalName(63)]).toEqual(["SIGSEGV", "SIG63"]);
  });

  test("files come back as text when they are text, else as base64, and each that cannot says why", () => {
    const files = [
      { path: "text", content: Buffer.from("grüße") },
      { path: "bytes", content: Buffer.from([0xff, 0x00]) },
      { path: "none", content: "not_found" as const },
      { path: "__proto__", content: Buffer.from("x") },
    ];
    const result = conclude(accepted(), evidence({ files }), times);
    expect(Object.entries(result.files)).toEqual([
      ["text", { content: "grüße", encoding: "utf8" }],
      ["bytes", { content: "/wA=", encoding: "base64" }],
      ["none", { error: "not_found" }],
      ["__proto__", { content: "x", encoding: "utf8" }],
    ]);
  });

  test("cut output is counted for its own stream", () => {
    const cut = { head: Buffer.from("ab"), tail: Buffer.from("yz"), totalBytes: 26 };
    const result = conclude(accepted({ output_encoding: "base64" }), evidence({ stderr: cut }), times);
    expect(result.truncated).toEqual({ stdout: 0, stderr: 22 });
    expect(result.output_encoding).toBe("base64");
    expect(Buffer.from(result.stderr, "base64").toString()).toMatch(/^ab\n.* 22 bytes .*\nyz$/);
  });

  test("detail is a sentence on what was given up, and nothing else", () => {
    expect(conclude(accepted(), evidence({ ...killed, endedBy: "cancel" }), times).detail).toMatch(
      /given up/,
    );
    expect(conclude(accepted(), evidence({ exitCode: 1 }), times).detail).toBeNull();
  });

  test.each(["cancelled", "sandbox_failed"] as const)(
    "%s without a run leaves no trace of a program",
    (outcome) => {
      const result = concludeWithoutRun(accepted({ id: "a" }), outcome, "why", times);
      expect(result).toMatchObject({
        id: "a",
        outcome,
        detail: "why",
        exit_code: null,
        signal: null,
        stdout: "",
        stderr: "",
      });
      expect(result.usage).toEqual({ wall_ms: 0, cpu_ms: 0, memory_peak_bytes: 0, processes: 0 });
      expect(result.timing).toEqual({ queued_ms: 7.123, started_ms: 0, run_ms: 0 });
    },
  );
});
