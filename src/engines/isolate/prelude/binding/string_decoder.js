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

/** Bytes that the character which `lead` begins has in all; 0 when it begins none. */
const utf8Length = (lead) =>
  (lead & 0xe0) === 0xc0 ? 2 : (lead & 0xf0) === 0xe0 ? 3 : (lead & 0xf8) === 0xf0 ? 4 : 0;

/** Bytes at the end that begin a character, and how many it lacks; malformed ones are left to the decoder. */
function unfinishedUtf8(bytes) {
  for (let held = 1; held <= 3 && held <= bytes.length; held++) {
    const byte = bytes[bytes.length - held];
    if ((byte & 0xc0) === 0x80) continue;
    const length = utf8Length(byte);
    return held < length ? [held, length - held] : [0, 0];
  }
  return [0, 0];
}

function unfinished(bytes, encoding) {
  const { length } = bytes;
  if (encoding === UTF8) return unfinishedUtf8(bytes);
  if (encoding === BASE64 || encoding === BASE64URL)
    return length % 3 === 0 ? [0, 0] : [length % 3, 3 - (length % 3)];
  if (encoding !== UTF16 || length === 0) return [0, 0];
  if (length % 2 === 1) return [1, 1];
  return (bytes[length - 1] & 0xfc) === 0xd8 ? [2, 2] : [0, 0];
}

function hold(state, bytes, [held, missing]) {
  TypedArrayPrototypeSet(state, TypedArrayPrototypeSubarray(bytes, bytes.length - held));
  state[exports.kBufferedBytes] = held;
  state[exports.kMissingBytes] = missing;
  return bytes.length - held;
}

/** Adds to the held character what it lacks; gives the bytes used and the text, if it is complete or broken off. */
function complete(state, bytes, encoding) {
  let missing = state[exports.kMissingBytes];
  let held = state[exports.kBufferedBytes];
  let used = 0;
  for (; used < bytes.length && missing > 0; used++, missing--) {
    if (encoding === UTF8 && (bytes[used] & 0xc0) !== 0x80) {
      missing = 0;
      break;
    }
    state[held++] = bytes[used];
  }
  state[exports.kBufferedBytes] = held;
  state[exports.kMissingBytes] = missing;
  if (missing > 0) return [used, ""];
  state[exports.kBufferedBytes] = 0;
  return [used, SLICES[encoding](state, 0, held)];
}

exports.decode = (state, view) => {
  const encoding = state[exports.kEncodingField];
  let bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  let text = "";
  while (state[exports.kMissingBytes] > 0 && bytes.length > 0) {
    const [used, completed] = complete(state, bytes, encoding);
    text += completed;
    bytes = TypedArrayPrototypeSubarray(bytes, used);
  }
  if (bytes.length === 0) return text;
  return text + SLICES[encoding](bytes, 0, hold(state, bytes, unfinished(bytes, encoding)));
};

exports.flush = (state) => {
  const held = state[exports.kBufferedBytes];
  const encoding = state[exports.kEncodingField];
  state[exports.kBufferedBytes] = state[exports.kMissingBytes] = 0;
  return SLICES[encoding](state, 0, encoding === UTF16 ? held - (held % 2) : held);
};
