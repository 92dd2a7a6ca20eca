/** A model that can only add and subtract and is sometimes wrong, and a service that is a few lines of arithmetic. */
import { hashOf } from "../../src/rl/random.ts";
import { SandboxError } from "../../src/client/index.ts";
import type { Engine, Sample, SampleRequest } from "../../src/rl/ports.ts";
import { decodeTiny, encodeTiny } from "../../src/rl/renderers/tiny.ts";
import type { Service } from "../../src/rl/rollout/service.ts";
import { resultOf } from "../support/result.ts";

export interface ScriptedEngine extends Engine {
  /** What was asked of the trainer, in order. */
  readonly asked: readonly string[];
  /** Share of rollouts that it does wrong; `optimStep` halves it. */
  errorRate: number;
  /** Thrown by the next `save`. */
  failure: Error | null;
}

export function createScriptedEngine(sample?: (request: SampleRequest) => Promise<Sample>): ScriptedEngine {
  const asked: string[] = [];
  let version = 0;
  let errorRate = 0.5;
  const write = (request: SampleRequest): string => {
    const text = decodeTiny(request.prompt);
    const isWrong = (hashOf(request.seed ?? 0, "wrong") % 1000) / 1000 < errorRate;
    const response = /\{([^{}]*)\}$/.exec(text)?.[1];
    if (response !== undefined) return `=${response};`;
    const [, a = "0", letter = "p", b = "0"] = /^#a(\d+)([pmx])(\d+)\?/.exec(text) ?? [];
    return isWrong ? `<${a}${letter}${b}>` : `<${a}${letter === "p" ? "+" : letter === "m" ? "-" : "*"}${b}>`;
  };
  const engine: ScriptedEngine = {
    asked,
    description: "scripted",
    contextTokens: 80,
    failure: null,
    get errorRate() {
      return errorRate;
    },
    set errorRate(value) {
      errorRate = value;
    },
    sample:
      sample ??
      ((request) => {
        const tokens = encodeTiny(write(request)).slice(0, request.maxTokens);
        return Promise.resolve({
          tokens,
          logprobs: tokens.map(() => -0.1),
          stopReason: request.stop.includes(tokens.at(-1) ?? -1) ? "stop" : "length",
          weightsVersion: version,
        });
      }),
    forwardBackward(data, loss) {
      asked.push(`${loss.kind} ${data.length}`);
      return Promise.resolve({ metrics: { "actor/pg_loss": 0 }, logprobs: data.map(() => []) });
    },
    optimStep() {
      asked.push("step");
      errorRate /= 2;
      return Promise.resolve({});
    },
    resetOptimizer() {
      asked.push("reset");
      return Promise.resolve();
    },
    publish() {
      version += 1;
      return Promise.resolve(version);
    },
    save: (name) => {
      const { failure } = engine;
      engine.failure = null;
      return failure === null
        ? Promise.resolve(`memory:${version}:${errorRate}:${name.length}`)
        : Promise.reject(failure);
    },
    load(reference) {
      const [, savedVersion, savedRate] = reference.split(":");
      version = Number(savedVersion);
      errorRate = Number(savedRate);
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
  return engine;
}

/** Answers sums, differences and products; all else is a SyntaxError. */
export function arithmeticService(sources: string[] = []): Service {
  return {
    execute(call) {
      sources.push(call.source);
      const found = /(\d+)([-+*])(\d+)$/.exec(call.source);
      if (found === null)
        return Promise.resolve(
          resultOf({
            outcome: "failed",
            exit_code: 1,
            error: { type: "SyntaxError", message: "invalid", line: 1 },
          }),
        );
      const [, a, sign, b] = found;
      const value =
        sign === "+" ? Number(a) + Number(b) : sign === "-" ? Number(a) - Number(b) : Number(a) * Number(b);
      return Promise.resolve(resultOf({ value: String(value) }));
    },
    verify: () => Promise.reject(new SandboxError("not_found", "nothing to verify with")),
  };
}
