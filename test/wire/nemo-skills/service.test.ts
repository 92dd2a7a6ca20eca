/** NeMo-Skills' sandbox on the real service: what the original answered, recorded; sessions; what its client does when state is gone. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ask } from "../../support/ask.ts";
import { type Service, startService } from "../../support/service.ts";

interface Recorded {
  readonly name: string;
  readonly request: Readonly<Record<string, unknown>>;
  readonly session: string | null;
  readonly http: number;
  readonly response: Readonly<Record<string, unknown>>;
}

const GOLDEN = JSON.parse(
  readFileSync(new URL("golden.json", import.meta.url), "utf8"),
) as readonly Recorded[];

/** Told in docs/wire/nemo-skills.md. A cell at its time limit is interrupted here, and the state stays. */
const DIFFERENT: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  timeout: { stdout: "p\n", new_session_created: false },
  after_timeout: { process_status: "completed", stdout: "20\n", new_session_created: false },
  hang_uninterruptible: { new_session_created: false },
  after_kill: { process_status: "completed", stdout: "20\n", new_session_created: false },
  python_exc: {
    stderr:
      "Traceback (most recent call last):\n  File \"/work/main.py\", line 2, in <module>\n    raise ValueError('boom')\nValueError: boom\n",
  },
};

let service: Service;
beforeAll(async () => {
  service = await startService(["--wire", "nemo-skills", "--runtimes.javascript", "false"]);
});
afterAll(async () => {
  expect(await service.stop()).toBe(0);
});

const execute = (session: string | null, request: object) =>
  ask(`${service.url}/execute`, {
    body: request,
    headers: session === null ? {} : { "x-session-id": session },
  });

test.each(GOLDEN)("recorded: $name", async ({ name, request, session, http, response }) => {
  const answer = await execute(session, request);
  expect(answer.status).toBe(http);
  expect(answer.json).toEqual({ ...response, ...DIFFERENT[name] });
});

const cell = async (session: string, generated_code: string) =>
  (await execute(session, { generated_code, timeout: 5 })).json as Record<string, unknown>;

test("a session is new at its first cell, after its end and after its interpreter is gone, and at no other time", async () => {
  expect(await cell("a", "x = 1")).toMatchObject({ new_session_created: true });
  expect(await cell("a", "x")).toMatchObject({ stdout: "1\n", new_session_created: false });
  expect(await cell("b", "x")).toMatchObject({ process_status: "error", new_session_created: true });
  const listed = (await ask(`${service.url}/sessions`)).json;
  expect(listed.backend).toBe("ipython");
  expect(Object.keys(listed.sessions)).toEqual(expect.arrayContaining(["a", "b"]));
  expect(listed.sessions.a).toMatchObject({ backend: "ipython", alive: true });

  // Times are told from whole milliseconds.
  const seconds = Date.now() / 1000 - 0.01;
  await cell("a", "x");
  const { a, b } = (await ask(`${service.url}/sessions`)).json.sessions;
  expect(a.created).toBeLessThan(seconds);
  expect(a.last_used).toBeGreaterThan(seconds);
  expect(b.last_used).toBeLessThan(seconds + 0.02);

  expect(await ask(`${service.url}/sessions/a`, { method: "DELETE" })).toMatchObject({
    status: 200,
    text: '{"message":"IPython session a deleted successfully"}',
  });
  expect(await ask(`${service.url}/sessions/a`, { method: "DELETE" })).toMatchObject({
    status: 404,
    text: '{"error":"IPython session a not found"}',
  });
  expect(await cell("a", "1")).toMatchObject({ new_session_created: true });

  expect(await cell("b", "import os; os._exit(1)")).toMatchObject({
    process_status: "error",
    new_session_created: true,
  });
  expect(await cell("b", "2")).toMatchObject({ stdout: "2\n", new_session_created: true });
  expect(await cell("b", "3")).toMatchObject({ stdout: "3\n", new_session_created: false });
});

test("any text names a session", async () => {
  const name = "rollout 7/é";
  const header = encodeURIComponent(name);
  await cell(header, "y = 7");
  expect(await cell(header, "y")).toMatchObject({ stdout: "7\n" });
  expect(await cell("x".repeat(500), "y")).toMatchObject({ process_status: "error" });
});

test("cells of one session that come at once run one after the other, and only one opens it", async () => {
  const answers = await Promise.all(
    Array.from({ length: 6 }, (_, index) => cell("together", `z${index} = ${index}`)),
  );
  expect(answers.filter((answer) => answer["new_session_created"] === true)).toHaveLength(1);
  expect(await cell("together", "z0 + z1 + z2 + z3 + z4 + z5")).toMatchObject({ stdout: "15\n" });
});

test("what is not there and what is no request are told", async () => {
  expect((await execute(null, { generated_code: "", timeout: 5, language: "lean4" })).json).toEqual({
    process_status: "error",
    stdout: "",
    stderr: "lean4 is not there\n",
  });
  expect((await execute(null, { timeout: 5 })).status).toBe(422);
  expect((await ask(`${service.url}/health`)).json).toMatchObject({ status: "healthy" });
});
