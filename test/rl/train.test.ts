/** `rollcall train` as it is used: the embedded model, the real service, a process that is interrupted. */
import { once } from "node:events";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readMetrics } from "../../src/rl/command/curves.ts";
import { startService, type Service } from "../support/service.ts";
import { MAIN, runTrainCommand, type CommandOptions, type Ended } from "./train-command.ts";

const place = mkdtempSync(path.join(tmpdir(), "rollcall-train-"));
const PYTHON_ALONE = ["javascript", "node", "bash", "cpp"].map((id) => `--runtimes.${id}=false`);
let service: Service;

beforeAll(async () => {
  service = await startService(PYTHON_ALONE);
});

afterAll(async () => {
  await service?.stop();
  rmSync(place, { recursive: true, force: true });
});

const SMALL = [
  "engine.layers=1",
  "engine.width=16",
  "engine.heads=2",
  "engine.replicas=1",
  "data.train=32",
  "data.heldOut=4",
  "sft.steps=2",
  "sft.trajectories=8",
  "sft.batch=4",
  "algorithm.prompts=2",
  "algorithm.groupSize=2",
  "stages.0.steps=4",
  "stages.0.responseTokensMax=24",
  "evaluation.attempts=1",
  "evaluation.passAt=[1]",
  "evaluation.responseTokensMax=24",
  "run.checkpointEvery=1",
];

const rollcall = (words: readonly string[], options?: CommandOptions): Promise<Ended> =>
  runTrainCommand(place, words, options);

/** Curves without the clock's part. */
function curve(run: string): unknown[] {
  return readMetrics(path.join(place, run, "metrics.jsonl")).map((line) =>
    Object.fromEntries(
      Object.entries(line).filter(([name]) => /^(phase|step|reward|actor|eval\/all|response)/.test(name)),
    ),
  );
}

test("trains through the service, and a run that was stopped gives the same curve when it is resumed", async () => {
  const words = [...SMALL, `service.url=${service.url}`, "run.directory=."];
  const whole = await rollcall([...words, "run.name=whole"]);
  expect(whole.output).toContain("held out after step 4");
  expect(whole.output).toMatch(/accuracy on held-out problems +\d\.\d{3} -> \d\.\d{3}/);
  expect(whole.code).toBe(0);
  const lines = readMetrics(path.join(place, "whole", "metrics.jsonl"));
  expect(lines.filter(({ phase }) => phase === "rl").map(({ step }) => step)).toEqual([1, 2, 3, 4]);
  const page = readFileSync(path.join(place, "whole", "index.html"), "utf8");
  expect(page).toContain("Accuracy on held-out problems");
  const lessons = readFileSync(path.join(place, "whole", "transcripts", "sft.jsonl"), "utf8")
    .trim()
    .split("\n");
  const calls = lessons.flatMap(
    (line) => (JSON.parse(line) as { turns: { calls: { outcome: string }[] }[] }).turns,
  );
  expect(calls.flatMap((turn) => turn.calls.map(({ outcome }) => outcome))).toContain("completed");

  const stopped = await rollcall([...words, "run.name=stopped"], { until: / rl +2 / });
  expect(stopped.code).toBe(1);
  expect(stopped.output).toContain("interrupted by SIGTERM; --resume goes on from the last checkpoint");
  expect(existsSync(path.join(place, "stopped", "index.html"))).toBe(false);
  const again = await rollcall(["--resume", "stopped"]);
  expect(again.output).toMatch(/resumed after step [123]/);
  expect(curve("stopped")).toEqual(curve("whole"));
}, 240_000);

test("a service that goes in the middle is waited for, and nothing is lost or left out", async () => {
  const port = new URL(service.url).port;
  const words = [
    ...SMALL,
    `service.url=${service.url}`,
    "run.directory=.",
    "run.name=waited",
    "stages.0.steps=12",
  ];
  const running = rollcall(words);
  const metrics = path.join(place, "waited", "metrics.jsonl");
  const has = (text: string): boolean => existsSync(metrics) && readFileSync(metrics, "utf8").includes(text);
  while (!has('"phase":"rl"')) await new Promise((resolve) => setTimeout(resolve, 20));
  service.process.kill("SIGKILL");
  await once(service.process, "exit");
  service = await startService(["--port", port, ...PYTHON_ALONE]);
  const { code, output } = await running;
  expect(output).toContain("the service answers again");
  expect(code).toBe(0);
  const steps = readMetrics(metrics).filter(({ phase }) => phase === "rl");
  expect(steps).toHaveLength(12);
  expect(steps.map((line) => line["rollouts/excluded"])).toEqual(steps.map(() => 0));
}, 240_000);

