/** Evidence that says nothing about the program, though the sandbox answered. */
import { describe, expect, it } from "vitest";
import { runInTime } from "../../src/core/patience.ts";
import { accepted, evidence } from "./builders.ts";

describe("a program that was refused a process", () => {
  const { spec } = accepted({ limits: { processes: 8 } });
  const usage = (processes: number) => ({ wall_ms: 1, cpu_ms: 1, memory_peak_bytes: 0, processes });

  it.for([
    ["at its own limit", 9, 1, null],
    ["again and again at its own limit", 500, 492, null],
    ["with one left to it", 8, 1, "no_processes"],
    ["at its first fork", 2, 1, "no_processes"],
    ["again and again below its limit", 500, 493, "no_processes"],
    ["never", 3, 0, null],
  ] as const)("%s: %d numbered, %d refused", async ([, numbered, forksRefused, kind]) => {
    const found = evidence({ exitCode: 1, forksRefused, usage: usage(numbered) });
    const sandbox = { run: () => Promise.resolve(found), close: () => Promise.resolve() };
    const run = runInTime(sandbox, spec, new AbortController().signal);
    if (kind === null) expect(await run).toBe(found);
    else await expect(run).rejects.toMatchObject({ kind });
  });
});
