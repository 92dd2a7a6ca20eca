/** Event files, read back by a decoder that knows the format and not the writer. */
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import protobuf from "protobufjs";
import { afterAll, expect, test } from "vitest";
import { RunDirectory } from "../../../src/rl/loop/run-directory.ts";
import { crc32c } from "../../../src/rl/tensorboard/crc32c.ts";
import { createEventFile } from "../../../src/rl/tensorboard/event-file.ts";

const directory = mkdtempSync(path.join(tmpdir(), "rollcall-events-"));
afterAll(() => rmSync(directory, { recursive: true }));

const { root } = protobuf.parse(
  `
  syntax = "proto3";
  message Value { string tag = 1; float simple_value = 2; }
  message Summary { repeated Value value = 1; }
  message Event { double wall_time = 1; int64 step = 2; oneof what { string file_version = 3; Summary summary = 5; } }
`,
  { keepCase: true },
);
const Event = root.lookupType("Event");

function unmask(masked: number): number {
  const rotated = (masked - 0xa282ead8) >>> 0;
  return ((rotated << 15) | (rotated >>> 17)) >>> 0;
}

function readRecords(file: string): unknown[] {
  const bytes = readFileSync(file);
  const events: unknown[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = Number(bytes.readBigUInt64LE(at));
    expect(unmask(bytes.readUInt32LE(at + 8))).toBe(crc32c(bytes.subarray(at, at + 8)));
    const message = bytes.subarray(at + 12, at + 12 + length);
    expect(unmask(bytes.readUInt32LE(at + 12 + length))).toBe(crc32c(message));
    events.push(Event.toObject(Event.decode(message), { longs: Number }));
    at += length + 16;
  }
  return events;
}

test("the checksum is Castagnoli's", () => {
  // The check value of the CRC catalogue, and RFC 3720's example of 32 zeros.
  expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
});

test("scalars come back as they were written", () => {
  const file = createEventFile(directory, 1_700_000_000.5);
  expect(path.basename(file.path)).toMatch(/^events\.out\.tfevents\.1700000000\./);
  file.append(7, 1_700_000_001.25, { "reward/all/mean": 0.5, größe: -2 });
  file.append(3_000_000_000, 1_700_000_002, {});
  expect(readRecords(file.path)).toEqual([
    { wall_time: 1_700_000_000.5, file_version: "brain.Event:2" },
    {
      wall_time: 1_700_000_001.25,
      step: 7,
      summary: {
        value: [
          { tag: "reward/all/mean", simple_value: 0.5 },
          { tag: "größe", simple_value: -2 },
        ],
      },
    },
    { wall_time: 1_700_000_002, step: 3_000_000_000, summary: {} },
  ]);
});

test("a run directory that is asked to writes its measurements there too", () => {
  const run = new RunDirectory(path.join(directory, "run"));
  run.logMetrics({ phase: "sft", stage: "sft", step: 1, time: 5, metrics: { loss: 2 } });
  run.writeEvents();
  run.logMetrics({ phase: "sft", stage: "sft", step: 2, time: 6, metrics: { loss: 1 } });
  run.logMetrics({ phase: "rl", stage: "a", step: 1, time: 7, metrics: { "reward/all/mean": 0.25 } });
  const [name = ""] = readdirSync(run.path).filter((one) => one.startsWith("events."));
  expect(readRecords(run.file(name)).slice(1)).toEqual([
    { wall_time: 6, step: 2, summary: { value: [{ tag: "sft/loss", simple_value: 1 }] } },
    { wall_time: 7, step: 1, summary: { value: [{ tag: "reward/all/mean", simple_value: 0.25 }] } },
  ]);
  expect(readFileSync(run.file("metrics.jsonl"), "utf8").trim().split("\n")).toHaveLength(3);
});
