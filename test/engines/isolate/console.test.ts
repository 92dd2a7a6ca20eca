/** What programs print is what Node prints: real Node is the oracle. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { PRINTED } from "./printed-values.ts";
import { runIn } from "./programs.ts";
import { type TestEngine, startEngine } from "./test-engine.ts";

const MARK = "\u0001";
const program = PRINTED.map(
  (statement) => `{ ${statement}\n} process.stdout.write(${JSON.stringify(MARK)});`,
).join("\n");

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

test("a large table of values prints as under Node", async () => {
  const file = join(directory, "main.js");
  writeFileSync(file, program);
  const byNode = execFileSync(process.execPath, [file], { encoding: "utf8" }).split(MARK);
  const { stdout, stderr } = await runIn(engine.sandbox, program);
  expect(stderr).toBe("");
  const byUs = stdout.split(MARK);
  const table = (printed: readonly string[]) =>
    PRINTED.map((statement, index) => ({ statement, printed: printed[index] }));
  expect(table(byUs)).toEqual(table(byNode));
});
