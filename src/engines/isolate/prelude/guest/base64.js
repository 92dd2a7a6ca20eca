/* Base64 in plain JavaScript, both alphabets, as Buffer, atob and btoa need it. */
const {
  ArrayPrototypeJoin,
  ArrayPrototypePush,
  Int8Array,
  RegExpPrototypeSymbolReplace,
  StringFromCharCodeApply,
  StringPrototypeCharCodeAt,
  Uint8Array,
} = primordials;
const utf8 = require("guest/utf8");

const STANDARD = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const PAD = 61;
const VALUES = new Int8Array(128);
for (let i = 0; i < 128; i++) VALUES[i] = -1;
for (let i = 0; i < 64; i++)
  VALUES[StringPrototypeCharCodeAt(STANDARD, i)] = VALUES[StringPrototypeCharCodeAt(URL_SAFE, i)] = i;

exports.encode = (bytes, start, end, urlSafe) => {
  const alphabet = urlSafe ? URL_SAFE : STANDARD;
  const unit = (sextet) => StringPrototypeCharCodeAt(alphabet, sextet & 63);
  const parts = [];
  let units = [];
  for (let i = start; i < end; i += 3) {
    const left = end - i;
    const group = (bytes[i] << 16) | ((left > 1 ? bytes[i + 1] : 0) << 8) | (left > 2 ? bytes[i + 2] : 0);
    ArrayPrototypePush(units, unit(group >> 18), unit(group >> 12));
    if (left > 1) ArrayPrototypePush(units, unit(group >> 6));
    else if (!urlSafe) ArrayPrototypePush(units, PAD);
    if (left > 2) ArrayPrototypePush(units, unit(group));
    else if (!urlSafe) ArrayPrototypePush(units, PAD);
    if (units.length >= 4096) {
      ArrayPrototypePush(parts, StringFromCharCodeApply(units));
      units = [];
    }
  }
  ArrayPrototypePush(parts, StringFromCharCodeApply(units));
  return ArrayPrototypeJoin(parts, "");
};

/**
 * Fills `bytes` from `at`. As Node does, it skips what is not of the alphabet, ends at the first '=', and sees
 * the low byte only of each unit.
 */
exports.decode = (bytes, string, at, end) => {
  const start = at;
  let group = 0;
  let bits = 0;
  for (let i = 0; i < string.length && at < end; i++) {
    const unit = StringPrototypeCharCodeAt(string, i) & 255;
    if (unit === PAD) break;
    const value = unit < 128 ? VALUES[unit] : -1;
    if (value < 0) continue;
    group = ((group << 6) | value) & 0xffffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = (group >> bits) & 255;
    }
  }
  return at - start;
};

/** -1 when the string holds more than Latin-1. */
exports.btoa = (string) => {
  const bytes = new Uint8Array(string.length);
  for (let i = 0; i < string.length; i++) {
    const unit = StringPrototypeCharCodeAt(string, i);
    if (unit > 255) return -1;
    bytes[i] = unit;
  }
  return exports.encode(bytes, 0, bytes.length, false);
};

/** By the forgiving-base64 rules: -1 for a wrong length, -2 for a character not of the alphabet, -3 otherwise. */
exports.atob = (input) => {
  let string = RegExpPrototypeSymbolReplace(/[\t\n\f\r ]/g, input, "");
  if (string.length % 4 === 0) string = RegExpPrototypeSymbolReplace(/={1,2}$/, string, "");
  for (let i = 0; i < string.length; i++) {
    const unit = StringPrototypeCharCodeAt(string, i);
    if (unit > 127 || VALUES[unit] < 0 || unit === 45 || unit === 95) return -2;
  }
  if (string.length % 4 === 1) return -1;
  const bytes = new Uint8Array((string.length * 3) >> 2);
  return utf8.readLatin1(bytes, 0, exports.decode(bytes, string, 0, bytes.length));
};
