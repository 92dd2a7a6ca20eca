import { describe, expect, test } from "vitest";
import { SandboxError, type Client, type Result } from "../../../src/client/index.ts";
import { EngineError, type Sample } from "../../../src/rl/ports.ts";
import { createTinyRenderer, encodeTiny } from "../../../src/rl/renderers/tiny.ts";
import { createEnv } from "../../../src/rl/rollout/env.ts";
import { gradeExact, mathGrader } from "../../../src/rl/rollout/grade.ts";
import { rollOut } from "../../../src/rl/rollout/rollout.ts";
import { createService, ServiceGone, type Service } from "../../../src/rl/rollout/service.ts";
import { responseText, type ToolOptions } from "../../../src/rl/rollout/tool.ts";
import { scoredOf } from "../../../src/rl/rollout/trajectory.ts";
import { resultOf } from "../../support/result.ts";
import { arithmeticService } from "../scripted.ts";

const tool: ToolOptions = { prelude: "", wallMs: 4000, format: "compact", responseCharactersMax: 100 };
const full: ToolOptions = { ...tool, format: "full" };
const problem = { id: "p", family: "arithmetic", prompt: "a24p73", answer: "97" };
const renderer = createTinyRenderer();

/** A model that says these turns, one after the other. */
function writer(...turns: readonly string[]) {
  const queue = [...turns];
  return {
    contextTokens: 80,
    sample: (): Promise<Sample> => {
      const tokens = encodeTiny(queue.shift() ?? ";");
      const isStop = renderer.stop.includes(tokens.at(-1) ?? -1);
      return Promise.resolve({
        tokens,
        logprobs: tokens.map(() => -1),
        stopReason: isStop ? "stop" : "length",
        weightsVersion: 3,
      });
    },
  };
}

function play(
  turns: readonly string[],
  service: Service = arithmeticService(),
  limits = { turnsMax: 4, responseTokensMax: 60 },
) {
  return rollOut(problem, {
    sampler: writer(...turns),
    renderer,
    env: createEnv(problem, { service, tool, grade: gradeExact }),
    system: "",
    limits,
    temperature: 1,
    topP: 1,
    key: [1],
  });
}

describe("what a tool call is answered with", () => {
  const failed: Partial<Result> = {
    outcome: "failed",
    exit_code: 1,
    stderr: "Traceback (most recent call last):\nNameError: name 'x'\n",
    error: { type: "NameError", message: "name 'x'", line: 1 },
  };
  test.each<[string, Partial<Result>, string, string]>([
    ["what was printed", { stdout: "7\n", value: "8" }, "7", "7"],
    ["the value when nothing was printed", { value: "'ab'" }, "'ab'", "'ab'"],
    ["an error with its traceback", failed, "Traceback (most recent call last):\nNameError: name 'x'", "!n"],
    [
      "the time limit",
      { outcome: "wall_limit" },
      "TimeoutError: the program ran longer than 4 seconds",
      "!w",
    ],
    ["another limit", { outcome: "memory_limit" }, "ResourceError: the program met its memory limit", "!m"],
    ["an exit", { outcome: "failed", exit_code: 3 }, "the program ended by exit code 3", "!e"],
  ])("%s", (_, fields, inFull, compact) => {
    expect(responseText(resultOf(fields), full)).toBe(inFull);
    expect(responseText(resultOf(fields), tool)).toBe(compact);
  });

  test("a long one loses its middle", () => {
    const text = responseText(resultOf({ stdout: "a".repeat(300) + "b" }), full);
    expect(text.length).toBeLessThanOrEqual(100);
    expect(text.endsWith("b")).toBe(true);
  });
});

