import { describe, expect, test } from "vitest";
import type { Call } from "../../src/contract/call.ts";
import { SandboxError } from "../../src/contract/errors.ts";
import type { Executor } from "../../src/contract/executor.ts";
import { OUTCOME_NAMES, OUTCOMES, type Outcome } from "../../src/contract/outcome.ts";
import type { Result } from "../../src/contract/result.ts";
import { rewardOf, VERDICT_NAMES, type Verdict } from "../../src/contract/verdict.ts";
import type { Verification } from "../../src/contract/verification.ts";
import type { VerdictItem } from "../../src/contract/verifier.ts";
import { createVerifier, type VerifierOptions } from "../../src/judge/verifier.ts";
import { createStubExecutor, stubResult } from "../support/stub-executor.ts";

type Run = (call: Call, signal: AbortSignal | undefined) => Promise<Result>;

/** An executor whose calls are answered by a function, and what was asked of it. */
function executorOf(run: Run): Executor & { readonly calls: Call[]; highest: number } {
  let running = 0;
  const executor = {
    ...createStubExecutor(),
    calls: [] as Call[],
    highest: 0,
    async execute(call: Call, { signal }: { signal?: AbortSignal } = {}): Promise<Result> {
      executor.calls.push(call);
      executor.highest = Math.max(executor.highest, ++running);
      try {
        return await run(call, signal);
      } finally {
        running -= 1;
      }
    },
  };
  return executor;
}

const tick = () => new Promise((resolve) => setImmediate(resolve));
/** Prints its input; ends as its source says. */
const echo: Run = async (call) => {
  await tick();
  const outcome = /^outcome (\w+)$/.exec(call.source)?.[1] as Outcome | undefined;
  return { ...stubResult(call, outcome), stdout: call.stdin ?? "" };
};
const untilAborted: Run = (call, signal) =>
  new Promise((resolve) =>
    signal?.addEventListener("abort", () => resolve(stubResult(call, "cancelled")), { once: true }),
  );

const stdio = (source: string, ...inputs: [stdin: string, expected: string][]): Verification => ({
  kind: "stdio",
  program: { runtime: "python", source },
  cases: inputs.map(([stdin, expected_stdout]) => ({ stdin, expected_stdout })),
});
const math = (answer: string, id?: string): Verification => ({
  kind: "math",
  answer,
  expected: "1",
  ...(id === undefined ? {} : { id }),
});
const mathSays =
  (word: string): Run =>
  async (call) => ({ ...stubResult(call), stdout: word });

async function all(items: AsyncIterable<VerdictItem>): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  for await (const { index, verdict } of items) {
    expect(verdicts[index]).toBeUndefined();
    verdicts[index] = verdict;
  }
  return verdicts;
}

describe("verdict and reward", () => {
  test.each(OUTCOME_NAMES)("a program that is %s in its case", async (outcome) => {
    const verdict = await createVerifier(executorOf(echo)).verify(stdio(`outcome ${outcome}`, ["a", "a"]));
    const whose = OUTCOMES[outcome];
    const expected =
      outcome === "completed"
        ? "accepted"
        : whose === "program"
          ? "program_failed"
          : whose === "limit"
            ? "limit"
            : "excluded";
    expect(verdict).toMatchObject({ verdict: expected, outcome, reward: rewardOf(expected), total: 1 });
    expect(verdict.reward === null).toBe(whose === "caller" || whose === "service");
  });

  test.each(OUTCOME_NAMES)("a check of ours that is %s", async (outcome) => {
    const run: Run = async (call) => ({ ...stubResult(call, outcome), stdout: "equal" });
    const { verdict, reward } = await createVerifier(executorOf(run)).verify(math("1"));
    const isOurs = OUTCOMES[outcome] === "caller" || OUTCOMES[outcome] === "service";
    expect(verdict).toBe(outcome === "completed" ? "accepted" : isOurs ? "excluded" : "undecided");
    expect(reward).toBe(outcome === "completed" ? 1 : isOurs ? null : 0);
  });

  test.each([
    ["equal", "accepted"],
    ["different", "wrong_answer"],
    ["no_answer", "wrong_answer"],
    ["no_expected", "undecided"],
    ["equal\n", "undecided"],
    ["constructor", "undecided"],
    ["", "undecided"],
  ])("a check that says %j is %s", async (word, verdict) => {
    expect((await createVerifier(executorOf(mathSays(word))).verify(math("1"))).verdict).toBe(verdict);
  });

  test("only accepted is 1, only excluded is none", () => {
    expect(VERDICT_NAMES.filter((name) => rewardOf(name) === 1)).toEqual(["accepted"]);
    expect(VERDICT_NAMES.filter((name) => rewardOf(name) === null)).toEqual(["excluded"]);
  });
});

