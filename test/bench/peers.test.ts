import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import type { Planned } from "../../bench/load/mixes.ts";
import { createCodeJudgeTarget } from "../../bench/peers/code-judge.ts";
import { createCommandTarget } from "../../bench/peers/command.ts";
import { createGoJudgeTarget } from "../../bench/peers/go-judge.ts";
import { createPistonTarget } from "../../bench/peers/piston.ts";
import { createSandboxFusionTarget } from "../../bench/peers/sandbox-fusion.ts";
import type { Answer, Target } from "../../bench/targets/target.ts";
import type { Program } from "../../workload/mix.ts";

type Expect = Program["expect"];

function program(kind: string, source: string, expectation: Expect, stdin = ""): Planned {
  const one: Program = { runtime: "python", kind, source, stdin, expect: expectation, warm_cpu_ms: 1 };
  return { program: one, call: { runtime: "python", source } };
}

const GOOD = program("good", "print(42)", { outcome: "completed", stdout: "42\n" });
const BAD = program("bad", "raise SystemExit(3)", { outcome: "failed", exit_code: 3 });
const ENDLESS = program("endless", "while True: pass", { outcome: "wall_limit" });

let server: Server | null = null;
let target: Target | null = null;

interface Asked {
  readonly path: string;
  readonly body: unknown;
}

/** A peer that answers each request by what `answer` makes of it, and remembers what it was asked. */
async function startPeer(
  answer: (body: Record<string, unknown>) => unknown,
): Promise<{ url: string; asked: Asked[] }> {
  const asked: Asked[] = [];
  const fake = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (chunk: Buffer) => parts.push(chunk));
    request.on("end", () => {
      const body = JSON.parse(Buffer.concat(parts).toString("utf8")) as Record<string, unknown>;
      asked.push({ path: request.url ?? "", body });
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(answer(body)));
    });
  });
  server = fake;
  await new Promise<void>((resolve) => fake.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(fake.address() as AddressInfo).port}`, asked };
}

afterEach(async () => {
  await target?.close();
  server?.close();
  target = server = null;
});

async function answersOf(to: Target, calls: readonly Planned[]): Promise<Answer[]> {
  target = to;
  const answers: Answer[] = [];
  await to.send(calls, (index, answer) => void (answers[index] = answer));
  return answers;
}

const options = (url: string) => ({ url, connections: 4, pid: null });

describe("drivers of peers", () => {
  test("code-judge: one long batch, answers in order, its cut respected", async () => {
    const long = program("long", "print('x' * 5000)", {
      outcome: "completed",
      stdout: `${"x".repeat(5000)}\n`,
    });
    const peer = await startPeer(() => ({
      results: [
        { run_success: true, stdout: "42\n", stderr: "", reason: "" },
        { run_success: false, stdout: "", stderr: "", reason: "" },
        { run_success: false, stdout: "Suicide from timeout.\n", stderr: "", reason: "worker_timeout" },
        { run_success: true, stdout: "x".repeat(1000), stderr: "", reason: "" },
        { run_success: true, stdout: "41\n", stderr: "", reason: "" },
        { run_success: false, stdout: null, stderr: null, reason: "queue_timeout" },
      ],
    }));
    const calls = [GOOD, BAD, ENDLESS, long, GOOD, GOOD];
    const answers = await answersOf(createCodeJudgeTarget(options(peer.url)), calls);
    expect(answers.map(({ outcome }) => outcome)).toEqual([
      "completed",
      "failed",
      "wall_limit",
      "completed",
      "completed",
      "other",
    ]);
    expect(answers.map(({ complaint }) => complaint !== null)).toEqual([
      false,
      false,
      false,
      false,
      true,
      true,
    ]);
    expect(peer.asked).toHaveLength(1);
    expect(peer.asked[0]).toMatchObject({
      path: "/run/long-batch",
      body: {
        type: "batch",
        submissions: [{ type: "python", solution: "print(42)", input: null }, {}, {}, {}, {}, {}],
      },
    });
  });

  test("SandboxFusion: a request for each program", async () => {
    const peer = await startPeer(({ code }) => ({
      status: code === "print(42)" ? "Success" : "Failed",
      run_result: {
        status: code === ENDLESS.program.source ? "TimeLimitExceeded" : "Finished",
        return_code: code === "print(42)" ? 0 : 3,
        stdout: code === "print(42)" ? "42\n" : "",
        stderr: "",
      },
    }));
    const answers = await answersOf(createSandboxFusionTarget(options(peer.url)), [GOOD, BAD, ENDLESS]);
    expect(answers.map(({ complaint }) => complaint)).toEqual([null, null, null]);
    expect(peer.asked.map(({ path }) => path)).toEqual(["/run_code", "/run_code", "/run_code"]);
    expect(peer.asked.map(({ body }) => body)).toContainEqual({
      code: "print(42)",
      language: "python",
      stdin: "",
      run_timeout: 10,
    });
  });

  test("Piston: its stage is read", async () => {
    const peer = await startPeer(() => ({ run: { stdout: "42\n", stderr: "", code: 0, status: null } }));
    const answers = await answersOf(createPistonTarget(options(peer.url)), [GOOD, BAD]);
    expect(answers.map(({ complaint }) => complaint !== null)).toEqual([false, true]);
    expect(peer.asked[0]?.path).toBe("/api/v2/execute");
  });

  test("go-judge: its status is read", async () => {
    const peer = await startPeer(() => [
      { status: "Nonzero Exit Status", files: { stdout: "", stderr: "" } },
    ]);
    const answers = await answersOf(createGoJudgeTarget(options(peer.url)), [GOOD, BAD]);
    expect(answers.map(({ complaint }) => complaint !== null)).toEqual([true, false]);
    expect(peer.asked[0]?.path).toBe("/run");
  });

  test("an answer that is none is an error, not a wrong answer", async () => {
    const peer = await startPeer(() => ({ results: [] }));
    await expect(answersOf(createCodeJudgeTarget(options(peer.url)), [GOOD])).rejects.toThrow(
      /0 answers for 1/,
    );
  });
});

describe("the floor", () => {
  const floor = (wallMs: number) => createCommandTarget({ command: ["/usr/bin/env", "sh"], env: {}, wallMs });

  test("runs a file by a command, with its input, and ends what does not end", async () => {
    const calls = [
      program("echo", "cat", { outcome: "completed", stdout: "in\n" }, "in\n"),
      program("exit", "exit 3", { outcome: "failed" }),
      program("sleep", "sleep 600 & wait", { outcome: "wall_limit" }),
    ];
    const answers = await answersOf(floor(200), calls);
    expect(answers.map(({ complaint }) => complaint)).toEqual([null, null, null]);
  });
});
