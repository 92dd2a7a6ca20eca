/** Paths of a call's files: relative to the working directory, inside it, and usable as names. */
import { CALL_BOUNDS } from "../contract/call.ts";
import { SandboxError } from "../contract/errors.ts";

const SEGMENT_BYTES_MAX = 255;
const DEPTH_MAX = 32;

function refuse(pointer: string, path: string, what: string): never {
  const shown = JSON.stringify(path.length > 80 ? `${path.slice(0, 80)}…` : path);
  throw new SandboxError(
    "invalid_path",
    `${shown} ${what}; a path is relative to the working directory and stays inside it, e.g. "data/input.txt"`,
    { path: pointer },
  );
}

/**
 * The path without "." and doubled slashes.
 * @throws SandboxError `invalid_path` for anything that is not a name inside the working directory.
 */
export function normalisePath(path: string, pointer: string): string {
  if (path.startsWith("/")) refuse(pointer, path, "is absolute");
  // As UTF-8 all lone surrogates are the same character: two names would be one.
  if (!path.isWellFormed()) refuse(pointer, path, "holds half a character");
  if (path.includes("\0")) refuse(pointer, path, "holds a NUL character");
  if (Buffer.byteLength(path) > CALL_BOUNDS.pathBytesMax)
    refuse(pointer, path, `is longer than ${CALL_BOUNDS.pathBytesMax} bytes`);
  const segments = path.split("/").filter((segment) => segment !== "" && segment !== ".");
  if (segments.includes("..")) refuse(pointer, path, 'climbs with ".."');
  if (segments.length === 0 || path.endsWith("/")) refuse(pointer, path, "names no file");
  if (segments.length > DEPTH_MAX) refuse(pointer, path, `is deeper than ${DEPTH_MAX} directories`);
  if (segments.some((segment) => Buffer.byteLength(segment) > SEGMENT_BYTES_MAX))
    refuse(pointer, path, `has a name longer than ${SEGMENT_BYTES_MAX} bytes`);
  return segments.join("/");
}

/** @throws SandboxError when two of the paths are one. */
export function checkDistinct(paths: readonly string[], pointer: string): void {
  const seen = new Set<string>();
  for (const path of paths) {
    if (seen.has(path)) refuse(pointer, path, "is given twice, or is taken by the program itself");
    seen.add(path);
  }
}

/** @throws SandboxError when the paths cannot all be files: two are one, or one is a directory of another. */
export function checkAllFiles(paths: readonly string[], pointer: string): void {
  checkDistinct(paths, pointer);
  const files = new Set(paths);
  for (const path of paths) {
    for (let slash = path.indexOf("/"); slash >= 0; slash = path.indexOf("/", slash + 1)) {
      if (files.has(path.slice(0, slash)))
        refuse(pointer, path, `lies below ${JSON.stringify(path.slice(0, slash))}, which is a file`);
    }
  }
}
