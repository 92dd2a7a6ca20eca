/**
 * The loop as it runs on GPUs, over HTTP servers that speak the APIs: a Tinker server trains, a fleet of vLLM and
 * SGLang engines samples with the adapters it exports, models write the Hermes format, the real service runs their
 * programs. An engine of the fleet goes away in the middle and comes back.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readMetrics } from "../../../src/rl/command/curves.ts";
import { trainInDirectory } from "../../../src/rl/command/one-run.ts";
import { recipeWith } from "../../../src/rl/loop/recipe.ts";
import type { TranscriptLine } from "../../../src/rl/loop/transcript.ts";
import { HERMES_SYSTEM_PROMPT } from "../../../src/rl/renderers/hermes.ts";
import type { ForwardBackwardRequest } from "../../../src/rl/tinker-wire/messages.ts";
import type { TimelineEntry } from "../../../src/rl/scheduler/timeline.ts";
import { startService, type Service } from "../../support/service.ts";
import { createHermesWriter } from "../stubs/hermes-writer.ts";
import type { InferenceStub, StubOptions } from "../stubs/http-stub.ts";
import { startSglangStub } from "../stubs/sglang.ts";
import { startTinkerStub, type TinkerStub } from "../stubs/tinker.ts";
import { startVllmStub } from "../stubs/vllm.ts";

const TOKENIZER = fileURLToPath(new URL("../renderers/hermes-tiny", import.meta.url));
const place = mkdtempSync(path.join(tmpdir(), "rollcall-fleet-"));
const adapters = path.join(place, "adapters");
let service: Service;
let trainer: TinkerStub;
let options: StubOptions;
const fleet: InferenceStub[] = [];

beforeAll(async () => {
  service = await startService(["javascript", "node", "bash", "cpp"].map((id) => `--runtimes.${id}=false`));
  trainer = await startTinkerStub({ vocabulary: 640, contextTokens: 4096 });
  options = { write: await createHermesWriter(TOKENIZER), readsAdapters: true, model: "bigram" };
  fleet.push(await startVllmStub(options), await startVllmStub(options), await startSglangStub(options));
});
afterAll(async () => {
  await Promise.allSettled([trainer?.close(), ...fleet.map((stub) => stub.close())]);
  await service?.stop();
  rmSync(place, { recursive: true, force: true });
});

const recipe = () =>
  recipeWith({}, [
    "engine.backend=tinker",
    `engine.url=${trainer.url}`,
    "engine.renderer=hermes",
    `engine.tokenizer=${TOKENIZER}`,
    `engine.fleet=${JSON.stringify(fleet.map(({ url }, at) => ({ kind: at < 2 ? "vllm" : "sglang", url })))}`,
    `engine.adapterDirectory=${adapters}`,
    "data.families=[arithmetic]",
    "data.dialect=english",
    "data.train=20",
    "data.heldOut=3",
    `data.system=${HERMES_SYSTEM_PROMPT}`,
    "tool.format=full",
    "tool.prelude=''",
    "sft.steps=0",
    "algorithm.prompts=2",
    "algorithm.groupSize=4",
    "algorithm.minibatches=1",
    "evaluation.attempts=2",
    "evaluation.every=100",
    "evaluation.responseTokensMax=800",
    "stages=[{name: one, steps: 3, responseTokensMax: 800}, {name: two, steps: 1, responseTokensMax: 800, resetOptimizer: true}]",
  ]);

function transcripts(name: string): TranscriptLine[] {
  const text = readFileSync(path.join(place, "run", "transcripts", `${name}.jsonl`), "utf8");
  return text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as TranscriptLine);
}

test("trains over a fleet in the Hermes format; an engine that goes loses its rollouts to others, and comes back", async () => {
  const gone = fleet[0] as InferenceStub;
  const port = Number(new URL(gone.url).port);
  const changes: Promise<unknown>[] = [];
  const notes: string[] = [];
  const progress = {
    note: (message: string) => notes.push(message),
    step(phase: string, _: string, step: number) {
      // Two steps without it, publications included; then it is there again and knows nothing.
      if (phase === "rl" && step === 1) changes.push(gone.close());
      if (phase === "rl" && step === 3)
        changes.push(startVllmStub({ ...options, port }).then((stub) => (fleet[0] = stub)));
    },
  };
  const serviceUrl = service.url;
  await trainInDirectory({ recipe: recipe(), directory: path.join(place, "run"), serviceUrl, progress });
  await Promise.all(changes);

  const steps = readMetrics(path.join(place, "run", "metrics.jsonl")).filter(({ phase }) => phase === "rl");
  expect(steps.map(({ stage }) => stage)).toEqual(["one", "one", "one", "two"]);
  expect(steps.map((line) => line["rollouts/excluded"])).toEqual([0, 0, 0, 0]);
  expect(steps.map((line) => line["progress/total_rollouts"])).toEqual([16, 16, 16, 16]);
  expect(steps.some((line) => Number(line["scheduler/rescued"]) > 0)).toBe(true);

  // What was written is the template's form, was carried out for real, and was scored by its answer.
  const rows = [1, 2, 3, 4].flatMap((step) => transcripts(`step-00000${step}`));
  const outcomes = rows.flatMap(({ turns }) =>
    turns.flatMap(({ calls }) => calls.map(({ outcome }) => outcome)),
  );
  expect(new Set(outcomes)).toEqual(new Set(["completed", "failed"]));
  expect(new Set(rows.map(({ reward }) => reward))).toEqual(new Set([0, 1]));
  const mended = rows.find(({ turns, reward }) => turns.length === 3 && reward === 1);
  expect(mended?.text).toMatch(
    /^<\|im_start\|>system\n[\s\S]*<\/tool_call><\|im_end\|>\n<\|im_start\|>user\n<tool_response>\n[\s\S]*SyntaxError[\s\S]*<\/tool_response><\|im_end\|>\n<\|im_start\|>assistant\n/,
  );
  // One version of the weights wrote each step, a newer one the next; who came back was given the newest first.
  const versions = [0, 1, 2, 3].map((step) => [
    ...new Set(
      rows
        .slice(16 * step, 16 * step + 16)
        .flatMap(({ segments }) => segments.map(({ weightsVersion }) => weightsVersion)),
    ),
  ]);
  expect(versions.map((some) => some.length)).toEqual([1, 1, 1, 1]);
  expect(versions.flat()).toEqual(versions.flat().toSorted((left, right) => left - right));

  // What the trainer was given: right and wrong ones, and nothing that the model did not write.
  const batches = trainer.asked
    .filter(({ path: asked }) => asked === "forward_backward")
    .map(({ body }) => (body as ForwardBackwardRequest).forward_backward_input)
    .filter(({ loss_fn }) => loss_fn === "ppo");
  const advantages = batches.flatMap(({ data }) =>
    data.map((datum) => datum.loss_fn_inputs["advantages"]?.data ?? []),
  );
  expect(advantages.some((row) => row.some((value) => value > 0))).toBe(true);
  expect(advantages.some((row) => row.some((value) => value < 0))).toBe(true);
  expect(advantages.every((row) => row.filter((value) => value !== 0).length < row.length / 2)).toBe(true);
  expect(steps.some((line) => Number(line["actor/grad_norm"]) > 0)).toBe(true);

  // The stage that begins with a new optimizer loads the weights without it.
  const loads = trainer.asked.filter(({ path: asked }) => asked === "load_weights");
  expect(loads.map(({ body }) => (body as { optimizer: boolean }).optimizer)).toEqual([false]);

  // Adapters were handed over under names of their own, and of those not more are kept than are needed.
  for (const stub of fleet) {
    const names = stub.asked.map(({ body }) => String(body["lora_path"] ?? body["model"]));
    expect(new Set(names.map((name) => name.startsWith("rollcall-")))).toEqual(new Set([true]));
    expect(stub.adapters.size).toBeLessThanOrEqual(2);
  }
  expect(readdirSync(adapters)).toHaveLength(2);
  expect(fleet[0]?.asked.length).toBeGreaterThan(0);

  const timeline = readFileSync(path.join(place, "run", "timeline.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as TimelineEntry);
  expect(new Set(timeline.map(({ engine }) => engine)).size).toBe(3);
  expect(timeline.some((entry) => entry.kind === "sample" && entry.kvTokens === 100_000)).toBe(true);
  expect(timeline.some((entry) => entry.kind === "down")).toBe(true);
}, 120_000);

test("a poisoned reply of an engine ends the run with what is wrong with it, and nothing is learned from it", async () => {
  const before = trainer.asked.filter(({ path: asked }) => asked === "forward_backward").length;
  const poison = { choices: [{ token_ids: [1, 2], logprobs: { token_logprobs: [-1, null] } }] };
  fleet[1]?.faults.push({ status: 200, body: poison });
  const progress = { note: () => undefined, step: () => undefined };
  const options = {
    recipe: recipe(),
    directory: path.join(place, "poisoned"),
    serviceUrl: service.url,
    progress,
  };
  await expect(trainInDirectory(options)).rejects.toThrow("log probability null");
  const bodies = trainer.asked.filter(({ path: asked }) => asked === "forward_backward").slice(before);
  const losses = bodies.map(({ body }) => (body as ForwardBackwardRequest).forward_backward_input.loss_fn);
  expect(losses).not.toContain("ppo");
}, 60_000);