describe("cases", () => {
  test("nothing that is expected is in a call", async () => {
    const executor = executorOf(echo);
    const verifier = createVerifier(executor);
    await verifier.verify({
      kind: "stdio",
      program: { runtime: "bash", source: "cat", files: { a: "b" }, args: ["c"], env: { D: "e" } },
      cases: [{ stdin: "in", expected_stdout: "SECRET" }],
    });
    for (const runtime of ["python", "node", "javascript"] as const)
      await verifier.verify({
        kind: "function",
        program: { runtime, source: "f" },
        function: "f",
        cases: [{ args: ["in"], expected: "SECRET" }, { expected_json: '"SECRET"' }],
        stop_at_first_failure: false,
      });
    expect(executor.calls).toHaveLength(7);
    expect(JSON.stringify(executor.calls)).not.toContain("SECRET");
    expect(executor.calls[0]).toMatchObject({ stdin: "in", files: { a: "b" }, args: ["c"], env: { D: "e" } });
  });

  test("the first goes alone, and after a failure there are no others", async () => {
    const executor = executorOf(echo);
    const verdict = await createVerifier(executor).verify(stdio("x", ["a", "b"], ["c", "c"], ["d", "d"]));
    expect(executor.calls).toHaveLength(1);
    expect(verdict).toMatchObject({ verdict: "wrong_answer", passed: 0, total: 3 });
    expect(verdict.cases.map(({ index }) => index)).toEqual([0]);
  });

  test("those after a failure that run already are given up, those before it are not", async () => {
    const executor = executorOf((call, signal) => {
      if (call.stdin === "waits") return untilAborted(call, signal);
      return echo(call, signal);
    });
    const verdict = await createVerifier(executor).verify(
      stdio("x", ["a", "a"], ["b", "b"], ["c", "wrong"], ["waits", "d"], ["waits", "e"]),
    );
    expect(verdict).toMatchObject({
      verdict: "wrong_answer",
      passed: 2,
      detail: "case 2: line 1 is another",
    });
    expect(verdict.cases.map((one) => one.verdict)).toEqual(["accepted", "accepted", "wrong_answer"]);
  });

  test("all run when that is asked for", async () => {
    const check = { ...stdio("x", ["a", "b"], ["c", "c"], ["d", "e"]), stop_at_first_failure: false };
    const verdict = await createVerifier(executorOf(echo)).verify(check);
    expect(verdict.cases.map((one) => one.verdict)).toEqual(["wrong_answer", "accepted", "wrong_answer"]);
    expect(verdict).toMatchObject({
      verdict: "wrong_answer",
      passed: 1,
      detail: "case 0: line 1 is another",
    });
  });

  test("a fault of ours in one case excludes, unless another case has failed for certain", async () => {
    const run: Run = async (call, signal) =>
      call.stdin === "fault" ? stubResult(call, "sandbox_failed") : echo(call, signal);
    const verifier = createVerifier(executorOf(run));
    const excluded = await verifier.verify(stdio("x", ["a", "a"], ["fault", "b"], ["c", "c"]));
    expect(excluded).toMatchObject({
      verdict: "excluded",
      reward: null,
      outcome: "sandbox_failed",
      passed: 2,
    });
    const wrong = await verifier.verify(stdio("x", ["a", "a"], ["fault", "b"], ["c", "wrong"]));
    expect(wrong).toMatchObject({ verdict: "wrong_answer", reward: 0 });
  });

  test("a Result comes with its case when that is asked for", async () => {
    const check = { ...stdio("x", ["a", "a"]), with_results: true } as Verification;
    const { cases } = await createVerifier(executorOf(echo)).verify(check);
    expect(cases[0]?.result).toMatchObject({ stdout: "a" });
  });

  test("Results beyond what is kept of one verification are left out, their verdicts are not", async () => {
    const long: Run = async (call) => ({ ...stubResult(call), stdout: "x".repeat(20 << 20) });
    const check = {
      ...stdio("x", ["a", "b"], ["c", "d"]),
      with_results: true,
      stop_at_first_failure: false,
    } as Verification;
    const { cases } = await createVerifier(executorOf(long)).verify(check);
    expect(cases.map(({ verdict, result }) => [verdict, result !== undefined])).toEqual([
      ["wrong_answer", true],
      ["wrong_answer", false],
    ]);
  });

  test("a deadline goes to each call with what is left of it, limits and priority as they are", async () => {
    let nowMs = 0;
    const executor = executorOf((call, signal) => {
      nowMs += 30;
      return echo(call, signal);
    });
    await createVerifier(executor, { now: () => nowMs }).verify({
      ...stdio("x", ["a", "a"], ["b", "b"]),
      limits: { wall_ms: 5 },
      priority: "low",
      deadline_ms: 100,
    } as Verification);
    expect(executor.calls.map((call) => call.deadline_ms)).toEqual([100, 70]);
    expect(executor.calls[1]).toMatchObject({ limits: { wall_ms: 5 }, priority: "low" });
  });

  test("cases that the deadline is not enough for are given up, the first one is refused", async () => {
    let accepted = 2;
    const verifier = createVerifier(
      executorOf((call, signal) => {
        if (accepted-- <= 0) throw new SandboxError("deadline_unmeetable", "too long");
        return echo(call, signal);
      }),
    );
    const check = { ...stdio("x", ["a", "a"], ["b", "b"], ["c", "c"]), deadline_ms: 5 };
    expect(await verifier.verify(check)).toMatchObject({ verdict: "excluded", reward: null, passed: 2 });
    await expect(verifier.verify(check)).rejects.toMatchObject({ code: "deadline_unmeetable" });
    const [one] = await all(await verifier.verifyBatch([check]));
    expect(one).toMatchObject({ verdict: "excluded", detail: "deadline_unmeetable: too long" });
  });

  test("a caller that goes has an excluded verdict, and nothing goes on", async () => {
    const executor = executorOf(untilAborted);
    const gone = new AbortController();
    const verdict = createVerifier(executor).verify(stdio("x", ["a", "a"], ["b", "b"]), {
      signal: gone.signal,
    });
    await tick();
    gone.abort();
    expect(await verdict).toMatchObject({ verdict: "excluded", reward: null, outcome: "cancelled" });
    expect(executor.calls).toHaveLength(1);
  });
});

