/**
 * 128 clients at once against each of the trainers' doors, each on a connection of its own for every request, as their
 * clients do: no answer is lost and none is of the infrastructure.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Agent, request } from "undici";
import { type Service, startService } from "../support/service.ts";

const CLIENTS = 128;
/** Of requests for each client and door, each of a few seconds at most; `ROLLCALL_BURST_ROUNDS=500` makes it a load of many minutes. */
const ROUNDS = Number(process.env["ROLLCALL_BURST_ROUNDS"] ?? 2);
const ROUND_MS_MAX = 30_000;

interface Exchange {
  readonly path: string;
  readonly body: object;
  /** What must be in the answer. */
  readonly answer: object;
}

/** By door: a program that prints `number`, as that door's clients send it. */
const DOORS: Readonly<Record<string, (number: number) => Exchange>> = {
  "sandbox-fusion": (number) => ({
    path: "/run_code",
    body: { language: "python", code: `print(${number})` },
    answer: { status: "Success", run_result: { stdout: `${number}\n` } },
  }),
  "code-judge": (number) => ({
    path: "/run/long-batch",
    body: {
      submissions: [
        { type: "python", solution: `print(${number})` },
        { type: "python", solution: "raise ValueError" },
      ],
    },
    answer: {
      results: [
        { success: true, stdout: `${number}\n`, reason: "" },
        { success: false, reason: "" },
      ],
    },
  }),
  "nemo-skills": (number) => ({
    path: "/execute",
    body: { generated_code: `print(${number})`, timeout: 30, language: "python3" },
    answer: { process_status: "completed", stdout: `${number}\n` },
  }),
  piston: (number) => ({
    path: "/api/v2/execute",
    body: {
      language: "python",
      version: "*",
      files: [{ content: `print(${number})` }],
      run_timeout: 30_000,
      run_cpu_time: 30_000,
    },
    answer: { run: { code: 0, stdout: `${number}\n` } },
  }),
};

let service: Service;
beforeAll(async () => {
  service = await startService([
    "--wire",
    Object.keys(DOORS).join(","),
    "--runtimes.javascript",
    "false",
    "--wire.sandbox-fusion.waitMs",
    "60000",
  ]);
});
afterAll(() => service.stop());

async function post({ path, body }: Exchange): Promise<{ status: number; json: unknown }> {
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

test.each(Object.entries(DOORS))(
  "%s: every request of a burst has its own right answer",
  { timeout: ROUNDS * ROUND_MS_MAX },
  async (_, exchangeOf) => {
    const wrong: unknown[] = [];
    let answered = 0;
    const client = async (index: number): Promise<void> => {
      for (let round = 0; round < ROUNDS; round++) {
        const exchange = exchangeOf(index * 10_000 + round);
        const { status, json } = await post(exchange);
        answered++;
        if (status !== 200) wrong.push({ status, json });
        else expect(json).toMatchObject(exchange.answer);
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, (_client, index) => client(index)));
    expect(wrong).toEqual([]);
    expect(answered).toBe(CLIENTS * ROUNDS);
  },
);
