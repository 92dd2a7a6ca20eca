/** What the sessions of every Executor must do: one suite, run over each implementation by `executor-suite.ts`. */
import { describe, expect, it } from "vitest";
import type { RuntimeId } from "../../src/contract/call.ts";
import type { Executor } from "../../src/contract/executor.ts";
import type { Result } from "../../src/contract/result.ts";
import type { Session, SessionSpec } from "../../src/contract/session.ts";

/** The same small cells in each language. */
export interface SessionLanguage {
  readonly runtime: RuntimeId;
  readonly define: string;
  readonly change: string;
  readonly show: string;
  readonly raise: string;
  readonly sleep: string;
  /** Ends the interpreter itself. */
  readonly die: string;
}

export const PYTHON_SESSIONS: SessionLanguage = {
  runtime: "python",
  define: "x = [1]\ndef f(): return sum(x)",
  change: "x.append(10)",
  show: "f()",
  raise: "x.append(100); 1 / 0",
  sleep: "import time; x.append(1000); time.sleep(60)",
  die: "import os; os._exit(3)",
};

/** Of both runtimes of JavaScript. */
export const javascriptSessions = (runtime: "javascript" | "node"): SessionLanguage => ({
  runtime,
  define: "const x = [1];\nfunction f() { return x.reduce((a, b) => a + b) }",
  change: "void x.push(10)",
  show: "f()",
  raise: "x.push(100); null.field",
  sleep: "x.push(1000); await new Promise((done) => setTimeout(done, 60_000))",
  die: "process.exit(3)",
});

function caught(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => null,
    (error: unknown) => error,
  );
}

export function describeSessions(
  executor: () => Executor,
  language: SessionLanguage,
  keepsOrder: boolean,
): void {
  const { runtime } = language;

  async function withSession(use: (session: Session) => Promise<void>, spec: Partial<SessionSpec> = {}) {
    const session = await executor().openSession({ runtime, ...spec });
    try {
      await use(session);
    } finally {
      await session.close();
    }
  }

  const show = async (session: Session): Promise<Result["value"]> =>
    (await session.execute({ source: language.show })).value;

  describe(`sessions of ${runtime}`, () => {
    it("keep state from one call to the next, and after an error", () =>
      withSession(async (session) => {
        await session.execute({ source: language.define });
        await session.execute({ source: language.change });
        expect(await session.execute({ source: language.show })).toMatchObject({
          value: "11",
          outcome: "completed",
          exit_code: 0,
          session: { id: session.id, state: "kept" },
        });
        expect(await session.execute({ source: language.raise })).toMatchObject({
          outcome: "failed",
          session: { state: "kept" },
        });
        expect(await show(session)).toBe("111");
      }));

    it("keep state after a time limit and a cancel that interrupted the program", () =>
      withSession(async (session) => {
        await session.execute({ source: language.define });
        const late = await session.execute({ source: language.sleep, limits: { wall_ms: 300 } });
        expect(late).toMatchObject({ outcome: "wall_limit", exit_code: null, session: { state: "kept" } });
        const controller = new AbortController();
        const running = session.execute({ source: language.sleep }, { signal: controller.signal });
        // The program has begun by then: that it did is in what it kept.
        setTimeout(() => controller.abort(), 1000);
        expect((await running).outcome).toBe("cancelled");
        expect(await show(session)).toBe("2001");
      }));

    it("say when it is lost, and take no more calls", () =>
      withSession(async (session) => {
        expect(await session.execute({ source: language.die })).toMatchObject({
          outcome: "failed",
          exit_code: 3,
          session: { state: "lost" },
        });
        expect(await caught(session.execute({ source: language.show }))).toMatchObject({
          code: "session_lost",
          status: 410,
        });
        expect(await session.describe()).toMatchObject({ state: "lost" });
      }));

    it("are forked: each goes on by itself from where the first stood", () =>
      withSession(async (session) => {
        await session.execute({ source: language.define });
        const [first, second] = (await session.fork({ count: 2 })) as [Session, Session];
        await first.execute({ source: language.change });
        await session.close();
        expect(await show(first)).toBe("11");
        expect(await show(second)).toBe("1");
        const [deeper] = (await first.fork()) as [Session];
        await first.execute({ source: language.die });
        expect(await show(deeper)).toBe("11");
        expect(await deeper.describe()).toMatchObject({ parent: first.id, state: "idle" });
        await Promise.all([first, second, deeper].map((one) => one.close()));
      }));

    it.skipIf(!keepsOrder)("run calls in the order in which they came", () =>
      withSession(async (session) => {
        await session.execute({ source: language.define });
        const calls = Array.from({ length: 8 }, () => [
          session.execute({ source: language.change }),
          session.execute({ source: language.show }),
        ]);
        const shown = await Promise.all(calls.map(async ([, second]) => (await second)?.value));
        expect(shown).toEqual(Array.from({ length: 8 }, (_, index) => String(11 + 10 * index)));
      }),
    );

    it("take files and standard input, and hand files back", () =>
      withSession(
        async (session) => {
          const { files } = await session.execute({
            source: "",
            files: { "b.txt": "B" },
            collect: ["a.txt", "b.txt", "c.txt"],
          });
          expect(files).toEqual({
            "a.txt": { content: "A", encoding: "utf8" },
            "b.txt": { content: "B", encoding: "utf8" },
            "c.txt": { error: "not_found" },
          });
        },
        { files: { "a.txt": "A" } },
      ));

    it("are found by their id, listed, and closed", async () => {
      const opened = await executor().openSession({ runtime, id: `named-${runtime}` });
      const found = await executor().findSession(opened.id);
      await found.execute({ source: language.define });
      expect(await show(opened)).toBe("1");
      expect((await executor().listSessions()).map(({ id }) => id)).toContain(opened.id);
      expect(await caught(executor().openSession({ runtime, id: opened.id }))).toMatchObject({
        code: "id_conflict",
      });
      await found.close();
      expect(await caught(opened.execute({ source: language.show }))).toMatchObject({
        code: "session_closed",
      });
      expect((await executor().listSessions()).map(({ id }) => id)).not.toContain(opened.id);
      expect(await caught(executor().findSession("nobody"))).toMatchObject({ code: "session_not_found" });
    });

    it("close by themselves when nothing is asked of them", async () => {
      const session = await executor().openSession({ runtime, idle_ms: 300 });
      await expect.poll(async () => (await session.describe()).state, { timeout: 10_000 }).toBe("closed");
      expect(await caught(session.execute({ source: language.show }))).toMatchObject({
        code: "session_closed",
      });
    });

    it("are refused with the field at fault", async () => {
      expect(await caught(executor().openSession({ runtime: "bash" }))).toMatchObject({
        code: "invalid_call",
        path: "/runtime",
      });
      expect(await caught(executor().openSession({ runtime, idle_ms: 1e9 }))).toMatchObject({
        code: expect.stringMatching(/limit_above_ceiling|invalid_call/),
        path: "/idle_ms",
      });
      await withSession(async (session) => {
        const shape = { source: language.show, limits: { memory_bytes: 1 << 28 } };
        expect(await caught(session.execute(shape as never))).toMatchObject({ code: "invalid_call" });
      });
    });
  });
}
