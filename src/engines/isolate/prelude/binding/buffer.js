/* Node's `buffer` binding in plain JavaScript. Every function takes a Uint8Array first, as Node's do. */
const {
  ArrayBuffer,
  ArrayPrototypeJoin,
  ArrayPrototypePush,
  NumberPrototypeToString,
  StringFromCharCodeApply,
  StringPrototypeCharCodeAt,
  StringPrototypePadStart,
  TypedArrayPrototypeGetLength,
  TypedArrayPrototypeIndexOf,
  TypedArrayPrototypeLastIndexOf,
  TypedArrayPrototypeReverse,
  TypedArrayPrototypeSet,
  TypedArrayPrototypeSubarray,
  Uint8Array,
} = primordials;
const utf8 = require("guest/utf8");
const base64 = require("guest/base64");

exports.kMaxLength = 2 ** 53 - 1;
exports.kStringMaxLength = 2 ** 29 - 24;
exports.createUnsafeArrayBuffer = (size) => new ArrayBuffer(size);
exports.setDetachKey = () => undefined;
exports.setBufferPrototype = () => undefined;
exports.getZeroFillToggle = () => undefined;

const ranged =
  (read) =>
  (bytes, start = 0, end = bytes.length) => {
    const stop = end > bytes.length ? bytes.length : end;
    return start >= stop ? "" : read(bytes, start, stop);
  };
exports.utf8Slice = ranged(utf8.read);
exports.latin1Slice = ranged(utf8.readLatin1);
exports.asciiSlice = ranged((bytes, start, end) => utf8.readLatin1(bytes, start, end, 0x7f));
exports.hexSlice = ranged((bytes, start, end) => {
  const parts = [];
  for (let i = start; i < end; i++)
    ArrayPrototypePush(parts, StringPrototypePadStart(NumberPrototypeToString(bytes[i], 16), 2, "0"));
  return ArrayPrototypeJoin(parts, "");
});
exports.ucs2Slice = ranged((bytes, start, end) => {
  const parts = [];
  for (let at = start; at + 1 < end; at += 8192) {
    const units = [];
    for (let i = at; i < at + 8192 && i + 1 < end; i += 2)
      ArrayPrototypePush(units, bytes[i] | (bytes[i + 1] << 8));
    ArrayPrototypePush(parts, StringFromCharCodeApply(units));
  }
  return ArrayPrototypeJoin(parts, "");
});
exports.base64Slice = ranged((bytes, start, end) => base64.encode(bytes, start, end, false));
exports.base64urlSlice = ranged((bytes, start, end) => base64.encode(bytes, start, end, true));

const bounded =
  (write) =>
  (bytes, string, offset = 0, length = bytes.length - offset) => {
    const room = bytes.length - offset;
    return write(bytes, string, offset, offset + (length < room ? length : room));
  };
exports.utf8WriteStatic = bounded((bytes, string, at, end) => utf8.write(bytes, string, at, end).written);
exports.latin1WriteStatic = bounded((bytes, string, at, end) => {
  const count = string.length < end - at ? string.length : end - at;
  for (let i = 0; i < count; i++) bytes[at + i] = StringPrototypeCharCodeAt(string, i);
  return count;
});
exports.asciiWriteStatic = exports.latin1WriteStatic;
exports.ucs2Write = bounded((bytes, string, at, end) => {
  const start = at;
  for (let i = 0; i < string.length && at + 2 <= end; i++) {
    const unit = StringPrototypeCharCodeAt(string, i);
    bytes[at++] = unit & 255;
    bytes[at++] = unit >> 8;
  }
  return at - start;
});
const nibble = (unit) =>
  unit >= 48 && unit <= 57 ? unit - 48 : (unit | 32) >= 97 && (unit | 32) <= 102 ? (unit | 32) - 87 : -1;
exports.hexWrite = bounded((bytes, string, at, end) => {
  const start = at;
  for (let i = 0; i + 1 < string.length && at < end; i += 2) {
    const high = nibble(StringPrototypeCharCodeAt(string, i) & 255);
    const low = nibble(StringPrototypeCharCodeAt(string, i + 1) & 255);
    if (high < 0 || low < 0) break;
    bytes[at++] = (high << 4) | low;
  }
  return at - start;
});
exports.base64Write = bounded((bytes, string, at, end) => base64.decode(bytes, string, at, end));
exports.base64urlWrite = exports.base64Write;
exports.btoa = base64.btoa;
exports.atob = base64.atob;

