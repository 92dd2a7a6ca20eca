/** The embedded engine held to what every backend promises. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { createEmbeddedEngine } from "../../../src/rl/policies/embedded/engine.ts";
import { policySuite } from "../policy-suite.ts";

const directory = mkdtempSync(join(tmpdir(), "rollcall-policy-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

policySuite("embedded", {
  open: () => createEmbeddedEngine({ vocabulary: 16, context: 32, width: 16, heads: 2, directory }),
  tokens: [3, 5, 7, 9, 11],
  isRepeatable: true,
  learningRate: 0.01,
});
