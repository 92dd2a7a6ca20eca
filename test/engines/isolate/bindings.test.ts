/** Our stand-ins for Node's native parts, against Node itself, over random bytes and strings. */
import { sample, string, uint8Array, webUrl } from "fast-check";
import vm from "node:vm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runIn } from "./programs.ts";
import { type TestEngine, startEngine } from "./test-engine.ts";

let engine: TestEngine;

beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine.close());

/** The same function runs in an isolate and here, over the same inputs. */
async function expectSame(body: string, inputs: readonly unknown[]) {
  const source = `(inputs) => inputs.map((input) => { try { return ${body}; } catch (error) { return error.code ?? error.name; } })`;
  const here = vm.runInThisContext(`(Buffer, require) => ${source}`) as (
    buffer: typeof Buffer,
    load: NodeJS.Require,
  ) => (all: readonly unknown[]) => unknown;
  const { createRequire } = await import("node:module");
  const expected = JSON.stringify(here(Buffer, createRequire(import.meta.url))(inputs));
  const { stdout, stderr } = await runIn(engine.sandbox, {
    source: `process.stdout.write(JSON.stringify((${source})(JSON.parse(require("fs").readFileSync(0, "utf8")))))`,
    stdin: JSON.stringify(inputs),
    limits: { output_bytes: 8 << 20 },
  });
  expect(stderr).toBe("");
  expect(JSON.parse(stdout)).toEqual(JSON.parse(expected));
}

const bytes = sample(
  uint8Array({ maxLength: 40 }).map((array) => [...array]),
  { numRuns: 300, seed: 1 },
);
const strings = sample(string({ unit: "binary", maxLength: 20 }), { numRuns: 300, seed: 2 });
const urls = [
  ...sample(webUrl({ withQueryParameters: true, withFragments: true }), { numRuns: 100, seed: 3 }),
  "http://u@h/",
  "http://u:p@h:81/?#",
  "mailto:a@b.c",
  "file:///x/../y",
  "http://[::1]:8080/p",
  "data:text/plain,hi",
  "https://münchen.de/ä",
  "x",
  "http://a b",
  "HTTP://EXAMPLE.com:80",
  "blob:https://a.b/c",
];

test.for([
  [
    "bytes to text",
    `["utf8", "latin1", "ascii", "hex", "base64", "base64url", "utf16le"].map((e) => Buffer.from(input).toString(e))`,
    bytes,
  ],
  [
    "parts of bytes to text",
    `Buffer.from(input).toString("utf8", 3, 11) + Buffer.from(input).subarray(-4).toString("base64")`,
    bytes,
  ],
  [
    "text to bytes",
    `["utf8", "latin1", "ascii", "hex", "base64", "base64url", "utf16le"].map((e) => Buffer.from(input, e).toString("hex") + Buffer.byteLength(input, e))`,
    strings,
  ],
  [
    "TextDecoder and TextEncoder",
    `[new TextDecoder().decode(new Uint8Array(input)), [...new TextEncoder().encode(new TextDecoder("utf-8", { ignoreBOM: true }).decode(new Uint8Array(input)))]]`,
    bytes,
  ],
  ["a strict TextDecoder", `new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(input))`, bytes],
  [
    "a StringDecoder in pieces",
    `["utf8", "utf16le", "base64"].map((e) => { const d = new (require("string_decoder").StringDecoder)(e); return input.map((b) => d.write(Buffer.from([b]))).join("|") + d.end(); })`,
    bytes,
  ],
  [
    "search and comparison",
    `{ const b = Buffer.from(input); const n = b.subarray(2, 4); return [b.indexOf(n), b.lastIndexOf(n), b.indexOf(7, 3), b.includes("a"), Buffer.compare(b, n), b.equals(Buffer.from(input)), b.indexOf("é", 1, "latin1"), b.lastIndexOf("", -2)]; }`.replace(
      /^\{(.*)\}$/s,
      "(() => {$1})()",
    ),
    bytes,
  ],
  [
    "fill, copy and swap",
    `(() => { const b = Buffer.alloc(16).fill(Buffer.from(input)); const c = Buffer.alloc(8); b.copy(c, 1, 2, 9); return [b.toString("hex"), c.swap16().toString("hex"), c.swap64().toString("hex"), Buffer.alloc(5, "xyz").toString()]; })()`,
    bytes,
  ],
  [
    "atob and btoa",
    `[(() => { try { return btoa(input); } catch (e) { return e.name; } })(), (() => { try { return atob(input); } catch (e) { return e.name; } })()]`,
    [...strings, "YWJj", "YWI=", "YQ==", "YQ", "Y", " Y W I = ", "a-_b"],
  ],
  [
    "URLs",
    `(() => { const u = new URL(input); const seen = ["href", "origin", "protocol", "username", "password", "host", "hostname", "port", "pathname", "search", "hash"].map((k) => u[k]); u.searchParams.append("k", "v w"); u.hash = "#z"; u.pathname = "/p q"; u.port = "99"; return [...seen, u.href, URL.canParse(input, "http://b/")]; })()`,
    urls,
  ],
  [
    "structuredClone",
    `structuredClone({ a: input, d: new Date(input.length), n: new Map([[1, new Set(input)]]).get(1).size, e: new RangeError("x").message })`,
    bytes,
  ],
  [
    "hashes",
    `["md5", "sha1", "sha256", "sha512"].map((h) => require("crypto").createHash(h).update(Buffer.from(input)).digest("hex") + require("crypto").createHmac(h, "key").update("é").digest("base64"))`,
    bytes.slice(0, 50),
  ],
] as const)("%s", async ([, body, inputs]) => {
  await expectSame(body, inputs);
});
