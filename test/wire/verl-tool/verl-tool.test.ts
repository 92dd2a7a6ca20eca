/** verl-tool's server: finding the program in raw text, the shape of the answer, and state kept for a trajectory. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { ask } from "../../support/ask.ts";
import { startServer, type TestServer } from "../../support/server.ts";
import { type Service, startService } from "../../support/service.ts";

let stub: TestServer;
let service: Service;
beforeAll(async () => {
  stub = await startServer({ ROLLCALL_WIRE_ADAPTERS: "verl-tool" });
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
  await service.stop();
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

test.each([
  ["<python>a</python> then <python> b\n</python>", "\n<result>\nb\n</result>\n"],
  ["text\n```python\nc\n```\nmore", "\n```result\nc\n```\n"],
  ["```py\nd\n```", "\n```result\nd\n```\n"],
])("the last program of %j is run", async (action, observation) => {
  expect(await observe(stub.url, [action])).toMatchObject({ observations: [observation], valids: [true] });
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
