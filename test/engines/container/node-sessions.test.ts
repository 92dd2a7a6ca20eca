/** Sessions of JavaScript: Node's REPL in a process that is kept, and forked by copy-on-write. */
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Executor } from "../../../src/contract/executor.ts";
import type { Session, SessionCall } from "../../../src/contract/session.ts";
import { createExecutor } from "../../../src/index.ts";

let executor: Executor;
let session: Session;
beforeAll(async () => {
  executor = await createExecutor({ python: { slots: 1 }, runtimes: { javascript: false } });
  session = await executor.openSession({ runtime: "node" });
});
afterAll(() => executor.close());

const run = (source: string, more: Omit<SessionCall, "source"> = {}) => session.execute({ source, ...more });

describe("a cell", () => {
  it.each([
    ["a value that is shown", "({ a: [1, new Map([[1, 2]])] })", "{ a: [ 1, Map(1) { 1 => 2 } ] }"],
    ["an object without parentheses", "{ b: 1 }", "{ b: 1 }"],
    ["nothing", "const nothing = 1", null],
    ["a promise that is awaited", "const late = await Promise.resolve(7); late + 1", "8"],
    ["what an await declared", "late", "7"],
    ["a module of Node's", "const { sep } = await import('node:path'); sep + require('os').EOL", "'/\\n'"],
    ["a class", "class Point { constructor() { this.x = 1 } }; new Point()", "Point { x: 1 }"],
  ])("%s", async (_, source, value) => {
    expect(await run(source)).toMatchObject({ outcome: "completed", value, stderr: "" });
  });

  it("ends when nothing is left to wait for", async () => {
    const source = "setTimeout(() => { console.log('one'); setTimeout(() => console.log('two'), 5) }, 5); 1";
    expect(await run(source)).toMatchObject({ outcome: "completed", stdout: "one\ntwo\n", value: "1" });
  });

  it("shows errors with the program's own lines only", async () => {
    const { stderr, error, exit_code } = await run("\nfunction bad() { null.x }\nbad()");
    expect(stderr).toMatch(
      /^Uncaught TypeError: Cannot read properties of null \(reading 'x'\)\n {4}at bad \(<cell \d+>:2:23\)\n {4}at <cell \d+>:3:1\n$/,
    );
    expect(error).toEqual({
      type: "TypeError",
      message: "Cannot read properties of null (reading 'x')",
      line: 2,
    });
    expect(exit_code).toBe(1);
    expect(await run("setTimeout(() => { throw new Error('late') })")).toMatchObject({
      outcome: "failed",
      error: { message: "late" },
      session: { state: "kept" },
    });
    expect((await run("1 +* 2")).stderr).toMatch(/^Uncaught <cell \d+>:1\n1 \+\* 2\n/);
    expect((await run("function unfinished() {")).stderr).toMatch(/SyntaxError: Unexpected end of input\n$/);
    expect(await run("await new Promise(() => {})")).toMatchObject({ outcome: "failed", exit_code: 13 });
  });

  it("has standard input of its own", async () => {
    const source = "let text = ''; for await (const chunk of process.stdin) text += chunk; text";
    expect((await run(source, { stdin: "first" })).value).toBe("'first'");
    expect((await run(source.replace("let ", ""), { stdin: "second" })).value).toBe("'second'");
    expect((await run("require('fs').readFileSync(0, 'utf8')")).value).toBe("''");
  });
});

describe("an interrupt", () => {
  it.each([
    ["of code", "for (;;) {}"],
    ["of a wait", "await new Promise((done) => setTimeout(done, 60_000))"],
    ["of timers", "setInterval(() => {}, 10)"],
  ])("%s keeps the state, and the next calls end", async (_, source) => {
    await run("globalThis.kept = 41");
    expect(await run(source, { limits: { wall_ms: 400 } })).toMatchObject({
      outcome: "wall_limit",
      session: { state: "kept" },
    });
    for (let n = 0; n < 3; n++)
      expect(await run("kept + 1", { limits: { wall_ms: 5000 } })).toMatchObject({
        outcome: "completed",
        value: "42",
      });
  });

  it("that code does not hear loses the session, and that is said", async () => {
    const [fork] = (await session.fork()) as [Session];
    const deaf = "process.on('SIGINT', () => {}); setTimeout(() => { for (;;) {} })";
    expect(await fork.execute({ source: deaf, limits: { wall_ms: 1500 } })).toMatchObject({
      outcome: "wall_limit",
      session: { state: "lost" },
    });
    expect((await run("1")).value).toBe("1");
  });
});

