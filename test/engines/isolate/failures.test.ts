/** How programs end: exit codes and stderr are Node's, less the frames of Node's own loader. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FAILING } from "./failing-programs.ts";
import { runIn } from "./programs.ts";
import { type TestEngine, startEngine } from "./test-engine.ts";

let engine: TestEngine;
let directory: string;

beforeAll(async () => {
  engine = await startEngine();
  directory = mkdtempSync(join(tmpdir(), "oracle-"));
});
afterAll(async () => {
  rmSync(directory, { recursive: true, force: true });
  await engine.close();
});

function underNode(source: string) {
  writeFileSync(join(directory, "main.js"), source);
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(directory, "main.js")], {
    encoding: "utf8",
  });
  const shown = stderr
    .replaceAll(directory, "/work")
    .replace(
      /\n +(?:at [^\n]*?node:internal[^\n]*?|\.{3} \d+ lines matching cause stack trace \.{3})( \{)?(?=\n|$)/g,
      "$1",
    );
  return { exitCode: status, stdout, stderr: shown };
}

describe("a program ends as under Node", () => {
  test.for(Object.entries(FAILING))("%s", async ([, source]) => {
    const { evidence, stdout, stderr } = await runIn(engine.sandbox, source);
    expect({ exitCode: evidence.exitCode, stdout, stderr }).toEqual(underNode(source));
  });
});

test("what was thrown is reported with its line", async () => {
  const { evidence } = await runIn(
    engine.sandbox,
    `const a = 1;\n\nclass Odd extends RangeError {}\nthrow new Odd("m");`,
  );
  expect(evidence.report.error).toEqual({ type: "Odd", message: "m", line: 4 });
});

test.for([
  [`throw null`, "null"],
  [`throw "text"`, "'text'"],
  [`throw { a: 1 }`, "{ a: 1 }"],
])("%s is shown", async ([source = "", shown]) => {
  const { evidence, stderr } = await runIn(engine.sandbox, source);
  expect(evidence.exitCode).toBe(1);
  expect(stderr).toContain(`Uncaught:\n${shown}\n`);
});
