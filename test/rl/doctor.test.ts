/** `doctor` for a run of the loop: what is missing is told with what mends it, by asking for real. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { diagnoseLoop } from "../../src/rl/command/doctor.ts";
import { startService, type Service } from "../support/service.ts";
import { startTinkerStub, type TinkerStub } from "./stubs/tinker.ts";
import { startVllmStub } from "./stubs/vllm.ts";
import type { InferenceStub } from "./stubs/http-stub.ts";

const TOKENIZER = fileURLToPath(new URL("renderers/hermes-tiny", import.meta.url));
const place = mkdtempSync(path.join(tmpdir(), "rollcall-doctor-"));
const AWAY = "http://127.0.0.1:9";
let service: Service;
let trainer: TinkerStub;
let engine: InferenceStub;

beforeAll(async () => {
  service = await startService(["javascript", "node", "bash", "cpp"].map((id) => `--runtimes.${id}=false`));
  trainer = await startTinkerStub({ key: "tml-secret" });
  engine = await startVllmStub();
  writeFileSync(path.join(place, "data.jsonl"), '{"prompt": "1 + 1?", "answer": "2"}\n');
});
afterAll(async () => {
  await Promise.allSettled([trainer?.close(), engine?.close()]);
  await service?.stop();
  rmSync(place, { recursive: true, force: true });
});

/** `state name` of each finding, and all of their words. */
async function findings(words: readonly string[]): Promise<{ states: string[]; told: string }> {
  const found = await diagnoseLoop([`run.directory=${place}/runs`, ...words]);
  for (const { state, fix } of found) if (state !== "ok") expect(fix).toBeTruthy();
  return {
    states: found.map(({ state, name }) => `${state} ${name.replace(/ 127\S+/, "")}`),
    told: found.map((one) => `${one.name}: ${one.found}`).join("\n"),
  };
}

const onGpus = (url: string, fleet: string, tokenizer: string, data: string): string[] => [
  "engine.backend=tinker",
  `engine.url=${url}`,
  "engine.key=tml-secret",
  `engine.tokenizer=${tokenizer}`,
  `engine.fleet=[{kind: vllm, url: "${fleet}"}]`,
  "data.source=file",
  `data.file=${data}`,
  `data.heldOutFile=${data}`,
];

describe("doctor", () => {
  test("lets the embedded model write a token, and says what is not there and not needed", async () => {
    const { states, told } = await findings([]);
    expect(states.slice(0, 4)).toEqual([
      "ok recipe",
      "ok device wasm",
      "ok device webgpu",
      "ok run directory",
    ]);
    expect(told).toContain("a small model wrote a token");
    expect(states.at(-1)).toBe("ok service");
    expect(existsSync(path.join(place, "runs"))).toBe(false);
    const asked = await findings(["engine.device=webgpu"]);
    expect(asked.states).toContain("fail device webgpu");
  }, 60_000);

  test("finds everything where everything is", async () => {
    const data = path.join(place, "data.jsonl");
    const { states, told } = await findings([
      ...onGpus(trainer.url, engine.url, TOKENIZER, data),
      `service.url=${service.url}`,
    ]);
    expect(states.filter((state) => !state.startsWith("ok") && state !== "warn disk")).toEqual([]);
    expect(told).toContain("has bigram");
    expect(told).toContain("room for 100000 tokens");
    expect(told).toContain("ran a program");
    expect(told).not.toContain("tml-secret");
  }, 60_000);

  test("names what is missing, each with what mends it", async () => {
    const file = path.join(place, "a-file");
    writeFileSync(file, "");
    const { states } = await findings([
      ...onGpus(AWAY, AWAY, `${place}/nowhere`, `${place}/none.jsonl`),
      `run.directory=${file}/runs`,
      `service.url=${AWAY}`,
    ]);
    expect(states).toEqual([
      "ok recipe",
      "fail trainer",
      "fail tokenizer",
      "fail engine",
      "fail data none.jsonl",
      "fail data none.jsonl",
      "fail run directory",
      "fail service",
    ]);
  }, 60_000);

  test.each([
    [["engine.layrs=3"], "engine.layrs is not known"],
    [["engine.backend=tinker", "engine.key=$NOT_THERE_AT_ALL"], "NOT_THERE_AT_ALL is not in the environment"],
    [["engine.backend=openai"], "no model is named"],
    [["engine.backend=openai", "engine.model=m", `engine.url=${AWAY}/v1`], "ECONNREFUSED"],
    [["a.yaml", "b.yaml"], "one recipe at most"],
  ])("of %j says: %s", async (words, said) => {
    const { states, told } = await findings(words);
    expect(states.some((state) => state.startsWith("fail"))).toBe(true);
    expect(told).toContain(said);
  });
});
