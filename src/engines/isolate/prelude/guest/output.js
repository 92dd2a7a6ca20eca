/*
 * What the program writes, straight into memory that it shares with the host: the first half of the cap, then
 * a ring of the last half, then counters. So nothing grows, and what was written before an endless loop or a
 * crash of the isolate is kept. The layout is that of capture.ts.
 */
const {
  AtomicsStore,
  Int32Array,
  StringPrototypeCharCodeAt,
  StringPrototypeSlice,
  TypedArrayPrototypeSet,
  TypedArrayPrototypeSubarray,
  Uint8Array,
} = primordials;
const utf8 = require("guest/utf8");

const HEADER_BYTES = 64;
/** Units encoded at a time; three bytes each at most. */
const CHUNK_UNITS = 16_384;
const BYTES_OF_UNIT = 3;
/** Most lines fit; every isolate starts with two copies of what is made here. */
const SHORT_UNITS = 256;
const WRITTEN_PER_KEPT = 4;

let scratch = new Uint8Array(SHORT_UNITS * BYTES_OF_UNIT);
/** Place among the counters of the mark that the program has come to its end and only waits to be ended. */
const HALTED = 2;
let counters;
let streams;
let cap = 0;

exports.attach = (shared, outputBytes) => {
  const headBytes = outputBytes - (outputBytes >> 1);
  const tailBytes = outputBytes >> 1;
  counters = new Int32Array(shared, 0, HEADER_BYTES / 4);
  const stream = (index) => {
    const at = HEADER_BYTES + index * outputBytes;
    return {
      index,
      total: 0,
      head: new Uint8Array(shared, at, headBytes),
      tail: new Uint8Array(shared, at + headBytes, tailBytes),
    };
  };
  streams = [stream(0), stream(1)];
  cap = outputBytes * WRITTEN_PER_KEPT;
};

exports.markHalted = () => AtomicsStore(counters, HALTED, 1);

function copy(bytes, length, target, at) {
  TypedArrayPrototypeSet(
    target,
    length === bytes.length ? bytes : TypedArrayPrototypeSubarray(bytes, 0, length),
    at,
  );
}

function keep(stream, bytes, length) {
  const { head, tail, total } = stream;
  const toHead = total >= head.length ? 0 : length < head.length - total ? length : head.length - total;
  if (toHead > 0) copy(bytes, toHead, head, total);
  for (let done = toHead; done < length;) {
    const at = (total + done - head.length) % tail.length;
    const run = length - done < tail.length - at ? length - done : tail.length - at;
    TypedArrayPrototypeSet(tail, TypedArrayPrototypeSubarray(bytes, done, done + run), at);
    done += run;
  }
  stream.total = total + length;
  AtomicsStore(counters, stream.index, stream.total);
}

function put(stream, bytes, length) {
  const room = cap - stream.total;
  keep(stream, bytes, length < room ? length : room);
  if (length > room) require("guest/finish").endForOutput();
}

/** Writes a string as UTF-8, or the bytes of a view, to file descriptor 1 or 2. */
exports.write = (fd, data) => {
  const stream = streams[fd - 1];
  if (typeof data !== "string") return put(stream, data, data.length);
  if (data.length > SHORT_UNITS && scratch.length < CHUNK_UNITS * BYTES_OF_UNIT)
    scratch = new Uint8Array(CHUNK_UNITS * BYTES_OF_UNIT);
  for (let at = 0; at < data.length;) {
    let end = at + CHUNK_UNITS < data.length ? at + CHUNK_UNITS : data.length;
    const last = StringPrototypeCharCodeAt(data, end - 1);
    if (end < data.length && last >= 0xd800 && last <= 0xdbff) end--;
    put(
      stream,
      scratch,
      utf8.write(
        scratch,
        end - at === data.length ? data : StringPrototypeSlice(data, at, end),
        0,
        scratch.length,
      ).written,
    );
    at = end;
  }
  return undefined;
};
