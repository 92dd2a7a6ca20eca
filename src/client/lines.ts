/** Splits a stream of bytes into lines; bytes are decoded once, when their line is complete. */

/**
 * @param lineBytesMax a line longer than that is an error, so that a peer cannot make us keep without bound
 */
export async function* readLines(
  chunks: AsyncIterable<Uint8Array>,
  lineBytesMax: number,
): AsyncGenerator<string> {
  let parts: Buffer[] = [];
  let partBytes = 0;
  for await (const bytes of chunks) {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let start = 0;
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, start)) {
      const end = chunk.subarray(start, at);
      start = at + 1;
      yield parts.length === 0 ? end.toString("utf8") : Buffer.concat([...parts, end]).toString("utf8");
      parts = [];
      partBytes = 0;
    }
    if (start === chunk.length) continue;
    parts.push(chunk.subarray(start));
    partBytes += chunk.length - start;
    if (partBytes > lineBytesMax)
      throw new Error(`a line of the answer is longer than ${lineBytesMax} bytes`);
  }
  if (partBytes > 0) yield Buffer.concat(parts).toString("utf8");
}