describe("what is not accepted", () => {
  const verifier = createVerifier(createStubExecutor());
  const refusal = (verification: unknown) =>
    verifier.verify(verification as Verification).then(
      () => null,
      (error: unknown) => error as SandboxError,
    );
  const f = (more: object, program: object = {}) => ({
    kind: "function",
    program: { runtime: "python", source: "x", ...program },
    function: "f",
    cases: [{ expected: 1 }],
    ...more,
  });

  test.each([
    [null, "/kind"],
    [{}, "/kind"],
    [{ kind: "magic" }, "/kind"],
    [{ kind: "exact", answer: "a" }, ""],
    [{ kind: "exact", answer: 1, expected: "a" }, "/answer"],
    [{ kind: "numeric", answer: "1", expected: 1, absolute: -1 }, "/absolute"],
    [{ kind: "stdio", program: { runtime: "python", source: "x" }, cases: [] }, "/cases"],
    [f({ function: "os.system" }), "/function"],
    [f({ cases: [{}] }), "/cases/0"],
    [f({ cases: [{ expected: 1, expected_json: "1" }] }), "/cases/0"],
    [f({ cases: [{ expected_json: "{" }] }), "/cases/0/expected_json"],
    [f({ cases: [{ expected: 1, args: [], args_json: "[]" }] }), "/cases/0"],
    [f({ cases: [{ expected: 1, args_json: "{}" }] }), "/cases/0/args_json"],
    [f({ cases: [{ expected: [2 ** 60] }] }), "/cases/0/expected"],
    [f({ cases: [{ expected: 1, args: [{ a: 2 ** 60 }] }] }), "/cases/0/args"],
    [f({ cases: [{ expected: 1, kwargs: {} }] }, { runtime: "node" }), "/cases/0/kwargs"],
    [f({}, { files: { "solution.py": "" } }), "/program/files/solution.py"],
  ])("%j is refused at %j", async (verification, path) => {
    const error = await refusal(verification);
    expect(error).toBeInstanceOf(SandboxError);
    expect([error?.fault, error?.path ?? ""]).toEqual(["caller", path]);
  });

  test("the field at fault is named as the verification has it", async () => {
    expect((await refusal(stdio("throw call_too_large", ["a", "a"])))?.path).toBe("/program/source");
    const stdin: Run = () =>
      Promise.reject(new SandboxError("call_too_large", "too long", { path: "/stdin" }));
    const long = createVerifier(executorOf(stdin));
    await expect(long.verify(stdio("x", ["a", "a"]))).rejects.toMatchObject({ path: "/cases/0/stdin" });
    await expect(long.verify(math("1"))).rejects.toMatchObject({ path: "/answer" });
  });
});

