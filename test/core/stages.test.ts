import { expect, it } from "vitest";
import { acceptCall } from "../../src/core/accept.ts";
import { CallTicket } from "../../src/core/call-ticket.ts";
import { CompiledPrograms } from "../../src/core/compiled.ts";
import { conclude } from "../../src/core/conclude.ts";
import type { Evidence, RunSpec, Sandbox } from "../../src/core/ports.ts";
import { runStages } from "../../src/core/stages.ts";
import { cpp } from "../../src/runtimes/cpp.ts";
import { ACCEPT, captured, evidence } from "./builders.ts";

function ticketOf(fields: object = {}): CallTicket {
  const call = acceptCall(
    { runtime: "cpp", source: "the source", stdin: "in", args: ["x"], ...fields },
    { ...ACCEPT, runtimes: { cpp } },
  );
  return new CallTicket(call, "tenant", 0);
}

async function carryOut(ticket: CallTicket, answers: readonly Evidence[]) {
  const specs: RunSpec[] = [];
  const left = [...answers];
  const sandbox: Sandbox = {
    run: (spec) => {
      specs.push(spec);
      return Promise.resolve(left.shift() as Evidence);
    },
    close: () => Promise.resolve(),
  };
  const end = await runStages(sandbox, ticket, new CompiledPrograms(0), () => 0);
  return { specs, result: conclude(ticket.call, end.evidence, ticket, end.compile) };
}

const PROGRAM = Buffer.from("\x7fELF the program");
const compiled = evidence({
  files: [{ path: "main", content: PROGRAM }],
  stderr: captured("a warning"),
});

it("a program that was compiled is run with the call's input, and both stages are told", async () => {
  const { specs, result } = await carryOut(ticketOf({ compile_ms: 1234 }), [
    compiled,
    evidence({ stdout: captured("out") }),
  ]);
  expect(specs).toHaveLength(2);
  expect(specs[0]).toMatchObject({ source: Buffer.from("the source"), args: [], collect: ["main"] });
  expect(specs[0]?.stdin).toHaveLength(0);
  expect(specs[0]?.limits.wall_ms).toBe(1234);
  expect(specs[1]).toMatchObject({ source: PROGRAM, args: ["x"], stdin: Buffer.from("in"), collect: [] });
  expect(result).toMatchObject({
    outcome: "completed",
    stdout: "out",
    compile: { exit_code: 0, stderr: "a warning", cached: false },
  });
});

it.each([
  ["an error of the compiler", { exitCode: 1 }, "compile_failed", null],
  ["a compiler that crashes", { exitCode: null, signal: 11 }, "compile_failed", null],
  [
    "no program in spite of a good end",
    { files: [{ path: "main", content: "not_found" }] },
    "compile_failed",
    null,
  ],
  ["the time limit", { exitCode: null, signal: 9, endedBy: "wall" }, "wall_limit", /compile stage/],
  ["the memory limit", { exitCode: 1, oomKills: 1 }, "memory_limit", /compile stage/],
] as const)(
  "without a program the call ends in its compile stage: %s",
  async (_, fields, outcome, detail) => {
    const failed = evidence({ stderr: captured("main.cpp:1: error"), ...(fields as Partial<Evidence>) });
    const { specs, result } = await carryOut(ticketOf({ collect: ["out.txt"] }), [failed]);
    expect(specs).toHaveLength(1);
    expect(result).toMatchObject({
      outcome,
      stderr: "main.cpp:1: error",
      files: { "out.txt": { error: "not_found" } },
      compile: { stderr: "main.cpp:1: error" },
    });
    if (detail === null) expect(result.detail).toBeNull();
    else expect(result.detail).toMatch(detail);
  },
);
