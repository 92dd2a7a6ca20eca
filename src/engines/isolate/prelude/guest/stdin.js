/* Standard input: all there from the start, text when the host found it to be UTF-8. */
const { StringPrototypeIndexOf, StringPrototypeSlice } = primordials;
const { asBytes, asText } = require("guest/files");

const CHUNK_BYTES = 65_536;
let content = "";
let text;
let lineAt = 0;

exports.set = (string) => {
  content = string;
};

/** What is left, as fs.readFileSync(0) finds it; a second read finds nothing. */
exports.readAll = () => {
  const all = content;
  content = "";
  return all;
};

/** The next line without its end, or null; for the readline() that contest programs expect. */
exports.readLine = () => {
  text ??= asText(exports.readAll());
  if (lineAt >= text.length) return null;
  const end = StringPrototypeIndexOf(text, "\n", lineAt);
  const line = StringPrototypeSlice(text, lineAt, end < 0 ? text.length : end);
  lineAt = end < 0 ? text.length : end + 1;
  return line;
};

/** process.stdin, made when first asked for. */
exports.createStream = () => {
  const { Readable } = require("stream");
  const { Buffer } = require("buffer");
  let bytes;
  let at = 0;
  const stream = new Readable({
    highWaterMark: CHUNK_BYTES,
    read() {
      bytes ??= asBytes(exports.readAll());
      if (at < bytes.length) {
        const end = at + CHUNK_BYTES < bytes.length ? at + CHUNK_BYTES : bytes.length;
        this.push(Buffer.from(bytes.buffer, bytes.byteOffset + at, end - at));
        at = end;
      } else this.push(null);
    },
  });
  stream.fd = 0;
  stream.ref = stream.unref = () => stream;
  return stream;
};
