/** verl-tool's server: finding the program in raw text, the shape of the answer, and state kept for a trajectory. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ask } from "../../support/ask.ts";
import { startServer, type TestServer } from "../../support/server.ts";
import { type Service, startService } from "../../support/service.ts";

let stub: TestServer;
/** Without and with state. */
let plain: Service;
let service: Service;
beforeAll(async () => {
  stub = await startServer({ ROLLCALL_WIRE_ADAPTERS: "verl-tool" });
  plain = await startService(["--wire", "verl-tool", "--runtimes.javascript", "false"]);
  service = await startService([
    "--wire",
    "verl-tool",
    "--wire.verl-tool.stateful",
    "true",
    "--runtimes.javascript",
    "false",
  ]);
});
afterAll(async () => {
  await stub.close();
  await Promise.all([plain.stop(), service.stop()]);
});

interface Seen {
  readonly observations: readonly string[];
  readonly dones: readonly boolean[];
  readonly valids: readonly boolean[];
  readonly processing_time_ms: number;
}

async function observe(url: string, actions: readonly string[], more: object = {}): Promise<Seen> {
  const trajectory_ids = actions.map((_, index) => index);
  const answer = await ask(`${url}/get_observation`, { body: { trajectory_ids, actions, ...more } });
  expect(answer.status).toBe(200);
  return answer.json as Seen;
}

interface Recorded {
  readonly request: { readonly action: string; readonly extra_field: object | null };
  readonly response: { readonly observation: string; readonly done: boolean; readonly valid: boolean };
}

/** What the original's python_code tool answered, run as it is in its repository but for firejail. */
const RECORDED = JSON.parse(readFileSync(new URL("golden.json", import.meta.url), "utf8")) as Record<
  string,
  Recorded
>;
/** Lines that the original puts before a program, and so into the line numbers of its tracebacks. */
const PRELUDE_LINES = 81;

test.each(Object.keys(RECORDED))("recorded: %s", async (name) => {
  const { request, response } = RECORDED[name] as Recorded;
  const seen = await observe(plain.url, [request.action], { extra_fields: [request.extra_field] });
  const observation = response.observation.replaceAll(
    /line (\d+), in/g,
    (_, line: string) => `line ${Number(line) - PRELUDE_LINES}, in`,
  );
  expect(seen).toMatchObject({
    observations: [observation],
    dones: [response.done],
    valids: [response.valid],
  });
});

test("a text without a program is no action, and one that finishes is done", async () => {
  const seen = await observe(stub.url, ["the answer is 4", "<python>a</python>", "bye"], {
    finish: [false, false, true],
  });
  expect(seen).toMatchObject({
    observations: ["", "\n<result>\na\n</result>\n", ""],
    dones: [false, false, true],
    valids: [false, true, true],
  });
});

test("standard input comes with the request or stands in the text", async () => {
  const action = "```python\na\n```\n```input\n1 2\n```";
  await observe(stub.url, [action, "<python>a</python>"], { extra_fields: [null, { stdin: "3" }] });
  const [one, two] = stub.stub.seen.slice(-2);
  expect([one?.call.stdin, two?.call.stdin]).toEqual(["1 2", "3"]);
});

test("overload is 503 for all, and what can be no call is told for itself alone", async () => {
  const body = { trajectory_ids: ["a"], actions: ["<python>throw queue_full</python>"] };
  expect((await ask(`${stub.url}/get_observation`, { body })).status).toBe(503);
  const seen = await observe(stub.url, ["<python>throw call_too_large</python>", "<python>a</python>"]);
  expect(seen.valids).toEqual([false, true]);
});

test("with stateful a trajectory keeps its variables until it is finished", async () => {
  const run = async (id: string, code: string) => {
    const body = { trajectory_ids: [id], actions: [`<python>${code}</python>`] };
    return ((await ask(`${service.url}/get_observation`, { body })).json as Seen).observations[0];
  };
  await run("one", "x = 20");
  expect(await run("one", "x + 1")).toBe("\n<result>\n21\n</result>\n");
  expect(await run("two", "x")).toContain("NameError");
  await ask(`${service.url}/get_observation`, {
    body: { trajectory_ids: ["one"], actions: [""], finish: [true] },
  });
  expect(await run("one", "x")).toContain("NameError");
});
