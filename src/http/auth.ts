/**
 * Bearer keys. What is kept of a key is its SHA-256; a presented key is hashed and compared with all of
 * them, each in constant time, so that neither its length nor how much of it is right shows in the time.
 */
import { hash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { BlockList, isIP } from "node:net";
import type { Key } from "../config/schema.ts";

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");

function isLoopback(host: string): boolean {
  const family = isIP(host);
  return family === 0 ? host === "localhost" : LOOPBACK.check(host, family === 4 ? "ipv4" : "ipv6");
}

/** @throws Error when a server on `host` with these keys would be open to other machines. */
export function assertGuarded(host: string, keys: readonly Key[]): void {
  if (keys.length > 0 || isLoopback(host)) return;
  throw new Error(
    `refusing to listen on ${host} without keys: anyone who reaches it could run programs. Set http.keys or http.keysFile, or listen on 127.0.0.1`,
  );
}

/** @throws Error when adapters that ask for no key would be open to other machines. */
export function assertOpenable(host: string): void {
  if (!isLoopback(host))
    throw new Error(`wire.open is for a loopback http.host only, not for ${host}: its routes ask for no key`);
}

/**
 * The key of a client that was written for another system, as a bearer header. Most can only be told a URL, and
 * turn `http://name:key@host` into basic authentication; some send `x-api-key`.
 */
export function bearerOf(headers: IncomingHttpHeaders): string | undefined {
  const apiKey = headers["x-api-key"];
  if (typeof apiKey === "string") return `Bearer ${apiKey}`;
  const basic = /^Basic +([A-Za-z0-9+/=]+) *$/i.exec(headers.authorization ?? "")?.[1];
  if (basic === undefined) return headers.authorization;
  const pair = Buffer.from(basic, "base64").toString("utf8");
  return `Bearer ${pair.slice(pair.indexOf(":") + 1)}`;
}

/** The name of the key in an `authorization` header, or null when it holds none that is known. */
export type Authenticate = (authorization: string | undefined) => string | null;

/** Null when there are no keys: then nobody is asked for one. */
export function createAuthenticate(keys: readonly Key[]): Authenticate | null {
  if (keys.length === 0) return null;
  const known = keys.map(({ name, key }) => ({ name, digest: hash("sha256", key, "buffer") }));
  return (authorization) => {
    const match = /^Bearer +(\S+) *$/i.exec(authorization ?? "");
    if (match === null) return null;
    const presented = hash("sha256", match[1] as string, "buffer");
    let tenant: string | null = null;
    for (const { name, digest } of known) {
      if (timingSafeEqual(presented, digest)) tenant = name;
    }
    return tenant;
  };
}
