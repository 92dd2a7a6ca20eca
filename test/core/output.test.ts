import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { renderOutput, truncationMark } from "../../src/core/output.ts";
import type { Captured } from "../../src/core/ports.ts";

/** What an engine keeps of `bytes`: the first and the last, never more than there is. */
function keep(bytes: Buffer, headMax: number, tailMax: number): Captured {
  const head = bytes.subarray(0, headMax);
  const rest = bytes.subarray(head.length);
  return { head, tail: rest.subarray(Math.max(0, rest.length - tailMax)), totalBytes: bytes.length };
}

const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 60 }),
  fc.string({
    unit: fc.constantFrom("a", "é", "€", "😀", "\n", "\u0000", "\ufffd", "\ufeff"),
    maxLength: 60,
  }),
);
const size = fc.nat(80);
const cutText = fc.record({ text, head: size, tail: size });
const cutBytes = fc.record({
  bytes: fc.uint8Array({ maxLength: 120 }).map((array) => Buffer.from(array)),
  head: size,
  tail: size,
});

describe("text", () => {
  test("what is all there comes back as it is, wherever it was cut in two", () => {
    fc.assert(
      fc.property(text, size, (whole, head) => {
        const bytes = Buffer.from(whole);
        expect(renderOutput(keep(bytes, head, bytes.length), "utf8")).toEqual({
          text: bytes.toString(),
          dropped: 0,
        });
      }),
    );
  });

  test("is cut between characters, and the mark says exactly what is missing", () => {
    fc.assert(
      fc.property(cutText, ({ text: whole, head, tail }) => {
        const bytes = Buffer.from(whole);
        const kept = keep(bytes, head, tail);
        const rendered = renderOutput(kept, "utf8");
        if (kept.head.length + kept.tail.length === bytes.length) {
          expect(rendered).toEqual({ text: bytes.toString(), dropped: 0 });
          return;
        }
        const { before, after } = around(rendered.text, rendered.dropped, bytes);
        // Characters of the whole, none of them broken, and not more given away than half a character at each side.
        expect(bytes.subarray(0, before.length).equals(before)).toBe(true);
        expect(bytes.subarray(bytes.length - after.length).equals(after)).toBe(true);
        expect(rendered.dropped).toBe(bytes.length - before.length - after.length);
        expect(kept.head.length - before.length).toBeOneOf([0, 1, 2, 3]);
        expect(kept.tail.length - after.length).toBeOneOf([0, 1, 2, 3]);
      }),
      { numRuns: 2000 },
    );
  });

  test("a character at the cut is kept when it is whole", () => {
    for (const character of ["a", "é", "€", "😀"]) {
      const { length } = Buffer.from(character);
      const bytes = Buffer.from(`${character}${"x".repeat(50)}${character}`);
      expect(renderOutput(keep(bytes, length, length), "utf8")).toEqual({
        text: `${character}${truncationMark(50)}${character}`,
        dropped: 50,
      });
      for (let broken = 1; broken < length; broken++) {
        const { dropped } = renderOutput(keep(bytes, broken, broken), "utf8");
        expect(dropped, character).toBe(bytes.length);
      }
    }
  });

  test("bytes that are no text become U+FFFD", () => {
    expect(renderOutput(keep(Buffer.from([0x61, 0xff, 0x62]), 3, 0), "utf8").text).toBe("a\ufffdb");
    expect(renderOutput(keep(Buffer.from([0xc3, 0x28]), 2, 0), "utf8").text).toBe("\ufffd(");
  });

  test("any bytes give well-formed text and an exact count", () => {
    fc.assert(
      fc.property(cutBytes, ({ bytes, head, tail }) => {
        const kept = keep(bytes, head, tail);
        const { text: found, dropped } = renderOutput(kept, "utf8");
        expect(found.isWellFormed()).toBe(true);
        const missing = bytes.length - kept.head.length - kept.tail.length;
        if (missing === 0) {
          expect({ found, dropped }).toEqual({ found: bytes.toString("utf8"), dropped: 0 });
          return;
        }
        expect(dropped).toBeGreaterThanOrEqual(missing);
        expect(dropped).toBeLessThanOrEqual(missing + 6);
        expect(found).toContain(truncationMark(dropped));
      }),
      { numRuns: 2000 },
    );
  });
});

/** The two sides of the mark, as bytes. The program may have printed a mark itself: the one that fits counts. */
function around(found: string, dropped: number, whole: Buffer): { before: Buffer; after: Buffer } {
  const mark = truncationMark(dropped);
  for (let at = found.indexOf(mark); at >= 0; at = found.indexOf(mark, at + 1)) {
    const before = Buffer.from(found.slice(0, at));
    const after = Buffer.from(found.slice(at + mark.length));
    if (before.length + dropped + after.length === whole.length) return { before, after };
  }
  return expect.fail(`no mark of ${dropped} bytes in ${JSON.stringify(found)}`);
}

describe("base64", () => {
  test("is what was kept, byte for byte, with the mark between", () => {
    fc.assert(
      fc.property(cutBytes, ({ bytes, head, tail }) => {
        const kept = keep(bytes, head, tail);
        const { text: found, dropped } = renderOutput(kept, "base64");
        const missing = bytes.length - kept.head.length - kept.tail.length;
        const mark = missing === 0 ? "" : truncationMark(missing);
        expect(dropped).toBe(missing);
        expect(
          Buffer.from(found, "base64").equals(Buffer.concat([kept.head, Buffer.from(mark), kept.tail])),
        ).toBe(true);
        expect(Buffer.from(found, "base64").toString("base64")).toBe(found);
      }),
      { numRuns: 1000 },
    );
  });
});
