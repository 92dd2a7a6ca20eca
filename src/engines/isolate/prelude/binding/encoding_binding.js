/* What TextEncoder and TextDecoder ask of Node's native side. */
const { Uint32Array, Uint8Array } = primordials;
const utf8 = require("guest/utf8");
const { codes } = require("internal/errors");

exports.encodeIntoResults = new Uint32Array(2);
exports.encodeInto = (source, target) => {
  const { read, written } = utf8.write(target, source, 0, target.length);
  exports.encodeIntoResults[0] = read;
  exports.encodeIntoResults[1] = written;
};
exports.encodeUtf8String = (string) => {
  const bytes = new Uint8Array(utf8.byteLength(string));
  utf8.write(bytes, string, 0, bytes.length);
  return bytes;
};
exports.decodeUTF8 = (input, ignoreBom, fatal) => {
  const view =
    input.buffer === undefined
      ? new Uint8Array(input)
      : new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
  if (fatal && !utf8.isWellFormed(view))
    throw new codes.ERR_ENCODING_INVALID_ENCODED_DATA("utf-8", undefined);
  const marked = !ignoreBom && view.length >= 3 && view[0] === 0xef && view[1] === 0xbb && view[2] === 0xbf;
  return utf8.read(view, marked ? 3 : 0, view.length);
};
exports.toASCII = (domain) => domain;
exports.toUnicode = (domain) => domain;