describe("a rollout", () => {
  test("appends tokens only, masks what the model did not write, and is rewarded by its answer", async () => {
    const done = await play(["<24p73>", "<24+73>", "=97;"]);
    expect(renderer.decode(done.tokens)).toBe("#a24p73?<24p73>{!s}<24+73>{97}=97;");
    const written = done.tokens.filter((_, at) => done.mask[at] === 1);
    expect(renderer.decode(written)).toBe("<24p73><24+73>=97;");
    expect(done.logprobs.map((value) => value !== 0)).toEqual(done.mask.map((one) => one === 1));
    expect(done).toMatchObject({ reward: 1, ending: "finished", answers: 1 });
    expect(done.segments).toEqual([
      { from: 8, to: 15, weightsVersion: 3 },
      { from: 19, to: 26, weightsVersion: 3 },
      { from: 30, to: 34, weightsVersion: 3 },
    ]);
    expect(scoredOf(done)).toMatchObject({ toolCalls: 2, toolErrors: 1, turns: 3, isExcluded: false });
  });

  test("a call that does not parse is answered without the service", async () => {
    const sources: string[] = [];
    const done = await play([">", "=97;"], arithmeticService(sources));
    expect(sources).toEqual([]);
    expect(done.turns[0]?.calls).toMatchObject([{ outcome: "unparsed", isError: true, response: "!p" }]);
    expect(done.reward).toBe(1);
  });

  test("cut by length it keeps 0, whatever it had said", async () => {
    const cut = await play(["<24+73>", "=97"]);
    expect(cut).toMatchObject({ reward: 0, ending: "length" });
    const full = await play(["<24+73>", "<24+73>", "<24+73>"], arithmeticService(), {
      turnsMax: 9,
      responseTokensMax: 20,
    });
    expect(full).toMatchObject({ reward: 0, ending: "length" });
    expect(full.tokens.length).toBeLessThanOrEqual(8 + 20 + 7);
  });

  test("ends at its turns", async () => {
    const done = await play(["<24+73>", "<24+73>", "=97;"], arithmeticService(), {
      turnsMax: 2,
      responseTokensMax: 60,
    });
    expect(done).toMatchObject({ reward: 0, ending: "turns" });
    expect(done.turns).toHaveLength(2);
  });

  test.each(["sandbox_failed", "cancelled"] as const)("%s excludes it: no reward", async (outcome) => {
    const service = {
      ...arithmeticService(),
      execute: () => Promise.resolve(resultOf({ outcome, detail: "ours" })),
    };
    const done = await play(["<24+73>", "=97;"], service);
    expect(done).toMatchObject({ reward: null, excluded: "ours" });
    expect(scoredOf(done).isExcluded).toBe(true);
  });

  test("a refusal for what the model wrote is its error, any other ends the run", async () => {
    const refusing = (code: "call_too_large" | "unauthorized" | "internal") => ({
      ...arithmeticService(),
      execute: () => Promise.reject(new SandboxError(code, code)),
    });
    expect(await play(["<24+73>", "=97;"], refusing("call_too_large"))).toMatchObject({
      reward: 1,
      excluded: null,
    });
    expect(await play(["<24+73>", "=97;"], refusing("internal"))).toMatchObject({ reward: null });
    await expect(play(["<24+73>"], refusing("unauthorized"))).rejects.toThrow("unauthorized");
  });

  test("an engine's poisoned reply is a clear error", async () => {
    const poisoned = {
      contextTokens: 80,
      sample: () =>
        Promise.resolve({
          tokens: [1, 2],
          logprobs: [-1, Number.NaN],
          stopReason: "stop" as const,
          weightsVersion: 1,
        }),
    };
    const env = createEnv(problem, { service: arithmeticService(), tool, grade: gradeExact });
    const limits = { turnsMax: 2, responseTokensMax: 20 };
    const options = {
      sampler: poisoned,
      renderer,
      env,
      system: "",
      limits,
      temperature: 1,
      topP: 1,
      key: [1],
    };
    await expect(rollOut(problem, options)).rejects.toThrow(EngineError);
  });

  test("an environment is single-use", async () => {
    const env = createEnv(problem, { service: arithmeticService(), tool, grade: gradeExact });
    expect(await env.conclude(" 97 ")).toEqual({ reward: 1, detail: null });
    await expect(env.conclude("97")).rejects.toThrow("is over");
  });

  test("a verdict of the service's own fault is no reward", async () => {
    const verdict = { reward: null, detail: "sandbox failed" };
    const service = { ...arithmeticService(), verify: () => Promise.resolve(verdict as never) };
    expect(await mathGrader(service)("1/2", problem)).toEqual(verdict);
  });
});

describe("a service that goes", () => {
  function goingClient(awayFor: number) {
    let asked = 0;
    const gone = () => Promise.reject(new SandboxError("unreachable", "connection refused"));
    return {
      execute: () => (asked < awayFor ? gone() : Promise.resolve(resultOf({ value: "97" }))),
      describe: () => {
        asked += 1;
        return asked < awayFor ? gone() : Promise.resolve({});
      },
    } as unknown as Client;
  }

  test("is waited for by all rollouts together, and nothing is scored meanwhile", async () => {
    const changes: string[] = [];
    const service = createService(goingClient(3), {
      patienceMs: 60_000,
      lookEveryMs: 1,
      onChange: (state) => changes.push(state),
    });
    const done = await Promise.all([1, 2, 3].map(() => play(["<24+73>", "=97;"], service)));
    expect(done.map(({ reward }) => reward)).toEqual([1, 1, 1]);
    expect(changes).toEqual(["down", "back"]);
  });

  test("for longer than the patience ends the run", async () => {
    const service = createService(goingClient(1e9), { patienceMs: 5, lookEveryMs: 1 });
    await expect(play(["<24+73>"], service)).rejects.toThrow(ServiceGone);
  });
});
