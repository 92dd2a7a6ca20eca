/**
 * Every promise of the ports, kept by a trainer with a fleet in front: what vLLM and SGLang sample from is what the
 * Tinker server trained, exported and handed over as an adapter.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openAdapterFleet } from "../../../src/rl/policies/adapter-fleet.ts";
import { createSglangEngine } from "../../../src/rl/policies/sglang.ts";
import { openTinkerEngine } from "../../../src/rl/policies/tinker/engine.ts";
import { createVllmEngine } from "../../../src/rl/policies/vllm.ts";
import type { Engine } from "../../../src/rl/ports.ts";
import { policySuite } from "../policy-suite.ts";
import type { InferenceStub } from "../stubs/http-stub.ts";
import { startSglangStub } from "../stubs/sglang.ts";
import { startTinkerStub, type TinkerStub } from "../stubs/tinker.ts";
import { startVllmStub } from "../stubs/vllm.ts";

const directory = mkdtempSync(path.join(tmpdir(), "rollcall-adapters-"));
const loaded = new Map<string, number[][]>();

/** A row of the weights that the trainer packed. */
function scoresOf(adapter: string, last: number): readonly number[] {
  const file = path.join(adapter, "adapter_model.safetensors");
  const weights = loaded.get(adapter) ?? (JSON.parse(readFileSync(file, "utf8")) as number[][]);
  loaded.set(adapter, weights);
  return weights[last % weights.length] ?? [];
}

let trainer: TinkerStub;
let fleet: InferenceStub[];
beforeAll(async () => {
  trainer = await startTinkerStub();
  const options = { readsAdapters: true, scoresOf };
  fleet = [await startVllmStub(options), await startSglangStub(options)];
});
afterAll(async () => {
  await Promise.all([trainer.close(), ...fleet.map((stub) => stub.close())]);
  rmSync(directory, { recursive: true, force: true });
});

let opened = 0;
async function open(): Promise<Engine> {
  const [vllm, sglang] = fleet as [InferenceStub, InferenceStub];
  const common = { model: "stub", contextTokens: 64 };
  const { engine } = await openAdapterFleet({
    trainer: await openTinkerEngine({ server: "rollcall", baseUrl: trainer.url }),
    engines: [
      createVllmEngine({ baseUrl: vllm.url, ...common }),
      createSglangEngine({ baseUrl: sglang.url, ...common }),
    ],
    directory,
    prefix: `suite-${(opened += 1)}`,
  });
  return engine;
}

policySuite("a trainer with a fleet", {
  open,
  tokens: [1, 2, 3, 4, 5],
  isRepeatable: true,
  learningRate: 0.05,
});

describe("a trainer with a fleet", () => {
  test("an adapter that an engine refuses for good ends it with the engine's words", async () => {
    const alone = await openTinkerEngine({ server: "rollcall", baseUrl: trainer.url });
    const lost = openAdapterFleet({
      trainer: alone,
      engines: [createVllmEngine({ baseUrl: fleet[0]?.url ?? "", model: "stub", contextTokens: 64 })],
      directory,
      engineDirectory: "/not/mounted",
      prefix: "lost",
    });
    await expect(lost).rejects.toThrow("No adapter found for /not/mounted");
    await alone.close();
  });
});
