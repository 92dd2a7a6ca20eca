/** What a host sends is believed by nobody before it was checked. */
import { assert, dictionary, json, property, string, uint8Array } from "fast-check";
import { expect, test } from "vitest";
import { FrameReader } from "../../../src/lib/framing.ts";
import {
  encode,
  encodeRun,
  type EndedMessage,
  parseFromHost,
  parseToHost,
} from "../../../src/engines/isolate/protocol.ts";
import { specOf } from "./programs.ts";

const ENDED: EndedMessage = {
  kind: "ended",
  call: 3,
  ending: "exit",
  exitCode: 0,
  totals: [2, 0],
  wallMs: 1.5,
  cpuMs: 1,
  memoryPeakBytes: 10,
  report: { error: { type: "Error", message: "m", line: null }, value: "1" },
  files: [{ path: "a", state: "not_found" }],
  isStuck: false,
  residentBytes: 5,
};

const bodyOf = (parts: readonly Uint8Array[]) =>
  new FrameReader(1 << 24).push(Buffer.concat(parts))[0] ?? Buffer.alloc(0);

test("a run arrives as it was sent", () => {
  assert(
    property(
      uint8Array(),
      uint8Array(),
      dictionary(string({ minLength: 1 }), uint8Array()),
      (source, stdin, files) => {
        const spec = specOf({
          source: "",
          stdin: Buffer.from(stdin),
          files: Object.fromEntries(Object.entries(files).map(([path, bytes]) => [path, Buffer.from(bytes)])),
        });
        const { message, blobs } = parseToHost(
          bodyOf(encodeRun(7, { ...spec, source: Buffer.from(source) })),
        );
        expect(message).toMatchObject({ kind: "run", call: 7, filePaths: Object.keys(files) });
        expect(blobs.map((blob) => [...blob])).toEqual(
          [source, stdin, ...Object.values(files)].map((bytes) => [...bytes]),
        );
      },
    ),
  );
});

test("a sound end is taken whole", () => {
  const { message, blobs } = parseFromHost(bodyOf(encode(ENDED, [Buffer.from("hi"), Buffer.alloc(0)])));
  expect(message).toEqual(ENDED);
  expect(blobs.map(String)).toEqual(["hi", ""]);
});

test("progress is taken whole, and refused when a field of it is of another shape", () => {
  const progress = { kind: "progress", call: 3, totals: [2, 1], memoryBytes: 7, ranMs: 20.5 } as const;
  expect(parseFromHost(bodyOf(encode(progress))).message).toEqual(progress);
  for (const field of Object.keys(progress)) {
    for (const value of [null, -1, "x", [1], { a: 1 }])
      expect(() => parseFromHost(bodyOf(encode({ ...progress, [field]: value })))).toThrow();
  }
});

test("an end with any field of another shape is refused", () => {
  for (const field of Object.keys(ENDED).filter((name) => name !== "isStuck")) {
    for (const value of [null, -1, "x".repeat(70_000), [1], { a: 1 }, Number.MAX_VALUE]) {
      const frame = bodyOf(encode({ ...ENDED, [field]: value }));
      const accepted = ["wallMs", "cpuMs"].includes(field) || field === "report";
      if (!accepted)
        expect(() => parseFromHost(frame), `${field} = ${JSON.stringify(value).slice(0, 40)}`).toThrow();
    }
  }
});

test("whatever the bytes are, parsing answers or throws an Error", () => {
  assert(
    property(uint8Array({ maxLength: 200 }), json(), (bytes, value) => {
      const text = Buffer.from(value);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(text.length);
      for (const frame of [Buffer.from(bytes), Buffer.concat([length, text, bytes])]) {
        let kind: unknown;
        try {
          ({ kind } = parseFromHost(frame).message);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
          continue;
        }
        expect(kind).toBeTypeOf("string");
      }
    }),
  );
});
