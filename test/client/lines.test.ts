import * as fc from "fast-check";
import { expect, test } from "vitest";
import { readLines } from "../../src/client/lines.ts";

async function* chunked(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  let at = 0;
  for (let index = 0; at < bytes.length; index += 1) {
    const size = sizes[index % sizes.length] as number;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

test("lines are the same however the bytes were cut", async () => {
  const line = fc.string({ unit: "grapheme", maxLength: 20 }).filter((text) => !text.includes("\n"));
  await fc.assert(
    fc.asyncProperty(
      fc.array(line, { maxLength: 20 }),
      fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 5 }),
      async (lines, sizes) => {
        const bytes = Buffer.from(lines.map((text) => `${text}\n`).join(""));
        const found: string[] = [];
        for await (const text of readLines(chunked(bytes, sizes), 1000)) found.push(text);
        expect(found).toEqual(lines.map((text) => Buffer.from(text).toString()));
      },
    ),
  );
});

test("a line that is too long is an error before it is complete", async () => {
  async function* endless(): AsyncGenerator<Buffer> {
    for (;;) yield Buffer.from("xxxx");
  }
  const read = async () => {
    for await (const _ of readLines(endless(), 100)) expect.fail("there is no line");
  };
  await expect(read()).rejects.toThrow(/longer than 100 bytes/);
});
