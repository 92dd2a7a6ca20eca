/** The data of the suite, and its judge: a judge that finds nothing would pass every program. */
import { describe, expect, it } from "vitest";
import type { Result } from "../../src/contract/result.ts";
import { chooseProfile } from "../../src/engines/container/import-profiles.ts";
import { importedNames } from "../../src/engines/container/source-scan.ts";
import { type HostileProgram, judge } from "./program.ts";
import { EVERY } from "./programs/every.ts";

describe("the programs", () => {
  it("are more than two hundred, each with a name of its own and a threat in one sentence", () => {
    expect(EVERY.length).toBeGreaterThan(200);
    expect(new Set(EVERY.map(({ name }) => name)).size).toBe(EVERY.length);
    expect(EVERY.filter(({ threat }) => !/^\S.{5,}\.$/.test(threat)).map(({ name }) => name)).toEqual([]);
  });

  it("say why where more than one outcome is right", () => {
    const silent = EVERY.filter(({ outcomes, why }) => outcomes.length > 1 !== (why !== undefined));
    expect(silent.map(({ name }) => name)).toEqual([]);
  });

  it("find their pairs, which are forked from the same heap", () => {
    const byName = new Map(EVERY.map((program) => [program.name, program]));
    const heap = (program: HostileProgram | undefined) =>
      program && chooseProfile(importedNames(program.source)).name;
    for (const program of EVERY) {
      if (program.after !== undefined)
        expect([program.name, heap(byName.get(program.after))]).toEqual([program.name, heap(program)]);
      if (program.beside !== undefined) expect(byName.get(program.beside)?.paired).toBe(true);
    }
  });
});

describe("the judge", () => {
  const program: HostileProgram = {
    name: "p",
    threat: "A threat.",
    runtime: "python",
    source: "",
    outcomes: ["completed"],
  };
  const result = {
    outcome: "completed",
    exit_code: 0,
    signal: null,
    stdout: "contained\n",
    stderr: "",
    truncated: { stdout: 0, stderr: 0 },
    error: null,
    value: null,
    files: {},
    usage: { wall_ms: 1 },
    detail: null,
  } as unknown as Result;

  it("has nothing to say of a result as expected", () => {
    expect(judge({ ...program, prints: "contained\n", says: [/tain/], exitCode: 0 }, result)).toEqual([]);
  });

  it.for<[string, Partial<HostileProgram>, Partial<Result>]>([
    ["another outcome", {}, { outcome: "sandbox_failed" }],
    ["a breach on stdout", {}, { stdout: "BREACH:x\n" }],
    ["a breach on stderr", {}, { stderr: "warning\nBREACH:x\n" }],
    ["a breach as value", {}, { value: "'BREACH'" }],
    ["a breach in a file", {}, { files: { a: { content: "BREACH", encoding: "utf8" } } }],
    ["another stdout", { prints: "contained\n" }, { stdout: "" }],
    ["a part of stdout that is missing", { says: ["planted"] }, {}],
    ["another stdout at a good end", { whenCompleted: /^\d$/ }, {}],
    ["another exit code", { exitCode: 3 }, {}],
    ["another signal", { signal: "SIGKILL" }, {}],
    ["another exception", { error: "ValueError" }, {}],
    ["output that should have been cut", { truncated: true }, {}],
    [
      "a file that should not have come",
      { files: { a: "not_a_regular_file" } },
      { files: { a: { content: "x", encoding: "utf8" } } },
    ],
    ["a file of another length", { files: { a: 2 } }, { files: { a: { content: "x", encoding: "utf8" } } }],
    ["a file that is missing", { files: { a: "not_found" } }, {}],
    ["too short a time", { wallMsMin: 10 }, {}],
  ])("sees %s", ([, expected, changed]) => {
    expect(judge({ ...program, ...expected }, { ...result, ...changed })).not.toEqual([]);
  });
});
