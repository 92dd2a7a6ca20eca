/**
 * The promises of the ports, by a real SkyRL on this machine's processor:
 *
 *     ROLLCALL_TEST_SKYRL=1 npm test -- test/rl/tinker/skyrl.test.ts
 *
 * It installs some 3 GB from PyPI below `.rollcall/skyrl` the first time, so it is not part of every run.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { prepareSkyrl, startSkyrl, type SkyrlServer } from "../../../scripts/skyrl/server.ts";
import { readMetrics } from "../../../src/rl/command/curves.ts";
import { openTinkerEngine } from "../../../src/rl/policies/tinker/engine.ts";
import { policySuite } from "../policy-suite.ts";
import { runTrainCommand } from "../train-command.ts";

const isAsked = process.env["ROLLCALL_TEST_SKYRL"] === "1";
if (!isAsked) process.stderr.write("skyrl.test.ts is skipped: ROLLCALL_TEST_SKYRL=1 runs it\n");

describe.runIf(isAsked)("a real SkyRL", { timeout: 600_000 }, () => {
  let server: SkyrlServer;
  beforeAll(async () => {
    await prepareSkyrl((line) => process.stderr.write(`${line}\n`));
    server = await startSkyrl();
  }, 3_600_000);
  afterAll(() => server?.close());
  const open = () =>
    openTinkerEngine({ server: "skyrl", baseUrl: server.url, loraRank: 8, seed: 1, contextTokens: 512 });

  policySuite("skyrl", { open, tokens: [3, 4, 5, 6, 7], isRepeatable: true, learningRate: 0.01 });

  test("a run of the loop has rewards that differ, and a policy gradient of them", async () => {
    const place = mkdtempSync(path.join(tmpdir(), "rollcall-skyrl-"));
    const recipe = path.join(import.meta.dirname, "../../../recipes/skyrl-cpu.yaml");
    const words = [recipe, `engine.url=${server.url}`, "run.directory=.", "run.name=run"];
    const { code, output } = await runTrainCommand(place, words);
    expect(code, output).toBe(0);
    const steps = readMetrics(path.join(place, "run", "metrics.jsonl")).filter(({ phase }) => phase === "rl");
    rmSync(place, { recursive: true });
    expect(steps).toHaveLength(3);
    const learned = steps.filter((line) => Number(line["by_group/frac_mixed"]) > 0);
    expect(learned.length).toBeGreaterThan(0);
    for (const line of learned) expect(Number(line["actor/grad_norm"])).toBeGreaterThan(0);
  });

  test("exports an adapter that a fleet could load", async () => {
    const engine = await open();
    expect(engine.reduction).toBe("sequence_mean");
    const archive = gunzipSync(await engine.downloadAdapter(await engine.exportAdapter("fleet")));
    expect(archive.includes("adapter_config.json")).toBe(true);
    expect(archive.includes("adapter_model.safetensors")).toBe(true);
    await engine.close();
  });
});
