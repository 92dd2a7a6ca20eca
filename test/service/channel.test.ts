import * as fc from "fast-check";
import { duplexPair, Transform, type Duplex } from "node:stream";
import { expect, test } from "vitest";
import { SandboxError } from "../../src/contract/errors.ts";
import { Channel, type Answers } from "../../src/service/channel.ts";

interface Asks {
  /** Answers with the text, its parts first; the text says in how many turns of the event loop. */
  readonly echo: {
    readonly asks: { readonly text: string; readonly parts: number; readonly isLong: boolean };
    readonly answers: string;
    readonly parts: string;
  };
  readonly refuse: { readonly asks: null; readonly answers: null };
  readonly crash: { readonly asks: null; readonly answers: null };
  /** Answers when it is given up. */
  readonly wait: { readonly asks: null; readonly answers: string };
  [name: string]: { readonly asks: unknown; readonly answers: unknown; readonly parts?: unknown };
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

const answers = {
  async echo({ text, parts, isLong }, asked) {
    for (let part = 0; part < parts; part++) {
      if (text.length % 2 === 0) await turn();
      asked.part(`${part}${text}`, isLong);
    }
    if (isLong) asked.isLong();
    return text;
  },
  refuse() {
    throw new SandboxError("queue_full", "full", { path: "/a", retryAfterMs: 5 });
  },
  crash() {
    throw new TypeError("secret inner detail");
  },
  wait: (_body, { signal }) =>
    new Promise((resolve) => {
      if (signal.aborted) resolve("given up");
      else signal.addEventListener("abort", () => resolve("given up"), { once: true });
    }),
} as Answers<Asks>;

/** A stream whose bytes come in pieces of these lengths. */
function inPieces(sizes: readonly number[]): Transform {
  let at = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      for (let from = 0; from < chunk.length;) {
        const size = sizes[at++ % sizes.length] as number;
        this.push(chunk.subarray(from, from + size));
        from += size;
      }
      done();
    },
  });
}

function pair(sizes: readonly number[] = [65_536]) {
  const [left, right] = duplexPair();
  const [near, far] = duplexPair();
  left.pipe(inPieces(sizes)).pipe(near);
  near.pipe(inPieces(sizes)).pipe(left);
  const bugs: string[] = [];
  const ended: string[] = [];
  const side = (stream: Duplex, name: string) => ({
    stream,
    answers,
    onBug: (error: unknown) => void bugs.push(String(error)),
    onEnd: () => void ended.push(name),
  });
  const asker = new Channel<Asks, Asks>(side(right, "asker"));
  const answerer = new Channel<Asks, Asks>(side(far, "answerer"));
  return { asker, answerer, bugs, ended, cut: () => right.destroy() };
}

const questions = fc.array(
  fc.record({
    text: fc.oneof(
      fc.string({ unit: "binary", maxLength: 40 }),
      fc.constantFrom("\u0000\ud800", "ä".repeat(5000), "x".repeat(300_000), "\u2028\n"),
    ),
    parts: fc.nat({ max: 3 }),
    isLong: fc.boolean(),
  }),
  { minLength: 1, maxLength: 20 },
);

test("each question gets its own answer and its parts in order, however the bytes come", async () => {
  await fc.assert(
    fc.asyncProperty(
      questions,
      fc.array(fc.integer({ min: 1, max: 4096 }), { minLength: 1, maxLength: 8 }),
      async (asked, sizes) => {
        const { asker, bugs } = pair(sizes);
        const told = await Promise.all(
          asked.map(async (body) => {
            const parts: string[] = [];
            const options = { isLong: body.isLong, onPart: (part: string) => void parts.push(part) };
            return { answer: await asker.ask("echo", body, options), parts };
          }),
        );
        expect(told).toEqual(
          asked.map(({ text, parts }) => ({
            answer: text,
            parts: Array.from({ length: parts }, (_, part) => `${part}${text}`),
          })),
        );
        expect([bugs, asker.waitingBytes]).toEqual([[], 0]);
      },
    ),
    { numRuns: 40 },
  );
});

test("a SandboxError comes whole, anything else as a bug with nothing of its inside", async () => {
  const { asker, bugs } = pair();
  await expect(asker.ask("refuse", null)).rejects.toMatchObject({
    name: "SandboxError",
    code: "queue_full",
    path: "/a",
    retryAfterMs: 5,
  });
  await expect(asker.ask("crash", null)).rejects.toMatchObject({
    code: "internal",
    message: expect.not.stringContaining("secret"),
  });
  expect(bugs).toEqual(["TypeError: secret inner detail"]);
});

test("a question is given up before it is sent and after", async () => {
  const { asker } = pair();
  const late = new AbortController();
  const waiting = asker.ask("wait", null, { signal: late.signal });
  await turn();
  late.abort();
  expect(await waiting).toBe("given up");
  expect(await asker.ask("wait", null, { signal: AbortSignal.abort() })).toBe("given up");
});

test("the end of the stream gives up what is being answered and refuses what is asked", async () => {
  const { asker, ended, cut } = pair();
  const waiting = asker.ask("wait", null);
  await turn();
  await turn();
  cut();
  await expect(waiting).rejects.toMatchObject({ code: "unreachable" });
  await expect(asker.ask("echo", { text: "a", parts: 0, isLong: false })).rejects.toMatchObject({
    code: "unreachable",
  });
  await expect.poll(() => [...ended].sort()).toEqual(["answerer", "asker"]);
});
