import * as fc from "fast-check";
import { Compile } from "typebox/compile";
import { describe, expect, test } from "vitest";
import { CALL_BOUNDS, CallSchema } from "../../src/contract/call.ts";
import { DEFAULT_LIMIT_POLICY, type Limits, LimitsSchema } from "../../src/contract/limits.ts";
import { OUTCOME_NAMES } from "../../src/contract/outcome.ts";
import { ResultSchema } from "../../src/contract/result.ts";
import { conclude, concludeWithoutRun } from "../../src/core/conclude.ts";
import { accepted, captured, evidence } from "../core/builders.ts";

const callOf = Compile(CallSchema);
const resultOf = Compile(ResultSchema);
const limitsOf = Compile(LimitsSchema);

const least = { runtime: "python", source: "" };

describe("a call", () => {
  test.each<readonly [string, object]>([
    ["the least there is", {}],
    ["an empty file", { files: { a: "", b: { content: "", encoding: "base64" } } }],
    ["a file whose name has a line break", { files: { "a\nb": "x" } }],
    ["the longest id", { id: "x".repeat(CALL_BOUNDS.idLengthMax) }],
    ["the longest deadline", { deadline_ms: CALL_BOUNDS.deadlineMsMax }],
    ["one limit", { limits: { wall_ms: 1 } }],
    ["every limit at its ceiling", { limits: DEFAULT_LIMIT_POLICY.ceiling }],
  ])("%s is well formed", (_, fields) => {
    expect(callOf.Check({ ...least, ...fields })).toBe(true);
  });

  test.each<readonly [string, object]>([
    ["an unknown field", { timeout: 5 }],
    ["an unknown limit", { limits: { timeout: 5 } }],
    ["a limit of nothing", { limits: { wall_ms: 0 } }],
    ["a limit that is no whole number", { limits: { wall_ms: 1.5 } }],
    ["an unknown runtime", { runtime: "perl" }],
    ["a source that is no text", { source: 1 }],
    ["a file that is no text", { files: { a: 1 } }],
    ["a file of no text under a name with a line break", { files: { "a\nb": 1 } }],
    [
      "a file with more than content and encoding",
      { files: { a: { content: "", encoding: "utf8", mode: 1 } } },
    ],
    ["a name that objects treat as their own", { files: JSON.parse('{"__proto__": "x"}') as object }],
    ["an empty id", { id: "" }],
    ["an id that is too long", { id: "x".repeat(CALL_BOUNDS.idLengthMax + 1) }],
    ["an id with a space", { id: "a b" }],
    ["an id with a line break at its end", { id: "a\n" }],
    ["no deadline at all", { deadline_ms: 0 }],
    ["a deadline that is too long", { deadline_ms: CALL_BOUNDS.deadlineMsMax + 1 }],
    ["too many arguments", { args: Array<string>(CALL_BOUNDS.argsMax + 1).fill("") }],
    ["too many files to collect", { collect: Array<string>(CALL_BOUNDS.collectMax + 1).fill("a") }],
    ["an unknown priority", { priority: "urgent" }],
    ["an unknown mode", { mode: "repl" }],
  ])("%s is not", (_, fields) => {
    expect(callOf.Check({ ...least, ...fields })).toBe(false);
  });
});

describe("limits", () => {
  test("the defaults are well formed and no higher than the ceilings", () => {
    expect(limitsOf.Check(DEFAULT_LIMIT_POLICY.default)).toBe(true);
    expect(limitsOf.Check(DEFAULT_LIMIT_POLICY.ceiling)).toBe(true);
    for (const name of Object.keys(DEFAULT_LIMIT_POLICY.default) as (keyof Limits)[]) {
      expect(DEFAULT_LIMIT_POLICY.default[name]).toBeLessThanOrEqual(DEFAULT_LIMIT_POLICY.ceiling[name]);
    }
  });
});

describe("what core concludes is a Result as it is promised", () => {
  const times = { acceptedMs: 0.1, grantedMs: 7.77777 };

  test("of any evidence", () => {
    const text = fc.uint8Array({ maxLength: 30 }).map((array) => captured(Buffer.from(array)));
    const found = fc.record({
      exitCode: fc.option(fc.nat(255)),
      signal: fc.option(fc.integer({ min: 1, max: 64 })),
      endedBy: fc.constantFrom(null, "wall" as const, "cancel" as const),
      stdout: text,
      stderr: text,
      files: fc.array(
        fc.record({
          path: fc.string({ minLength: 1 }).filter((path) => path !== "__proto__"),
          content: fc.oneof(
            fc.constantFrom("not_found", "not_a_regular_file", "too_large", "unreadable"),
            fc.uint8Array().map((array) => Buffer.from(array)),
          ),
        }),
        { maxLength: 3 },
      ),
      report: fc.constantFrom({}, { value: "1" }, { error: { type: "E", message: "", line: null } }),
    });
    fc.assert(
      fc.property(found, fc.constantFrom("utf8", "base64"), (fields, encoding) => {
        const result = conclude(accepted({ output_encoding: encoding }), evidence(fields), times);
        expect([...resultOf.Errors(result)]).toEqual([]);
      }),
    );
  });

  test.each(["cancelled", "sandbox_failed"] as const)("of no evidence: %s", (outcome) => {
    expect([...resultOf.Errors(concludeWithoutRun(accepted(), outcome, "why", times))]).toEqual([]);
  });

  test("every outcome has its place in the schema, and no other name has", () => {
    const result = concludeWithoutRun(accepted(), "cancelled", "why", times);
    for (const outcome of OUTCOME_NAMES) expect(resultOf.Check({ ...result, outcome })).toBe(true);
    expect(resultOf.Check({ ...result, outcome: "timeout" })).toBe(false);
  });
});