describe("a fork", () => {
  it("has its own process id, files and output, and random numbers as asked", async () => {
    await run("require('fs').writeFileSync('shared.txt', 'before')");
    const random = "[process.pid, Math.random()]";
    const [one, two] = (await session.fork({ count: 2 })) as [Session, Session];
    const [same, again] = (await session.fork({ count: 2, reseed: false })) as [Session, Session];
    const [a, b, c, d] = await Promise.all(
      [one, two, same, again].map(async (fork) => (await fork.execute({ source: random })).value ?? ""),
    );
    const numbers = [a, b, c, d].map((shown) => JSON.parse(shown ?? "") as [number, number]);
    expect(new Set(numbers.map(([pid]) => pid)).size).toBe(4);
    expect(numbers[0]?.[1]).not.toBe(numbers[1]?.[1]);
    expect(numbers[2]?.[1]).toBe(numbers[3]?.[1]);
    await one.execute({ source: "require('fs').appendFileSync('shared.txt', ' one')" });
    const read = "require('fs').readFileSync('shared.txt', 'utf8')";
    expect((await one.execute({ source: read })).value).toBe("'before one'");
    expect((await two.execute({ source: read })).value).toBe("'before'");
    const spoken = await Promise.all(
      [one, two].map((fork, index) => fork.execute({ source: `setTimeout(() => console.log(${index}), 5)` })),
    );
    expect(spoken.map(({ stdout }) => stdout)).toEqual(["0\n", "1\n"]);
    await Promise.all([one, two, same, again].map((fork) => fork.close()));
  });

  it("is charged its own memory: one at its limit ends alone", async () => {
    const [greedy, modest] = (await session.fork({ count: 2 })) as [Session, Session];
    const balloon = "const all = []; for (;;) all.push(Buffer.alloc(1 << 20, 1))";
    const ended = await greedy.execute({ source: balloon, limits: { wall_ms: 20_000 } });
    expect(ended).toMatchObject({ outcome: "memory_limit", session: { state: "lost" } });
    expect((await modest.execute({ source: "6 * 7" })).value).toBe("42");
    expect((await run("6 * 7")).value).toBe("42");
    await Promise.all([greedy, modest].map((fork) => fork.close()));
  });

  it("loses no state to what a program does to its own process", async () => {
    for (const source of [
      "for (let fd = 3; fd < 1100; fd++) try { require('fs').closeSync(fd) } catch {}",
      "require('child_process').spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' }).unref()",
      "process.stdout.end(); process.stderr.destroy()",
      "try { process.kill(-1, 'SIGKILL') } catch {}",
      "process.exit(1)",
    ]) {
      const [fork] = (await session.fork()) as [Session];
      await fork.execute({ source, limits: { wall_ms: 2000 } });
      await fork.close();
      expect((await run("6 * 7")).value).toBe("42");
    }
  });
});

it("any calls and forks give what running the same history in a new session gives", async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("add" as const), who: fc.nat(5), by: fc.integer({ min: -9, max: 9 }) }),
    fc.record({ kind: fc.constant("fork" as const), who: fc.nat(5) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
      const first = await executor.openSession({ runtime: "node" });
      await first.execute({ source: "const log = []" });
      const open: { session: Session; history: number[] }[] = [{ session: first, history: [] }];
      for (const one of steps) {
        const at = open[one.who % open.length] as (typeof open)[number];
        if (one.kind === "fork") {
          const [fork] = (await at.session.fork()) as [Session];
          open.push({ session: fork, history: [...at.history] });
        } else {
          at.history.push(one.by);
          await at.session.execute({ source: `void log.push(${one.by})` });
        }
      }
      for (const { session: one, history } of open) {
        expect((await one.execute({ source: "JSON.stringify(log)" })).value).toBe(
          `'${JSON.stringify(history)}'`,
        );
        await one.close();
      }
    }),
    { numRuns: 12 },
  );
});