describe("a batch", () => {
  const verifierOf = (run: Run, options: VerifierOptions = {}) => {
    const executor = executorOf(run);
    return { executor, verifier: createVerifier(executor, options) };
  };

  test("has one verdict for each, whatever its kind, and no more calls at once than are allowed", async () => {
    const { executor, verifier } = verifierOf(echo, { callsMax: 7 });
    const batch = Array.from({ length: 200 }, (_, index): Verification => {
      if (index % 3 === 0) return { kind: "exact", id: `v${index}`, answer: "a", expected: "a" };
      return { ...stdio("x", ["a", "a"], ["b", index % 2 === 0 ? "b" : "c"]), id: `v${index}` };
    });
    const verdicts = await all(await verifier.verifyBatch(batch));
    expect(verdicts.map(({ id }) => id)).toEqual(batch.map(({ id }) => id));
    for (const [index, { verdict }] of verdicts.entries())
      expect(verdict).toBe(index % 3 === 0 || index % 2 === 0 ? "accepted" : "wrong_answer");
    expect(executor.highest).toBe(7);
  });

  test("makes the same math check once, and each has its own id", async () => {
    const { executor, verifier } = verifierOf(mathSays("equal"));
    const verdicts = await all(await verifier.verifyBatch([math("1", "a"), math("1", "b"), math("2", "c")]));
    expect(verdicts.map(({ id, verdict }) => [id, verdict])).toEqual([
      ["a", "accepted"],
      ["b", "accepted"],
      ["c", "accepted"],
    ]);
    expect(executor.calls).toHaveLength(2);
  });

  test("a check that was excluded is made again for the next one", async () => {
    let faults = 1;
    const { verifier } = verifierOf(
      async (call) => ({
        ...stubResult(call, faults-- > 0 ? "sandbox_failed" : "completed"),
        stdout: "equal",
      }),
      { callsMax: 1 },
    );
    const verdicts = await all(await verifier.verifyBatch([math("1"), math("1")]));
    expect(verdicts.map(({ verdict }) => verdict)).toEqual(["excluded", "accepted"]);
  });

  test("is refused as a whole by its shape, and by overload before its first verdict", async () => {
    const { executor, verifier } = verifierOf(() =>
      Promise.reject(new SandboxError("queue_full", "full", { retryAfterMs: 5 })),
    );
    await expect(verifier.verifyBatch([math("1"), { kind: "math" } as Verification])).rejects.toMatchObject({
      path: "/verifications/1",
    });
    await expect(verifier.verifyBatch([])).rejects.toMatchObject({ path: "/verifications" });
    expect(executor.calls).toHaveLength(0);
    await expect(verifier.verifyBatch([math("1")])).rejects.toMatchObject({ code: "queue_full" });
    const few = createVerifier(executor, { batchMax: 1 });
    await expect(few.verifyBatch([math("1"), math("2")])).rejects.toMatchObject({ code: "batch_too_long" });
  });

  test("waits where the queue is full once it has begun", async () => {
    let refusals = 3;
    const { verifier } = verifierOf(
      async (call) => {
        if (call.stdin !== "a" && refusals-- > 0)
          throw new SandboxError("queue_full", "full", { retryAfterMs: 1 });
        return { ...stubResult(call), stdout: call.stdin ?? "" };
      },
      { callsMax: 1 },
    );
    const verdicts = await all(await verifier.verifyBatch([stdio("x", ["a", "a"]), stdio("x", ["b", "b"])]));
    expect(verdicts.map(({ verdict }) => verdict)).toEqual(["accepted", "accepted"]);
  });

  test("what can be no call is excluded and keeps no other from its verdict", async () => {
    const { verifier } = verifierOf((call, signal) => {
      if (call.source === "bad") throw new SandboxError("limit_above_ceiling", "too much");
      if (call.source === "late") throw new SandboxError("draining", "no more");
      return echo(call, signal);
    });
    const exact: Verification = { kind: "exact", answer: "a", expected: "a" };
    const batch = [exact, stdio("bad", ["a", "a"]), stdio("x", ["a", "a"]), stdio("late", ["a", "a"])];
    const verdicts = await all(await verifier.verifyBatch(batch));
    expect(verdicts.map(({ verdict, detail }) => [verdict, detail])).toEqual([
      ["accepted", null],
      ["excluded", "limit_above_ceiling: too much"],
      ["accepted", null],
      ["excluded", "draining: no more"],
    ]);
  });

  test("a bug breaks it", async () => {
    const { verifier } = verifierOf(() => Promise.reject(new TypeError("a bug")));
    await expect(verifier.verifyBatch([math("1")])).rejects.toThrow("a bug");
  });

  test("a reader that stops gives up the rest", async () => {
    const { executor, verifier } = verifierOf(
      (call, signal) => (call.stdin === "a" ? echo(call, signal) : untilAborted(call, signal)),
      { callsMax: 2 },
    );
    const batch = [stdio("x", ["a", "a"]), ...Array.from({ length: 9 }, () => stdio("x", ["b", "b"]))];
    for await (const { verdict } of await verifier.verifyBatch(batch)) {
      expect(verdict.verdict).toBe("accepted");
      break;
    }
    await tick();
    expect(executor.calls.length).toBeLessThanOrEqual(3);
  });

  test("a reader that reads nothing holds back what is not begun", async () => {
    const { executor, verifier } = verifierOf(echo);
    const batch = Array.from({ length: 3000 }, () => stdio("x", ["a", "a"]));
    const items = await verifier.verifyBatch(batch);
    for (let turns = 0; turns < 200; turns++) await tick();
    expect(executor.calls.length).toBeLessThan(2000);
    expect(await all(items)).toHaveLength(3000);
  });

  test("a caller that goes has an excluded verdict for all that is left", async () => {
    const { verifier } = verifierOf(untilAborted, { callsMax: 3 });
    const gone = new AbortController();
    const batch = Array.from({ length: 10 }, () => stdio("x", ["a", "a"]));
    const items = verifier.verifyBatch(batch, { signal: gone.signal });
    await tick();
    gone.abort();
    const verdicts = await all(await items);
    expect(verdicts.map(({ verdict }) => verdict)).toEqual(batch.map(() => "excluded"));
  });
});
