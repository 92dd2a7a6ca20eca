/* Node's `string_decoder` binding: the state lives in the buffer that lib/string_decoder.js hands over. */
const { TypedArrayPrototypeSet, TypedArrayPrototypeSubarray, Uint8Array } = primordials;
const { utf8Slice, ucs2Slice, base64Slice, base64urlSlice, asciiSlice, latin1Slice, hexSlice } =
  internalBinding("buffer");

exports.encodings = ["ascii", "utf8", "base64", "utf16le", "latin1", "hex", "buffer", "base64url"];
const SLICES = [
  asciiSlice,
  utf8Slice,
  base64Slice,
  ucs2Slice,
  latin1Slice,
  hexSlice,
  latin1Slice,
  base64urlSlice,
];
const UTF8 = 1;
const BASE64 = 2;
const UTF16 = 3;
const BASE64URL = 7;

exports.kIncompleteCharactersStart = 0;
exports.kIncompleteCharactersEnd = 4;
exports.kMissingBytes = 4;
exports.kBufferedBytes = 5;
exports.kEncodingField = 6;
exports.kNumFields = 7;
exports.kSize = 7;

/** Bytes at the end of `bytes` that begin a character whose rest has yet to come. */
function unfinished(bytes, encoding) {
  if (encoding === BASE64 || encoding === BASE64URL) return bytes.length % 3;
  if (encoding === UTF16) {
    const odd = bytes.length % 2;
    const high = bytes[bytes.length - odd - 1];
    return odd + (bytes.length - odd >= 2 && high >= 0xd8 && high <= 0xdb ? 2 : 0);
  }
  if (encoding !== UTF8) return 0;
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back];
    if (byte >= 0xc0) return back < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? back : 0;
    if (byte < 0x80) return 0;
  }
  return 0;
}

function missing(bytes, encoding) {
  if (encoding === UTF8) return (bytes[0] >= 0xf0 ? 4 : bytes[0] >= 0xe0 ? 3 : 2) - bytes.length;
  return encoding === UTF16 ? (bytes.length % 2 === 1 ? 1 : 2) : 3 - bytes.length;
}

exports.decode = (state, view) => {
  const held = state[exports.kBufferedBytes];
  const encoding = state[exports.kEncodingField];
  const bytes = new Uint8Array(held + view.byteLength);
  TypedArrayPrototypeSet(bytes, TypedArrayPrototypeSubarray(state, 0, held));
  TypedArrayPrototypeSet(bytes, new Uint8Array(view.buffer, view.byteOffset, view.byteLength), held);
  const rest = unfinished(bytes, encoding);
  const tail = TypedArrayPrototypeSubarray(bytes, bytes.length - rest);
  TypedArrayPrototypeSet(state, tail);
  state[exports.kBufferedBytes] = rest;
  state[exports.kMissingBytes] = rest === 0 ? 0 : missing(tail, encoding);
  return SLICES[encoding](bytes, 0, bytes.length - rest);
};

exports.flush = (state) => {
  const held = state[exports.kBufferedBytes];
  const encoding = state[exports.kEncodingField];
  state[exports.kBufferedBytes] = state[exports.kMissingBytes] = 0;
  return SLICES[encoding](state, 0, encoding === UTF16 ? held - (held % 2) : held);
};
