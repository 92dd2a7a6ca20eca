/** From captured bytes to the text of a Result: cut in the middle, with a mark, never inside a character. */
import type { Captured } from "./ports.ts";

export interface RenderedOutput {
  readonly text: string;
  /** Bytes that are missing in the middle. */
  readonly dropped: number;
}

/** What stands in place of the bytes that are missing. */
export function truncationMark(dropped: number): string {
  return `\n[... ${dropped} bytes left out ...]\n`;
}

const UTF8_BYTES_MAX = 4;

/** Length of `bytes` without a character that was cut off at its end. */
function wholeCharactersEnd(bytes: Buffer): number {
  for (let back = 1; back < UTF8_BYTES_MAX && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back] as number;
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}

/** Index of the first byte that does not continue a character from before. */
function wholeCharactersStart(bytes: Buffer): number {
  let start = 0;
  while (start < bytes.length && start < UTF8_BYTES_MAX - 1 && ((bytes[start] as number) & 0xc0) === 0x80)
    start++;
  return start;
}

export function renderOutput(captured: Captured, encoding: "utf8" | "base64"): RenderedOutput {
  const { head, tail, totalBytes } = captured;
  if (head.length + tail.length >= totalBytes) {
    const all = tail.length === 0 ? head : Buffer.concat([head, tail]);
    return { text: all.toString(encoding), dropped: 0 };
  }
  if (encoding === "base64") {
    const dropped = totalBytes - head.length - tail.length;
    return {
      text: Buffer.concat([head, Buffer.from(truncationMark(dropped)), tail]).toString("base64"),
      dropped,
    };
  }
  const kept = head.subarray(0, wholeCharactersEnd(head));
  const rest = tail.subarray(wholeCharactersStart(tail));
  const dropped = totalBytes - kept.length - rest.length;
  return { text: kept.toString("utf8") + truncationMark(dropped) + rest.toString("utf8"), dropped };
}