/** Why no file system of our own can be mounted, or null. */
function mountRefused(): string | null {
  const tried = spawnSync("unshare", ["-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], { encoding: "utf8" });
  return tried.status === 0 ? null : (tried.error?.message ?? tried.stderr.trim());
}

const refused = mountRefused();
if (refused !== null) process.stderr.write(`no full disk is tried: ${refused}\n`);

test.skipIf(refused !== null)(
  "a disk that is really full at a checkpoint costs that checkpoint; the last good one is gone on with",
  async () => {
    const disk = path.join(place, "disk");
    const saved = path.join(place, "saved");
    mkdirSync(disk);
    // The model's own size: 1.3 MB a checkpoint, of which two fit.
    const words = SMALL.filter((word) => !/^engine\.(layers|width|heads)/.test(word));
    const run = `run.directory=${disk} run.name=full run.checkpointsKept=100 service.url=${service.url}`;
    const script = `mount -t tmpfs -o size=3600k tmpfs ${disk} && ${process.execPath} ${MAIN} train ${words.join(" ")} ${run}; cp -r ${disk} ${saved}`;
    const child = spawn("unshare", ["-rm", "sh", "-c", script], {
      cwd: place,
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    child.stdout.on("data", (chunk) => (output += String(chunk)));
    await once(child, "close");
    expect(output).toMatch(/no checkpoint at step [2-4], the last one stays: .*(ENOSPC|no space)/);
    expect(output).toContain("held out after step 4");
    expect(readdirSync(path.join(saved, "full", "checkpoints")).at(-1)).toBe("step-000001");
    const again = await rollcall(["--resume", path.join(saved, "full")]);
    expect(again.output).toContain("resumed after step 1");
    expect(again.code).toBe(0);
    expect(readdirSync(path.join(saved, "full", "checkpoints")).at(-1)).toBe("step-000004");
  },
  240_000,
);

test("a run that is killed takes the service that it started with it", async () => {
  const killed = await rollcall([...SMALL, "run.directory=.", "run.name=killed"], {
    until: /tool calls to/,
    signal: "SIGKILL",
  });
  expect(killed.code).toBe(null);
  const url = /tool calls to (http:\S+)/.exec(killed.output)?.[1] ?? "";
  const answers = (): Promise<boolean> =>
    fetch(`${url}/healthz`).then(
      () => true,
      () => false,
    );
  await expect.poll(answers, { timeout: 60_000, interval: 100 }).toBe(false);
}, 180_000);

test("--compare goes on from one imitation stage with each algorithm, as published and as released", async () => {
  const words = [
    ...SMALL,
    `service.url=${service.url}`,
    "run.directory=.",
    "run.name=compared",
    "stages.0.steps=2",
  ];
  const { code, output } = await rollcall([
    ...words,
    "--compare",
    "grpo,grpo-roc,grpo-roc-released",
    "--seeds",
    "1",
  ]);
  expect(code).toBe(0);
  expect(output).toMatch(/grpo-roc-released +\d\.\d{3} \(/);
  const run = (name: string) => path.join(place, "compared", `${name}-seed-1`);
  const config = (name: string) =>
    (JSON.parse(readFileSync(path.join(run(name), "config.json"), "utf8")) as { algorithm: unknown })
      .algorithm;
  expect(config("grpo")).toMatchObject({ kind: "grpo" });
  expect(config("grpo-roc")).toMatchObject({ kind: "grpo-roc", variant: "paper", countErrorsBy: "outcome" });
  expect(config("grpo-roc-released")).toMatchObject({ variant: "released", countErrorsBy: "word" });
  const [one, other] = ["grpo", "grpo-roc-released"].map((name) =>
    readMetrics(path.join(run(name), "metrics.jsonl")),
  );
  expect(other?.filter(({ phase }) => phase === "sft")).toEqual(one?.filter(({ phase }) => phase === "sft"));
  const page = readFileSync(path.join(place, "compared", "index.html"), "utf8");
  expect(page).toContain("grpo, grpo-roc, grpo-roc-released over 1 seeds");
  const wrong = await rollcall([...words, "--compare", "grpo,ppo"]);
  expect(wrong.output).toContain('--compare knows grpo, grpo-roc, grpo-roc-released, not "ppo"');
}, 240_000);

test("--dry-run prints the recipe and runs nothing; a wrong word is told in one line", async () => {
  const dry = await rollcall(["--dry-run", "run.seed=7"]);
  expect(dry.output).toContain("seed: 7");
  const wrong = await rollcall(["run.sed=7"]);
  expect(wrong).toEqual({ code: 1, output: "rollcall: run.sed is not known\n" });
});
