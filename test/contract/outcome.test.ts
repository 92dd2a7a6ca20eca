import { expect, test } from "vitest";
import { mayBecomeReward, OUTCOME_NAMES, OUTCOMES } from "../../src/contract/outcome.ts";

test("only what the program earned may become a reward", () => {
  expect(OUTCOME_NAMES.filter((name) => !mayBecomeReward(name))).toEqual(["cancelled", "sandbox_failed"]);
});

test("the list of outcomes is closed: one more is a change of the contract", () => {
  expect(OUTCOMES).toEqual({
    completed: "program",
    failed: "program",
    signaled: "program",
    compile_failed: "program",
    wall_limit: "limit",
    cpu_limit: "limit",
    memory_limit: "limit",
    output_limit: "limit",
    process_limit: "limit",
    disk_limit: "limit",
    cancelled: "caller",
    sandbox_failed: "service",
  });
});
