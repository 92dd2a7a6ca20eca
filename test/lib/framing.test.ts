import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { frameHeader, FrameReader, FrameTooLong } from "../../src/lib/framing.ts";

const FRAME_MAX = 200;

const bytes = (max: number) => fc.uint8Array({ maxLength: max }).map((array) => Buffer.from(array));
const frames = fc.array(bytes(FRAME_MAX), { maxLength: 12 });
/** Sizes of the chunks that a stream comes in, over and over; some are empty. */
const sizes = fc
  .array(fc.nat(60), { minLength: 1, maxLength: 8 })
  .filter((list) => list.some((size) => size > 0));

const encode = (bodies: readonly Buffer[]) =>
  Buffer.concat(bodies.flatMap((body) => [frameHeader(body.length), body]));

function* cut(stream: Buffer, list: readonly number[]): Generator<Buffer> {
  let at = 0;
  for (let turn = 0; at < stream.length; turn++) {
    const size = list[turn % list.length] as number;
    // A copy: what a socket gives is not a view of what follows.
    yield Buffer.from(stream.subarray(at, at + size));
    at += size;
  }
}

test("the frames are the same however the stream was cut", () => {
  fc.assert(
    fc.property(frames, sizes, (bodies, list) => {
      const reader = new FrameReader(FRAME_MAX);
      const found = [...cut(encode(bodies), list)].flatMap((chunk) => reader.push(chunk));
      expect(found).toEqual(bodies);
    }),
    { numRuns: 1000 },
  );
});

test("a frame comes with the chunk that completes it, no sooner and no later", () => {
  fc.assert(
    fc.property(frames, sizes, (bodies, list) => {
      const ends = bodies.map((_, index) => encode(bodies.slice(0, index + 1)).length);
      const reader = new FrameReader(FRAME_MAX);
      let sent = 0;
      let found = 0;
      for (const chunk of cut(encode(bodies), list)) {
        sent += chunk.length;
        found += reader.push(chunk).length;
        expect(found).toBe(ends.filter((end) => end <= sent).length);
      }
    }),
  );
});

test("a frame that was handed out is not overwritten by what comes after", () => {
  const reader = new FrameReader(FRAME_MAX);
  const stream = encode([Buffer.from("first"), Buffer.from("second")]);
  const found = [...cut(stream, [3, 1, 7])].flatMap((chunk) => {
    const completed = reader.push(chunk);
    return completed;
  });
  expect(found.map(String)).toEqual(["first", "second"]);
});

describe("a length above the bound", () => {
  test("is refused with both numbers as soon as it is announced", () => {
    expect(new FrameReader(FRAME_MAX).push(frameHeader(FRAME_MAX))).toEqual([]);
    const refused = () => new FrameReader(FRAME_MAX).push(frameHeader(FRAME_MAX + 1));
    expect(refused).toThrow(FrameTooLong);
    expect(refused).toThrow(/201 bytes.* 200/);
    expect(() => new FrameReader(FRAME_MAX).push(Buffer.from([0xff, 0xff, 0xff, 0xff]))).toThrow(
      /4294967295/,
    );
  });

  test("is refused wherever the header is cut", () => {
    fc.assert(
      fc.property(
        frames,
        sizes,
        fc.integer({ min: FRAME_MAX + 1, max: 2 ** 32 - 1 }),
        (bodies, list, length) => {
          const reader = new FrameReader(FRAME_MAX);
          const feed = () => {
            for (const chunk of cut(Buffer.concat([encode(bodies), frameHeader(length)]), list))
              reader.push(chunk);
          };
          expect(feed).toThrow(FrameTooLong);
        },
      ),
    );
  });
});

test("any bytes give frames that the bytes say, or are refused", () => {
  const small = fc.oneof(fc.constant(0), fc.nat(255));
  const noise = fc.array(small, { maxLength: 80 }).map((list) => Buffer.from(list));
  fc.assert(
    fc.property(noise, sizes, (stream, list) => {
      const { found, refused } = read(stream, list);
      let at = 0;
      for (const frame of found) {
        expect(stream.readUInt32LE(at)).toBe(frame.length);
        expect(stream.subarray(at + 4, at + 4 + frame.length)).toEqual(frame);
        at += 4 + frame.length;
      }
      if (stream.length - at < 4) expect(refused).toBe(false);
      else expect(refused).toBe(stream.readUInt32LE(at) > FRAME_MAX);
    }),
    { numRuns: 2000 },
  );
});

/** Frames up to the first that was refused, one byte at a time where a chunk may hold more than one frame. */
function read(stream: Buffer, list: readonly number[]): { found: Buffer[]; refused: boolean } {
  const reader = new FrameReader(FRAME_MAX);
  const found: Buffer[] = [];
  try {
    for (const chunk of cut(stream, list))
      for (const byte of chunk) found.push(...reader.push(Buffer.from([byte])));
  } catch (error) {
    expect(error).toBeInstanceOf(FrameTooLong);
    return { found, refused: true };
  }
  return { found, refused: false };
}
