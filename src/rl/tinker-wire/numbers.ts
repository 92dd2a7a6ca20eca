/**
 * Arrays of numbers as the protocol packs them: raw little-endian bytes of int32, float32 or int64, read and written
 * by word so that neither the machine's byte order nor a buffer's alignment matters.
 */

/** A field of packed numbers does not hold a whole number of them, or one that is out of reach. */
export class PackedNumbersError extends Error {
  override readonly name = "PackedNumbersError";
}

const INT64_WORD = 2 ** 32;

function view(bytes: Uint8Array, size: number): DataView {
  if (bytes.byteLength % size !== 0)
    throw new PackedNumbersError(`${bytes.byteLength} bytes are no whole number of ${size}-byte numbers`);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function packInt32(values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  const words = new DataView(bytes.buffer);
  for (const [index, value] of values.entries()) words.setInt32(index * 4, value, true);
  return bytes;
}

export function unpackInt32(bytes: Uint8Array): number[] {
  const words = view(bytes, 4);
  return Array.from({ length: bytes.byteLength / 4 }, (_, index) => words.getInt32(index * 4, true));
}

export function packFloat32(values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  const words = new DataView(bytes.buffer);
  for (const [index, value] of values.entries()) words.setFloat32(index * 4, value, true);
  return bytes;
}

export function unpackFloat32(bytes: Uint8Array): number[] {
  const words = view(bytes, 4);
  return Array.from({ length: bytes.byteLength / 4 }, (_, index) => words.getFloat32(index * 4, true));
}

/** @param values whole numbers within the safe range of JavaScript */
export function packInt64(values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 8);
  const words = new DataView(bytes.buffer);
  for (const [index, value] of values.entries()) {
    const high = Math.floor(value / INT64_WORD);
    words.setUint32(index * 8, value - high * INT64_WORD, true);
    words.setInt32(index * 8 + 4, high, true);
  }
  return bytes;
}

/** @throws PackedNumbersError for a value beyond the safe range of JavaScript */
export function unpackInt64(bytes: Uint8Array): number[] {
  const words = view(bytes, 8);
  return Array.from({ length: bytes.byteLength / 8 }, (_, index) => {
    const value = words.getUint32(index * 8, true) + words.getInt32(index * 8 + 4, true) * INT64_WORD;
    if (!Number.isSafeInteger(value)) throw new PackedNumbersError(`${value} is too large for an id`);
    return value;
  });
}
