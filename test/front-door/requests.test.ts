/** Requests that no client library would send, to the real service: the right code, nothing held, nobody else hit. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { ask, open, post, readAll } from "../support/ask.ts";
import { BODY_BYTES_MAX, type Door, openDoor } from "./door.ts";

let door: Door;
beforeAll(async () => {
  door = await openDoor(["--http.bodyBytesMax=8388608"]);
});
afterEach(async () => {
  await door.untilBack();
  expect(await door.healthy()).toBe(true);
  expect(door.service.lines.filter((line) => /"level":[56]0/.test(line))).toEqual([]);
});
afterAll(async () => {
  expect(await door.service.stop()).toBe(0);
});

const LIMIT = 8 * BODY_BYTES_MAX;

async function send(bytes: string | Buffer): Promise<string> {
  const socket = await open(door.port);
  socket.write(bytes);
  return readAll(socket).catch(() => "");
}

const statusOf = (text: string) => Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0);

describe("bodies over the limit", () => {
  const chunk = Buffer.alloc(1 << 18, "x");
  const chunked = Buffer.concat([
    Buffer.from(`${chunk.length.toString(16)}\r\n`),
    chunk,
    Buffer.from("\r\n"),
  ]);
  const head =
    "POST /v1/calls HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";

  it("announced are refused before they are sent", async () => {
    const text = await send(
      `POST /v1/calls HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${LIMIT + 1}\r\nconnection: close\r\n\r\n`,
    );
    expect(statusOf(text)).toBe(413);
    expect(text).toContain("body_too_large");
  });

  it("announced as more than a number can hold are refused", async () => {
    for (const length of ["9".repeat(30), "18446744073709551616", "1e9", "-1", "+5", "0x10"])
      expect(
        statusOf(
          await send(
            `POST /v1/calls HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n{}`,
          ),
        ),
        length,
      ).toBeGreaterThanOrEqual(400);
  });

  it("that go on after they were refused are cut off", { timeout: 60_000 }, async () => {
    const before = await door.memoryMib();
    const endless = Array.from({ length: 8 }, async () => {
      const socket = await open(door.port);
      socket.write(head);
      const more = () => {
        while (!socket.destroyed && socket.write(chunked));
      };
      socket.on("drain", more);
      more();
      const text = await readAll(socket).catch(() => "");
      socket.destroy();
      return text;
    });
    expect(await door.healthy()).toBe(true);
    for (const text of await Promise.all(endless)) expect(text).toMatch(/^(?:$|HTTP\/1\.1 413 )/);
    await door.untilBack();
    expect((await door.memoryMib()).held).toBeLessThan(before.held + 8);
  });
});

const nested = (depth: number, open: string, close: string, inner = "1") =>
  open.repeat(depth) + inner + close.repeat(depth);

describe("JSON nested 100,000 levels", () => {
  const DEPTH = 100_000;
  const arrays = nested(DEPTH, "[", "]");
  const objects = nested(DEPTH, '{"a":', "}");
  const PLACES: readonly (readonly [string, string, (value: string) => string])[] = [
    ["the body", "/v1/calls", (value) => value],
    ["an unknown field", "/v1/calls", (value) => `{"runtime":"python","source":"1","x":${value}}`],
    ...[
      "runtime",
      "source",
      "stdin",
      "args",
      "files",
      "collect",
      "limits",
      "env",
      "mode",
      "id",
      "deadline_ms",
    ].map(
      (field) =>
        [
          field,
          "/v1/calls",
          (value: string) => `{"source":"1","runtime":"python","${field}":${value}}`,
        ] as const,
    ),
    ["a file", "/v1/calls", (value) => `{"runtime":"python","source":"1","files":{"f":${value}}}`],
    ["a limit", "/v1/calls", (value) => `{"runtime":"python","source":"1","limits":{"wall_ms":${value}}}`],
    ["a batch", "/v1/batches", (value) => `{"calls":${value}}`],
    ["a call of a batch", "/v1/batches", (value) => `{"calls":[${value}]}`],
  ];

  it.for(PLACES)("as %s are refused", async ([, path, bodyOf]) => {
    for (const value of [arrays, objects]) {
      const answer = await ask(door.url + path, { body: bodyOf(value) });
      expect([answer.status, answer.json.error.fault]).toEqual([400, "caller"]);
      expect(answer.text.length).toBeLessThan(1000);
    }
  });

  it("and not closed are refused", async () => {
    for (const body of ["[".repeat(1 << 20), '{"a":'.repeat(1 << 20), "[[],".repeat(1 << 20)])
      expect((await ask(`${door.url}/v1/calls`, { body })).json.error.code).toBe("invalid_json");
  });
});

describe("odd headers", () => {
  const body = JSON.stringify({ runtime: "python", source: "print(1)" });
  const length = Buffer.byteLength(body);
  const withHeaders = (headers: string) =>
    `POST /v1/calls HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n${headers}connection: close\r\n\r\n${body}`;

  it.for([
    ["two lengths", withHeaders(`content-length: ${length}\r\ncontent-length: 5\r\n`)],
    ["a length and chunks", withHeaders(`content-length: ${length}\r\ntransfer-encoding: chunked\r\n`)],
    ["chunks said in a way of its own", withHeaders("transfer-encoding: chunked, identity\r\n")],
    ["a folded header", withHeaders(`content-length: ${length}\r\nx-fold: a\r\n b\r\n`)],
    ["a NUL", withHeaders(`content-length: ${length}\r\nx-nul: a\0b\r\n`)],
    ["a bare line feed", withHeaders(`content-length: ${length}\r\nx-lf: a\nb: c\r\n`)],
    ["a space before the colon", withHeaders(`content-length : ${length}\r\n`)],
    ["a name of no letters", withHeaders(`content-length: ${length}\r\n: x\r\n`)],
    ["no host", body === "" ? "" : "GET /healthz HTTP/1.1\r\n\r\n"],
    ["two hosts in a GET of another version", "GET /healthz HTTP/9.9\r\nhost: x\r\nhost: y\r\n\r\n"],
    ["a header of 100 KiB", withHeaders(`content-length: ${length}\r\nx-long: ${"a".repeat(100 << 10)}\r\n`)],
    ["a URL of 100 KiB", `GET /${"a".repeat(100 << 10)} HTTP/1.1\r\nhost: x\r\n\r\n`],
    [
      "a chunk of no size",
      `${withHeaders("transfer-encoding: chunked\r\n").split("\r\n\r\n")[0]}\r\n\r\nzz\r\n`,
    ],
    [
      "a chunk larger than any",
      `${withHeaders("transfer-encoding: chunked\r\n").split("\r\n\r\n")[0]}\r\n\r\nfffffffffffffffff\r\n`,
    ],
    ["a TLS greeting", Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 0x0d, 0x0a, 0x0d, 0x0a])],
    ["the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ["a tunnel", "CONNECT example.org:443 HTTP/1.1\r\nhost: example.org\r\n\r\n"],
    ["a trace", "TRACE / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"],
  ] as const)("%s: refused as the client's fault", async ([, bytes]) => {
    const text = await send(bytes);
    if (text !== "") expect(text).toMatch(/^HTTP\/1\.1 4\d\d /);
  });

  it.for([
    [
      "thousands of short ones within the bound",
      Array.from({ length: 1500 }, (_, n) => `a${n}:b\r\n`)
        .join("")
        .slice(0, 14_000)
        .replace(/[^\n]*$/, ""),
    ],
    ["the same one a thousand times", "x-a: b\r\n".repeat(1000)],
    ["bytes above ASCII", "x-latin: \u00e9\u00ff\r\n"],
    ["an upgrade that is not offered", "upgrade: websocket\r\nconnection: upgrade\r\n"],
    ["an expectation", "expect: 100-continue\r\n"],
    ["names of the prototype", "__proto__: x\r\nconstructor: y\r\n"],
  ] as const)("%s: the call is answered or refused, and never a bug", async ([, headers]) => {
    const text = await send(
      Buffer.from(post("/v1/calls", body, `${headers}connection: close\r\n`), "latin1"),
    );
    expect(text).toMatch(/HTTP\/1\.1 (?:200|4\d\d) /);
  });

  it("an expectation of something else is refused", async () => {
    expect(
      statusOf(await send(post("/v1/calls", body, "expect: the-unexpected\r\nconnection: close\r\n"))),
    ).toBe(417);
  });
});
