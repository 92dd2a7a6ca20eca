/* Hashes and random bytes come from the host as strings of bytes; keys and ciphers are not here. */
const { ArrayPrototypeJoin, ArrayPrototypePush, MathFloor, NumberIsSafeInteger, StringPrototypeSlice } =
  primordials;
const { Buffer } = require("buffer");
const { codes, genericNodeError } = require("internal/errors");
const { validateFunction, validateString } = require("internal/validators");
const { isArrayBufferView } = require("internal/util/types");

const RANDOM_BYTES_MAX = 65_536;
const INPUT_BYTES_MAX = 64 << 20;

function randomBuffer(size) {
  const parts = [];
  for (let left = size; left > 0; left -= RANDOM_BYTES_MAX)
    ArrayPrototypePush(
      parts,
      Buffer.from(host.random(left < RANDOM_BYTES_MAX ? left : RANDOM_BYTES_MAX), "latin1"),
    );
  return parts.length === 1 ? parts[0] : Buffer.concat(parts);
}

function latin1(data, encoding) {
  if (typeof data === "string") return Buffer.from(data, encoding).latin1Slice();
  if (!isArrayBufferView(data))
    throw new codes.ERR_INVALID_ARG_TYPE("data", ["string", "Buffer", "TypedArray", "DataView"], data);
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).latin1Slice();
}

class Digest {
  #ask;
  #parts;
  #bytes = 0;
  #isDone = false;
  constructor(ask, parts = []) {
    this.#ask = ask;
    this.#parts = parts;
  }
  update(data, encoding) {
    if (this.#isDone) throw new codes.ERR_CRYPTO_HASH_FINALIZED();
    const part = latin1(data, encoding);
    this.#bytes += part.length;
    if (this.#bytes > INPUT_BYTES_MAX)
      throw new codes.ERR_OUT_OF_RANGE("data", `at most ${INPUT_BYTES_MAX} bytes`, this.#bytes);
    ArrayPrototypePush(this.#parts, part);
    return this;
  }
  digest(encoding) {
    if (this.#isDone) throw new codes.ERR_CRYPTO_HASH_FINALIZED();
    this.#isDone = true;
    const bytes = Buffer.from(this.#ask(ArrayPrototypeJoin(this.#parts, "")), "latin1");
    return encoding === undefined || encoding === "buffer" ? bytes : bytes.toString(encoding);
  }
  copy() {
    const copy = new Digest(this.#ask, [...this.#parts]);
    return copy;
  }
}

function known(algorithm) {
  validateString(algorithm, "algorithm");
  if (host.hash(algorithm, "") === undefined)
    throw genericNodeError("Digest method not supported", { code: "ERR_CRYPTO_INVALID_DIGEST" });
}
exports.createHash = (algorithm) => {
  known(algorithm);
  return new Digest((data) => host.hash(algorithm, data));
};
exports.createHmac = (algorithm, key) => {
  known(algorithm);
  const secret = latin1(key);
  return new Digest((data) => host.hash(algorithm, data, secret));
};
exports.hash = (algorithm, data, encoding = "hex") =>
  exports.createHash(algorithm).update(data).digest(encoding);
exports.getHashes = () => ["md5", "sha1", "sha224", "sha256", "sha384", "sha512"];

exports.randomBytes = (size, callback) => {
  const bytes = randomBuffer(size);
  if (callback === undefined) return bytes;
  validateFunction(callback, "callback");
  process.nextTick(callback, null, bytes);
  return undefined;
};
exports.randomInt = (min, max, callback) => {
  const low = max === undefined || typeof max === "function" ? 0 : min;
  const high = max === undefined || typeof max === "function" ? min : max;
  const done = typeof max === "function" ? max : callback;
  if (!NumberIsSafeInteger(low)) throw new codes.ERR_INVALID_ARG_TYPE("min", "a safe integer", low);
  if (!NumberIsSafeInteger(high)) throw new codes.ERR_INVALID_ARG_TYPE("max", "a safe integer", high);
  if (high <= low) throw new codes.ERR_OUT_OF_RANGE("max", `greater than the value of "min" (${low})`, high);
  const drawn = low + MathFloor((randomBuffer(6).readUIntBE(0, 6) / 2 ** 48) * (high - low));
  if (done === undefined) return drawn;
  process.nextTick(done, undefined, drawn);
  return undefined;
};
exports.randomUUID = () => {
  const bytes = randomBuffer(16);
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = bytes.hexSlice();
  const part = (start, end) => StringPrototypeSlice(hex, start, end);
  return `${part(0, 8)}-${part(8, 12)}-${part(12, 16)}-${part(16, 20)}-${part(20)}`;
};
exports.getRandomValues = (view) => {
  if (!isArrayBufferView(view) || view.byteLength > RANDOM_BYTES_MAX)
    throw new codes.ERR_INVALID_ARG_TYPE("typedArray", "an integer TypedArray of at most 65536 bytes", view);
  randomBuffer(view.byteLength).copy(Buffer.from(view.buffer, view.byteOffset, view.byteLength));
  return view;
};
exports.randomFillSync = (view) => {
  randomBuffer(view.byteLength).copy(Buffer.from(view.buffer, view.byteOffset, view.byteLength));
  return view;
};
exports.timingSafeEqual = (a, b) => {
  if (a.byteLength !== b.byteLength) throw new codes.ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH();
  return Buffer.compare(a, b) === 0;
};
exports.webcrypto = { getRandomValues: exports.getRandomValues, randomUUID: exports.randomUUID };
