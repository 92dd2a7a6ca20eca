/**
 * Scalars in the form that TensorBoard reads: a TFRecord file of Event messages. Each record is its length (8 bytes),
 * the length's masked CRC-32C, the message, the message's masked CRC-32C; all little-endian.
 */
import { appendFileSync } from "node:fs";
import path from "node:path";
import protobuf from "protobufjs/minimal.js";
import { maskedCrc32c } from "./crc32c.ts";

const VERSION = "brain.Event:2";

/** Field numbers of `tensorflow.Event`, `Summary` and `Summary.Value`, as protobuf tags. */
const WALL_TIME = (1 << 3) | 1;
const STEP = (2 << 3) | 0;
const FILE_VERSION = (3 << 3) | 2;
const SUMMARY = (5 << 3) | 2;
const VALUE = (1 << 3) | 2;
const TAG = (1 << 3) | 2;
const SIMPLE_VALUE = (2 << 3) | 5;

function record(message: Uint8Array): Buffer {
  const framed = Buffer.alloc(message.length + 16);
  framed.writeBigUInt64LE(BigInt(message.length), 0);
  framed.writeUInt32LE(maskedCrc32c(framed.subarray(0, 8)), 8);
  framed.set(message, 12);
  framed.writeUInt32LE(maskedCrc32c(message), message.length + 12);
  return framed;
}

export interface EventFile {
  readonly path: string;
  /** Adds scalars of one step. `time` is in seconds since the epoch. */
  append(step: number, time: number, scalars: Readonly<Record<string, number>>): void;
}

/** Begins a file of its own in `directory`; TensorBoard reads several of a run as one. @throws what writing throws */
export function createEventFile(directory: string, startedAt = Date.now() / 1000): EventFile {
  const name = `events.out.tfevents.${Math.floor(startedAt)}.rollcall.${process.pid}`;
  const file = path.join(directory, name);
  const head = protobuf.Writer.create().uint32(WALL_TIME).double(startedAt);
  appendFileSync(file, record(head.uint32(FILE_VERSION).string(VERSION).finish()));
  return {
    path: file,
    append(step, time, scalars) {
      const event = protobuf.Writer.create().uint32(WALL_TIME).double(time).uint32(STEP).int64(step);
      event.uint32(SUMMARY).fork();
      for (const [tag, value] of Object.entries(scalars))
        event.uint32(VALUE).fork().uint32(TAG).string(tag).uint32(SIMPLE_VALUE).float(value).ldelim();
      appendFileSync(file, record(event.ldelim().finish()));
    },
  };
}
