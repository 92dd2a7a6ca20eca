/* UTF-8 in plain JavaScript, shared by Buffer, the text coders and the program's output. */
const {
  ArrayPrototypeJoin,
  ArrayPrototypePush: push,
  StringFromCharCodeApply,
  StringPrototypeCharCodeAt,
} = primordials;

const REPLACEMENT = 0xfffd;
/** Arguments of one fromCharCode call; well under what the smallest stack holds. */
const CHUNK = 4096;

/** Code point of `string` at `i`; a lone surrogate is U+FFFD. Above 0xffff it took two units. */
function codePointAt(string, i) {
  const unit = StringPrototypeCharCodeAt(string, i);
  if (unit < 0xd800 || unit > 0xdfff) return unit;
  if (unit > 0xdbff || i + 1 === string.length) return REPLACEMENT;
  const low = StringPrototypeCharCodeAt(string, i + 1);
  return low >= 0xdc00 && low <= 0xdfff ? 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00) : REPLACEMENT;
}

exports.byteLength = (string) => {
  let bytes = 0;
  for (let i = 0; i < string.length; i++) {
    const unit = StringPrototypeCharCodeAt(string, i);
    if (unit < 0x80) bytes += 1;
    else if (unit < 0x800) bytes += 2;
    else if (codePointAt(string, i) > 0xffff) {
      bytes += 4;
      i++;
    } else bytes += 3;
  }
  return bytes;
};

/** Fills `bytes` from `at`, never past `end` nor with a part of a character. */
exports.write = (bytes, string, at, end) => {
  const start = at;
  let i = 0;
  for (; i < string.length && at < end; i++) {
    const unit = StringPrototypeCharCodeAt(string, i);
    if (unit < 0x80) {
      bytes[at++] = unit;
    } else if (unit < 0x800) {
      if (at + 2 > end) break;
      bytes[at++] = 0xc0 | (unit >> 6);
      bytes[at++] = 0x80 | (unit & 63);
    } else {
      const point = codePointAt(string, i);
      if (at + (point > 0xffff ? 4 : 3) > end) break;
      if (point > 0xffff) {
        bytes[at++] = 0xf0 | (point >> 18);
        bytes[at++] = 0x80 | ((point >> 12) & 63);
        i++;
      } else {
        bytes[at++] = 0xe0 | (point >> 12);
      }
      bytes[at++] = 0x80 | ((point >> 6) & 63);
      bytes[at++] = 0x80 | (point & 63);
    }
  }
  return { read: i, written: at - start };
};

/** Lowest and highest second byte after each lead byte of three or four, by the Unicode standard's table 3-7. */
const secondMin = (lead) => (lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80);
const secondMax = (lead) => (lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf);

/** Bytes of the well-formed sequence at `i`, or minus the number of bytes that one U+FFFD stands for. */
function sequenceLength(bytes, i, end) {
  const lead = bytes[i];
  if (lead < 0x80) return 1;
  const length =
    lead >= 0xc2 && lead <= 0xdf
      ? 2
      : lead >= 0xe0 && lead <= 0xef
        ? 3
        : lead >= 0xf0 && lead <= 0xf4
          ? 4
          : 0;
  if (length === 0) return -1;
  for (let k = 1; k < length; k++) {
    const byte = i + k < end ? bytes[i + k] : 0;
    if (byte < (k === 1 ? secondMin(lead) : 0x80) || byte > (k === 1 ? secondMax(lead) : 0xbf)) return -k;
  }
  return length;
}

exports.isWellFormed = (bytes) => {
  for (let i = 0; i < bytes.length;) {
    const length = sequenceLength(bytes, i, bytes.length);
    if (length < 0) return false;
    i += length;
  }
  return true;
};

/** Text of bytes [start, end); malformed ones become U+FFFD as the Encoding standard asks. */
exports.read = (bytes, start, end) => {
  const parts = [];
  let units = [];
  for (let i = start; i < end;) {
    const length = sequenceLength(bytes, i, end);
    if (length === 1) push(units, bytes[i]);
    else if (length === 2) push(units, ((bytes[i] & 31) << 6) | (bytes[i + 1] & 63));
    else if (length === 3)
      push(units, ((bytes[i] & 15) << 12) | ((bytes[i + 1] & 63) << 6) | (bytes[i + 2] & 63));
    else if (length === 4) {
      const point =
        (((bytes[i] & 7) << 18) |
          ((bytes[i + 1] & 63) << 12) |
          ((bytes[i + 2] & 63) << 6) |
          (bytes[i + 3] & 63)) -
        0x10000;
      push(units, 0xd800 + (point >> 10), 0xdc00 + (point & 0x3ff));
    } else push(units, REPLACEMENT);
    i += length < 0 ? -length : length;
    if (units.length >= CHUNK) {
      push(parts, StringFromCharCodeApply(units));
      units = [];
    }
  }
  push(parts, StringFromCharCodeApply(units));
  return parts.length === 1 ? parts[0] : ArrayPrototypeJoin(parts, "");
};

/** Text of one unit for each byte. */
exports.readLatin1 = (bytes, start, end, mask = 0xff) => {
  const parts = [];
  for (let at = start; at < end; at += CHUNK) {
    const stop = at + CHUNK < end ? at + CHUNK : end;
    const units = [];
    for (let i = at; i < stop; i++) units[i - at] = bytes[i] & mask;
    push(parts, StringFromCharCodeApply(units));
  }
  return ArrayPrototypeJoin(parts, "");
};
