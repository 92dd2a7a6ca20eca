/** `Content-Encoding: zstd` of request bodies. */
import { promisify } from "node:util";
import zlib from "node:zlib";

const compress = promisify(zlib.zstdCompress);
const decompress = promisify(zlib.zstdDecompress);

/** Level 1: float arrays hardly shrink further, and the loop waits for this. */
export function compressZstd(bytes: Uint8Array): Promise<Buffer> {
  return compress(bytes, { params: { [zlib.constants.ZSTD_c_compressionLevel]: 1 } });
}

/** @throws when the bytes are no zstd frame or hold more than `bytesMax` */
export function decompressZstd(bytes: Uint8Array, bytesMax: number): Promise<Buffer> {
  return decompress(bytes, { maxOutputLength: bytesMax });
}
