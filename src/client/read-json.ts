/** A whole answer as the JSON that it is. */
import { brokenOff } from "./transport.ts";

/** @throws SandboxError `unreachable` when the answer breaks off, is too long or is not JSON. */
export async function readJson(body: AsyncIterable<unknown>, bytesMax: number): Promise<unknown> {
  try {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of body) {
      chunks.push(chunk as Buffer);
      bytes += (chunk as Buffer).length;
      if (bytes > bytesMax) throw new Error(`it is longer than ${bytesMax} bytes`);
    }
    return JSON.parse(
      (chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, bytes)).toString("utf8"),
    ) as unknown;
  } catch (error) {
    throw brokenOff(error);
  }
}
