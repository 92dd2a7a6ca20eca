/**
 * The grammar of protobuf that the messages need: fields, nested messages, maps. Field numbers and meanings are those
 * of the `tinker` SDK's public descriptor; a field that is not known is skipped, as protobuf wants it.
 */
import protobuf from "protobufjs/minimal.js";
import { packFloat32, packInt64, unpackFloat32, unpackInt32, unpackInt64 } from "./numbers.ts";
import type { Tensor, TensorDtype } from "./messages.ts";

export type Writer = protobuf.Writer;
export type Reader = protobuf.Reader;

const WIRE_VARINT = 0;
const WIRE_DOUBLE = 1;
const WIRE_BYTES = 2;

export const DTYPE_FLOAT32 = 1;
export const DTYPE_INT64 = 2;
export const DTYPE_INT32 = 3;

/** The bytes are no message of the expected kind. */
export class ProtobufError extends Error {
  override readonly name = "ProtobufError";
}

export function writeMessage(write: (writer: Writer) => void): Uint8Array {
  const writer = protobuf.Writer.create();
  write(writer);
  return writer.finish();
}

export function writeNested(writer: Writer, field: number, write: (writer: Writer) => void): void {
  writer.uint32((field << 3) | WIRE_BYTES).fork();
  write(writer);
  writer.ldelim();
}

export function writeBytes(writer: Writer, field: number, value: Uint8Array): void {
  writer.uint32((field << 3) | WIRE_BYTES).bytes(value);
}

export function writeString(writer: Writer, field: number, value: string): void {
  writer.uint32((field << 3) | WIRE_BYTES).string(value);
}

export function writeInteger(writer: Writer, field: number, value: number): void {
  writer.uint32((field << 3) | WIRE_VARINT).int64(value);
}

export function writeDouble(writer: Writer, field: number, value: number): void {
  writer.uint32((field << 3) | WIRE_DOUBLE).double(value);
}

/** A packed repeated field of integers. */
export function writeIntegers(writer: Writer, field: number, values: readonly number[]): void {
  if (values.length === 0) return;
  writeNested(writer, field, (inner) => {
    for (const value of values) inner.int64(value);
  });
}

export function writeDoubles(writer: Writer, field: number, map: Readonly<Record<string, number>>): void {
  for (const [key, value] of Object.entries(map))
    writeNested(writer, field, (entry) => {
      writeString(entry, 1, key);
      writeDouble(entry, 2, value);
    });
}

/** How one field is read: the reader stands behind its tag. */
export type Fields = Readonly<Record<number, (reader: Reader, wireType: number) => void>>;

function readFields(reader: Reader, end: number, fields: Fields): void {
  while (reader.pos < end) {
    const tag = reader.uint32();
    const read = fields[tag >>> 3];
    if (read === undefined) reader.skipType(tag & 7);
    else read(reader, tag & 7);
  }
}

/** @throws ProtobufError for bytes that are cut, or that hold another kind of message */
export function readMessage(bytes: Uint8Array, fields: Fields): void {
  try {
    const reader = protobuf.Reader.create(bytes);
    readFields(reader, reader.len, fields);
  } catch (error) {
    throw new ProtobufError(`not a readable message: ${(error as Error).message}`, { cause: error });
  }
}

export function readNested(reader: Reader, fields: Fields): void {
  const end = reader.uint32() + reader.pos;
  if (end > reader.len) throw new RangeError("a nested message is longer than its parent");
  readFields(reader, end, fields);
}

/** Integers of a repeated field, packed or one by one. */
export function readIntegers(reader: Reader, wireType: number, into: number[]): void {
  if (wireType !== WIRE_BYTES) {
    into.push(Number(reader.int64()));
    return;
  }
  const end = reader.uint32() + reader.pos;
  while (reader.pos < end) into.push(Number(reader.int64()));
}

/** One entry of a map from text to double. */
export function readDoubleEntry(reader: Reader, into: Record<string, number>): void {
  let [key, value] = ["", 0];
  readNested(reader, { 1: (r) => (key = r.string()), 2: (r) => (value = r.double()) });
  into[key] = value;
}

export function packTensor(dtype: TensorDtype, data: readonly number[]): Uint8Array {
  return dtype === "int64" ? packInt64(data) : packFloat32(data);
}

/** @throws ProtobufError for an element type that no loss uses */
export function unpackTensor(dtype: number, bytes: Uint8Array): Pick<Tensor, "data" | "dtype"> {
  if (dtype === DTYPE_FLOAT32) return { dtype: "float32", data: unpackFloat32(bytes) };
  if (dtype === DTYPE_INT64) return { dtype: "int64", data: unpackInt64(bytes) };
  if (dtype === DTYPE_INT32) return { dtype: "int64", data: unpackInt32(bytes) };
  throw new ProtobufError(`element type ${dtype}: float32 (1), int64 (2) and int32 (3) are allowed`);
}
