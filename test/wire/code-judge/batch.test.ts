/** A batch is its submissions at once, each on its own way: as it came, or tried as a replay first. Without a sandbox. */
import { expect, test } from "vitest";
import { runPrograms } from "../../../src/wire/code-judge-batch.ts";
import { notebook, PRELUDE_HASH } from "../../../bench/load/notebook.ts";
import { ask } from "../../support/ask.ts";
import { startServer } from "../../support/server.ts";
import { createStubExecutor } from "../../support/stub-executor.ts";

test("a replay that no fork can answer runs at once, whatever the others of its batch do", async () => {
  const server = await startServer({
    ROLLCALL_WIRE_ADAPTERS: "code-judge",
    ROLLCALL_WIRE_CODE_JUDGE_REPLAY_PRELUDES: PRELUDE_HASH,
    ROLLCALL_WIRE_CODE_JUDGE_REPLAY_CPU_MS: "0",
  });
  try {
    // What the stub's sessions run has output, which muted cells have not: the trial comes to nothing.
    const replay = notebook(["x = 1"], "x");
    const submissions = ["hold", replay, "quick"].map((solution) => ({ type: "python", solution }));
    const answered = ask(`${server.url}/run/long-batch`, { body: { submissions } });
    const hasRun = () => server.stub.seen.some(({ call }) => call.source.startsWith(replay));
    await expect.poll(hasRun).toBe(true);
    server.stub.release();
    const { status, json } = await answered;
    expect(status).toBe(200);
    expect(json.results.map((one: { stdout: string }) => one.stdout)).toEqual([
      "hold",
      replay.slice(0, 1000),
      "quick",
    ]);
    expect(server.stub.seen.filter(({ call }) => call.source.startsWith(replay))).toHaveLength(1);
  } finally {
    server.stub.release();
    await server.close();
  }
});

test("an answer is checked at once, whatever the programs of its batch do", async () => {
  const server = await startServer({
    ROLLCALL_WIRE_ADAPTERS: "code-judge",
    ROLLCALL_WIRE_CODE_JUDGE_MATH: "true",
  });
  try {
    const submissions = [
      { type: "python", solution: "hold" },
      { type: "math", solution: "1/2", expected_output: "0.5" },
    ];
    const answered = ask(`${server.url}/run/batch`, { body: { submissions } });
    await expect.poll(() => server.stub.seen.length).toBeGreaterThan(1);
    server.stub.release();
    const { results } = (await answered).json;
    expect(results).toHaveLength(2);
    expect(results[0].stdout).toBe("hold");
  } finally {
    server.stub.release();
    await server.close();
  }
});

test("where a replay's own run is refused, so is the batch, and its other calls are cancelled", async () => {
  const stub = createStubExecutor();
  const call = (source: string) => ({ runtime: "python", source }) as const;
  const unanswered = { answer: () => Promise.resolve(null), ranAsItCame: () => {} };
  const programs = [
    { call: call("never"), replay: null },
    { call: call("throw queue_full"), replay: unanswered },
  ];
  await expect(runPrograms(programs, stub, {})).rejects.toMatchObject({ code: "queue_full" });
  expect(stub.cancelled).toHaveLength(1);
});

test("a replay's own run that can be no call is null, and keeps no other from its run", async () => {
  const stub = createStubExecutor();
  const call = (source: string) => ({ runtime: "python", source }) as const;
  const told: string[] = [];
  const unanswered = {
    answer: () => Promise.resolve(null),
    ranAsItCame: ({ stdout }: { stdout: string }) => void told.push(stdout),
  };
  const programs = ["throw call_too_large", "a", "b"].map((source) => ({
    call: call(source),
    replay: unanswered,
  }));
  const results = await runPrograms(programs, stub, {});
  expect(results.map((result) => result?.stdout ?? null)).toEqual([null, "a", "b"]);
  expect(told).toEqual(["a", "b"]);
});
