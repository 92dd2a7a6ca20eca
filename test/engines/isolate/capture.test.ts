/** Head and ring, as the isolate's own side writes them and the host reads them. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { runIn } from "./programs.ts";
import { type TestEngine, startEngine } from "./test-engine.ts";

let engine: TestEngine;

beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine.close());

test("every length of output is kept by its first and last bytes", async () => {
  const cap = 256;
  for (const length of [0, 1, 127, 128, 129, 255, 256, 257, 383, 384, 385, 511, 512, 513, 1000, 1024]) {
    const source = `const text = Array.from({ length: ${length} }, (_, i) => String.fromCharCode(33 + (i % 90))).join("");
      for (let at = 0; at < text.length; at += 37) process.stdout.write(text.slice(at, at + 37));`;
    const whole = Array.from({ length }, (_, i) => String.fromCharCode(33 + (i % 90))).join("");
    const { evidence } = await runIn(engine.sandbox, { source, limits: { output_bytes: cap } });
    const { head, tail, totalBytes } = evidence.stdout;
    expect(totalBytes).toBe(length);
    expect(head.toString()).toBe(whole.slice(0, cap / 2));
    expect(tail.toString()).toBe(length <= cap / 2 ? "" : whole.slice(Math.max(cap / 2, length - cap / 2)));
  }
});

test("bytes, lone surrogates and long texts are written as Node writes them", async () => {
  const source = `process.stdout.write(new Uint8Array([0, 255, 128])); process.stdout.write("a\\ud800b"); process.stdout.write("6869", "hex"); console.log("😀".repeat(20000));`;
  const { evidence } = await runIn(engine.sandbox, source);
  const expected = Buffer.concat([
    Buffer.from([0, 255, 128]),
    Buffer.from("a\ud800b"),
    Buffer.from("hi"),
    Buffer.from(`${"😀".repeat(20_000)}\n`),
  ]);
  expect(Buffer.concat([evidence.stdout.head, evidence.stdout.tail]).equals(expected)).toBe(true);
});