exports.byteLengthUtf8 = utf8.byteLength;
exports.isUtf8 = (view) =>
  utf8.isWellFormed(new Uint8Array(view.buffer ?? view, view.byteOffset ?? 0, view.byteLength));
exports.isAscii = (view) => {
  const bytes = new Uint8Array(view.buffer ?? view, view.byteOffset ?? 0, view.byteLength);
  for (let i = 0; i < bytes.length; i++) if (bytes[i] > 127) return false;
  return true;
};

exports.compare = (a, b) => {
  const length = a.length < b.length ? a.length : b.length;
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i] < b[i] ? -1 : 1;
  return a.length === b.length ? 0 : a.length < b.length ? -1 : 1;
};
exports.compareOffset = (source, target, targetStart, sourceStart, targetEnd, sourceEnd) =>
  exports.compare(
    TypedArrayPrototypeSubarray(source, sourceStart, sourceEnd),
    TypedArrayPrototypeSubarray(target, targetStart, targetEnd),
  );
exports.copy = (source, target, targetStart, sourceStart, count) => {
  const from = new Uint8Array(source.buffer, source.byteOffset + sourceStart, count);
  TypedArrayPrototypeSet(
    new Uint8Array(target.buffer, target.byteOffset, target.byteLength),
    from,
    targetStart,
  );
  return count;
};
exports.copyArrayBuffer = (to, toStart, from, fromStart, count) =>
  TypedArrayPrototypeSet(new Uint8Array(to), new Uint8Array(from, fromStart, count), toStart);

exports.fill = (bytes, value, start, end, encoding) => {
  if (start > end || end > bytes.length) return -2;
  const pattern = typeof value === "string" ? require("buffer").Buffer.from(value, encoding) : value;
  const length = TypedArrayPrototypeGetLength(pattern);
  if (length === 0) return -1;
  for (let at = start; at < end; at++) bytes[at] = pattern[(at - start) % length];
  return 0;
};

/** Where a search starts, or -1 when nothing can be found from there; as Node's IndexOfOffset. */
function searchStart(length, offset, needle, forward) {
  if (offset < 0) {
    if (offset + length >= 0) return offset + length;
    return forward || needle === 0 ? 0 : -1;
  }
  if (offset + needle <= length) return offset;
  if (needle === 0) return length;
  return forward ? -1 : length - 1;
}
exports.indexOfNumber = (bytes, value, offset, forward) => {
  const at = searchStart(bytes.length, offset, 1, forward);
  if (at < 0 || bytes.length === 0) return -1;
  return forward
    ? TypedArrayPrototypeIndexOf(bytes, value & 255, at)
    : TypedArrayPrototypeLastIndexOf(bytes, value & 255, at);
};
exports.indexOfBuffer = (bytes, needle, offset, encoding, forward) => {
  const start = searchStart(bytes.length, offset, needle.length, forward);
  if (start < 0) return -1;
  if (needle.length === 0) return start;
  const last = bytes.length - needle.length;
  for (
    let at = start > last ? (forward ? last + 1 : last) : start;
    at >= 0 && at <= last;
    at += forward ? 1 : -1
  ) {
    let i = 0;
    while (i < needle.length && bytes[at + i] === needle[i]) i++;
    if (i === needle.length) return at;
  }
  return -1;
};
exports.indexOfString = (bytes, string, offset, encoding, forward) =>
  exports.indexOfBuffer(
    bytes,
    require("buffer").Buffer.from(string, internalBinding("string_decoder").encodings[encoding]),
    offset,
    encoding,
    forward,
  );

const swap = (size) => (bytes) => {
  for (let at = 0; at < bytes.length; at += size)
    TypedArrayPrototypeReverse(TypedArrayPrototypeSubarray(bytes, at, at + size));
  return bytes;
};
exports.swap16 = swap(2);
exports.swap32 = swap(4);
exports.swap64 = swap(8);
