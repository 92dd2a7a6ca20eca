/* The working directory: an in-memory map from absolute path to text or bytes. */
const {
  ArrayPrototypePush,
  ArrayPrototypeSort,
  SafeMap,
  SafeSet,
  StringPrototypeIndexOf,
  StringPrototypeSlice,
  StringPrototypeStartsWith,
  Uint8Array,
} = primordials;
const utf8 = require("guest/utf8");

const ROOT = "/work";
const FILES_BYTES_MAX = 256 << 20;

const files = new SafeMap();
const directories = new SafeSet(["/", ROOT, "/tmp", "/dev"]);
let bytesHeld = 0;

const sizeOf = (content) => content.length;

exports.resolve = (path) => require("path").posix.resolve(ROOT, path);
exports.read = (path) => files.get(path);
exports.isDirectory = (path) => directories.has(path);
exports.makeDirectory = (path) => {
  for (let at = path; at !== "/"; at = require("path").posix.dirname(at)) directories.add(at);
};
/** Stores text or bytes; false when there is no room. */
exports.write = (path, content) => {
  const grown = bytesHeld - sizeOf(files.get(path) ?? "") + sizeOf(content);
  if (grown > FILES_BYTES_MAX) return false;
  bytesHeld = grown;
  files.set(path, content);
  return true;
};
exports.remove = (path) => {
  bytesHeld -= sizeOf(files.get(path) ?? "");
  return files.delete(path) || directories.delete(path);
};

/** Names in a directory, sorted. */
exports.list = (path) => {
  const prefix = path === "/" ? "/" : `${path}/`;
  const names = new SafeSet();
  const add = (entry) => {
    if (entry === path || !StringPrototypeStartsWith(entry, prefix)) return;
    const slash = StringPrototypeIndexOf(entry, "/", prefix.length);
    names.add(StringPrototypeSlice(entry, prefix.length, slash < 0 ? entry.length : slash));
  };
  files.forEach((_, entry) => add(entry));
  directories.forEach((entry) => add(entry));
  const listed = [];
  names.forEach((name) => ArrayPrototypePush(listed, name));
  return ArrayPrototypeSort(listed);
};

/** Text of a file whatever it was stored as. */
exports.asText = (content) => (typeof content === "string" ? content : utf8.read(content, 0, content.length));
/** Bytes of a file whatever it was stored as. */
exports.asBytes = (content) => {
  if (typeof content !== "string") return content;
  const bytes = new Uint8Array(utf8.byteLength(content));
  utf8.write(bytes, content, 0, bytes.length);
  return bytes;
};
/** A string from the host: text when it was UTF-8, else one unit for each byte. */
exports.fromHost = (string, isText) => {
  if (isText) return string;
  const bytes = new Uint8Array(string.length);
  internalBinding("buffer").latin1WriteStatic(bytes, string, 0, bytes.length);
  return bytes;
};

/** A collected file as the host takes it. */
exports.collected = (path) => {
  const absolute = exports.resolve(path);
  const content = files.get(absolute);
  if (content === undefined)
    return { kind: exports.isDirectory(absolute) ? "not_a_regular_file" : "not_found", content: "" };
  return typeof content === "string"
    ? { kind: "text", content }
    : { kind: "bytes", content: utf8.readLatin1(content, 0, content.length) };
};
