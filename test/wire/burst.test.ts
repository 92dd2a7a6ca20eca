/** 128 clients at once, each on a connection of its own for every request, as the trainers' clients do: no answer is lost and none is of the infrastructure. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Agent, request } from "undici";
import { type Service, startService } from "../support/service.ts";

const CLIENTS = 128;
/** A round takes a few seconds; `ROLLCALL_BURST_ROUNDS=500` makes it a load of many minutes. */
const ROUNDS = Number(process.env["ROLLCALL_BURST_ROUNDS"] ?? 4);
const ROUND_MS_MAX = 30_000;

let service: Service;
beforeAll(async () => {
  service = await startService([
    "--wire",
    "sandbox-fusion,code-judge,nemo-skills,piston",
    "--runtimes.javascript",
    "false",
    "--wire.sandbox-fusion.waitMs",
    "60000",
  ]);
});
afterAll(() => service.stop());

async function post(path: string, body: object): Promise<{ status: number; json: unknown }> {
  const dispatcher = new Agent({ connections: 1, pipelining: 0 });
  try {
    const answer = await request(`${service.url}${path}`, {
      method: "POST",
      dispatcher,
      headers: { "content-type": "application/json", connection: "close" },
      body: JSON.stringify(body),
    });
    return { status: answer.statusCode, json: await answer.body.json() };
  } finally {
    await dispatcher.close();
  }
}

/** One request of a client and round, and what must be in its answer. */
function asked(client: number, round: number): [path: string, body: object, answer: object] {
  const number = client * 1000 + round;
  const program = `print(${number})`;
  const stdout = `${number}\n`;
  switch (client % 4) {
    case 0:
      return [
        "/run_code",
        { language: "python", code: program },
        { status: "Success", run_result: { stdout } },
      ];
    case 1:
      return [
        "/run/long-batch",
        {
          submissions: [
            { type: "python", solution: program },
            { type: "python", solution: "raise ValueError" },
          ],
        },
        {
          results: [
            { success: true, stdout, reason: "" },
            { success: false, reason: "" },
          ],
        },
      ];
    case 2:
      return [
        "/execute",
        { generated_code: program, timeout: 30, language: "python3" },
        { process_status: "completed", stdout },
      ];
    default:
      return [
        "/api/v2/execute",
        {
          language: "python",
          version: "*",
          files: [{ content: program }],
          run_timeout: 30_000,
          run_cpu_time: 30_000,
        },
        { run: { code: 0, stdout } },
      ];
  }
}

test("every request of a burst has its own right answer", { timeout: ROUNDS * ROUND_MS_MAX }, async () => {
  const wrong: unknown[] = [];
  let answered = 0;
  const client = async (_: unknown, index: number): Promise<void> => {
    for (let round = 0; round < ROUNDS; round++) {
      const [path, body, expected] = asked(index, round);
      const { status, json } = await post(path, body);
      answered++;
      if (status !== 200) wrong.push({ path, status, json });
      else expect(json).toMatchObject(expected);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  expect(wrong).toEqual([]);
  expect(answered).toBe(CLIENTS * ROUNDS);
});
