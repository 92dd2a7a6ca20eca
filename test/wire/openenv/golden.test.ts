/** Conversations with OpenEnv's own coding environment (openenv-core 0.3.0, smolagents 1.26.0), recorded, against the real service. */
import { on, once } from "node:events";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { type Service, startService } from "../../support/service.ts";

interface Turn {
  /** A message, or text that is none. */
  readonly sent: unknown;
  readonly answer:
    | { readonly type: string; readonly data: Record<string, unknown> }
    | { readonly closed: string };
}

const RECORDED = JSON.parse(readFileSync(new URL("golden.json", import.meta.url), "utf8")) as Record<
  string,
  readonly Turn[]
>;

/** Where we differ on purpose, by conversation and turn; each is told in docs/wire/openenv.md. */
const DIFFERENCES: Readonly<Record<string, object>> = {
  // The original shows the value of an assignment too.
  "episode 1": { stdout: "" },
  "rewards 2": { stdout: "" },
  // It ends each print with a line break, and has values as JSON where it can.
  "output 1": { stdout: "a" },
  "output 3": { stdout: "'text'" },
  "output 6": { stdout: "{'a': 1}" },
  "output 8": { stdout: "True" },
  // Its interpreter has neither.
  "rewards 3": { exit_code: 0, stderr: "" },
  "rewards 4": { exit_code: 0, stderr: "", stdout: "1" },
};

let service: Service;
beforeAll(async () => {
  service = await startService(["--wire", "openenv", "--runtimes.javascript", "false"]);
});
afterAll(() => service.stop());

/** What of an answer is not drawn at random, and not in the words of an interpreter or a library. */
function essence(answer: Turn["answer"]): unknown {
  if ("closed" in answer) return "closed";
  const { observation, message: _message, errors: _errors, episode_id: _id, ...data } = answer.data;
  const told = observation as { stderr: string } | undefined;
  return {
    type: answer.type,
    ...data,
    ...(told === undefined ? {} : { ...told, stderr: told.stderr === "" ? "" : "something" }),
  };
}

test.each(Object.keys(RECORDED))("recorded: %s", async (name) => {
  const socket = new WebSocket(`${service.url.replace(/^http/, "ws")}/ws`);
  const answers = on(socket, "message", { close: ["close"] });
  const next = async (): Promise<Turn["answer"]> => {
    const { value, done } = await answers.next();
    return done === true ? { closed: "" } : (JSON.parse(String((value as unknown[])[0])) as Turn["answer"]);
  };
  await once(socket, "open");
  for (const [index, { sent, answer }] of (RECORDED[name] as readonly Turn[]).entries()) {
    socket.send(typeof sent === "string" ? sent : JSON.stringify(sent));
    const difference = DIFFERENCES[`${name} ${index}`];
    const expected = essence(answer);
    expect(essence(await next()), `${name} ${index}`).toEqual(
      difference === undefined ? expected : { ...(expected as object), ...difference },
    );
  }
  socket.terminate();
});
