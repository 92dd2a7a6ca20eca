/** Where things are: every path of the bootstrap is relative to the top of the repository. */
import crypto from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");

export function fromRoot(relative) {
  return path.join(root, relative);
}

/** A hash over strings, in order; the key under which a finished step is remembered. */
export function keyOf(...parts) {
  const hash = crypto.createHash("sha256");
  for (const part of parts) hash.update(part).update("\0");
  return hash.digest("hex");
}

/** Remembers that step `name` was done for `key`. */
export function stamp(name, key) {
  const file = fromRoot(`.rollcall/stamps/${name}`);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, key);
}

/** Whether step `name` was done for exactly `key`. */
export function isStamped(name, key) {
  return readIfThere(fromRoot(`.rollcall/stamps/${name}`)) === key;
}

/** The text of a file, or null when there is none. */
export function readIfThere(file) {
  try {
    return fs.readFileSync(file, "utf8");
  } catch (error) {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return null;
    throw error;
  }
}
