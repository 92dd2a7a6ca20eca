/** `rollcall train --evaluate-only`: a model behind OpenAI's API, whose tool calls the real service carries out. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import Fastify, { type FastifyInstance } from "fastify";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readMetrics } from "../../src/rl/command/curves.ts";
import { startService, type Service } from "../support/service.ts";
import { runTrainCommand } from "./train-command.ts";

const place = mkdtempSync(path.join(tmpdir(), "rollcall-evaluate-"));
const ATTEMPTS = 4;
let service: Service;
let endpoint: FastifyInstance;
let url = "";
const asked: { model: string; messages: { role: string; content: string }[]; tools: unknown[] }[] = [];
/** Attempts begun, by problem. */
const begun = new Map<string, number>();
/** How often a problem is done right in its attempts: 0 to 4 times. */
const rightOf = (a: number): number => a % (ATTEMPTS + 1);

/** Computes with the tool and answers what it is told; of a problem's attempts only so many compute the right thing. */
function say(messages: readonly { role: string; content: string }[]): unknown {
  const last = messages.at(-1);
  if (last?.role === "tool") return { content: `<answer>\\boxed{${last.content}}</answer>` };
  const problem = last?.content ?? "";
  const [, a = "0", word, b = "0"] = /What is (\d+) (plus|minus|times) (\d+)\?/.exec(problem) ?? [];
  const attempt = begun.get(problem) ?? 0;
  begun.set(problem, attempt + 1);
  const sign = word === "plus" ? "+" : word === "minus" ? "-" : "*";
  const code = `print(${a} ${sign} ${b}${attempt < rightOf(Number(a)) ? "" : " + 1"})`;
  const call = {
    id: "c",
    type: "function",
    function: { name: "python", arguments: JSON.stringify({ code }) },
  };
  return { content: "Let me compute.", tool_calls: [call] };
}

beforeAll(async () => {
  service = await startService(["javascript", "node", "bash", "cpp"].map((id) => `--runtimes.${id}=false`));
  endpoint = Fastify({ forceCloseConnections: true });
  endpoint.post("/v1/chat/completions", (request, reply) => {
    const body = request.body as (typeof asked)[number];
    if (request.headers.authorization !== "Bearer sk-evaluate")
      return reply.code(401).send({ error: { message: "Incorrect API key provided" } });
    asked.push(body);
    // Now and then an endpoint is full.
    if (asked.length === 5) return reply.code(429).send({ error: { message: "Rate limit reached" } });
    return { choices: [{ finish_reason: "stop", message: say(body.messages) }] };
  });
  url = await endpoint.listen({ port: 0, host: "127.0.0.1" });
});
afterAll(async () => {
  await endpoint?.close();
  await service?.stop();
  rmSync(place, { recursive: true, force: true });
});

const wordsOf = (): string[] => [
  "engine.backend=openai",
  `engine.url=${url}/v1`,
  "engine.key=$EVALUATED_KEY",
  "engine.model=some-model",
  "engine.rolloutsMax=4",
  `service.url=${service.url}`,
  "run.directory=.",
  "data.families=[arithmetic]",
  "data.dialect=english",
  "data.train=1",
  "data.heldOut=6",
  "data.system=Solve it.",
  "tool.format=full",
  `evaluation.attempts=${ATTEMPTS}`,
  "evaluation.passAt=[1,2,4]",
  "evaluation.responseTokensMax=4000",
];

test("a model that can only be asked is evaluated with avg@k and pass@k, its tool calls by the service", async () => {
  const run = await runTrainCommand(place, ["--evaluate-only", ...wordsOf(), "run.name=one"], {
    env: { EVALUATED_KEY: "sk-evaluate" },
  });
  expect(run.code, run.output).toBe(0);
  const [line, ...more] = readMetrics(path.join(place, "one", "metrics.jsonl"));
  expect(more).toEqual([]);
  const rows = readFileSync(path.join(place, "one", "transcripts", "eval-000000.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map(
      (text) =>
        JSON.parse(text) as {
          problem: { prompt: string };
          reward: number;
          turns: { calls: { outcome: string }[] }[];
        },
    );
  expect(rows).toHaveLength(6 * ATTEMPTS);
  expect(
    new Set(rows.flatMap(({ turns }) => turns.flatMap(({ calls }) => calls.map(({ outcome }) => outcome)))),
  ).toEqual(new Set(["completed"]));
  const right = [...begun.keys()].map((problem) => rightOf(Number(/\d+/.exec(problem)?.[0])));
  const mean = (of: (count: number) => number): number =>
    right.reduce((sum, count) => sum + of(count), 0) / right.length;
  expect(line?.["eval/all/avg@4"]).toBeCloseTo(
    mean((count) => count / 4),
    6,
  );
  expect(line?.["eval/all/pass@1"]).toBeCloseTo(
    mean((count) => count / 4),
    6,
  );
  // Of the six pairs of attempts those in which none is right: (4 - r)(3 - r) / 2.
  expect(line?.["eval/all/pass@2"]).toBeCloseTo(
    mean((count) => 1 - ((4 - count) * (3 - count)) / 12),
    6,
  );
  expect(line?.["eval/all/pass@4"]).toBeCloseTo(
    mean((count) => Number(count > 0)),
    6,
  );
  expect(asked[0]).toMatchObject({
    model: "some-model",
    messages: [{ role: "system", content: "Solve it." }, {}],
  });
  expect(asked[0]?.tools).toHaveLength(1);
  const told = JSON.stringify([run.output, readFileSync(path.join(place, "one", "config.json"), "utf8")]);
  expect(told).not.toContain("sk-evaluate");
}, 120_000);

test("it is not trained, and a key that is refused ends the evaluation with the endpoint's words", async () => {
  const trained = await runTrainCommand(place, wordsOf());
  expect(trained).toEqual({
    code: 1,
    output:
      "rollcall: engine.backend openai cannot be trained; --evaluate-only evaluates it on the held-out problems\n",
  });
  const refused = await runTrainCommand(place, ["--evaluate-only", ...wordsOf(), "run.name=two"], {
    env: { EVALUATED_KEY: "sk-other" },
  });
  expect(refused.code).toBe(1);
  expect(refused.output).toContain("401: Incorrect API key provided");
}, 120_000);
