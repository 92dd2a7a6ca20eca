/** Keys: how they are compared, and that neither the log nor any program ever sees one. */
import crypto from "node:crypto";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { createAuthenticate } from "../../src/http/auth.ts";
import { ask, open, post, readAll } from "../support/ask.ts";
import { descendants } from "../support/leftovers.ts";
import { type Service, startService } from "../support/service.ts";
import { readFileSync } from "node:fs";

const KEYS = [
  { name: "first", key: "first-secret-0123456789" },
  { name: "second", key: "second-secret-0123456789-and-longer" },
  { name: "third", key: "third-secret-0123456789" },
];

vi.mock("node:crypto", { spy: true });

describe("a presented key", () => {
  const authenticate = createAuthenticate(KEYS);

  it.for([
    ["the first one", KEYS[0]?.key, "first"],
    ["the last one", KEYS[2]?.key, "third"],
    ["none of them", "unknown-secret-0123456789", null],
    ["the beginning of one", "first-secret-012345678", null],
    ["one and more", "first-secret-0123456789x", null],
    ["a single letter", "f", null],
    ["a very long one", "f".repeat(5000), null],
  ] as const)(
    "that is %s is compared with all of them, in constant time and at one length",
    ([, key, tenant]) => {
      const compare = vi.mocked(crypto.timingSafeEqual);
      compare.mockClear();
      expect(authenticate?.(`Bearer ${key}`)).toBe(tenant);
      expect(compare).toHaveBeenCalledTimes(KEYS.length);
      for (const [presented, known] of compare.mock.calls)
        expect([presented.byteLength, known.byteLength]).toEqual([32, 32]);
    },
  );
});

describe("with a key the service", () => {
  const KEY = "sesame-open-0123456789abcdef";
  const headers = { authorization: `Bearer ${KEY}` };
  let service: Service;
  beforeAll(async () => {
    service = await startService(["--log.level=trace", "--http.headersTimeoutMs=1000"], {
      ROLLCALL_HTTP_KEYS: JSON.stringify([{ name: "tenant", key: KEY }]),
      AWS_SECRET_ACCESS_KEY: `${KEY}-of-the-operator`,
    });
  });
  afterAll(() => service.stop());

  const run = async (runtime: string, source: string): Promise<string> => {
    const { json } = await ask(`${service.url}/v1/calls`, { body: { runtime, source }, headers });
    expect(json).toMatchObject({ outcome: "completed", signal: null });
    return json.stdout as string;
  };

  it.for([
    [
      "python",
      `import glob, os
print(sorted(os.environ.items()))
for name in glob.glob("/proc/*/environ") + glob.glob("/proc/*/cmdline") + glob.glob("/run/**", recursive=True):
    try:
        print(name, open(name, "rb").read())
    except OSError:
        pass`,
    ],
    [
      "javascript",
      "console.log(JSON.stringify(globalThis.process?.env ?? {}), Object.keys(globalThis).join())",
    ],
    [
      "node",
      `const fs = require("fs");
console.log(JSON.stringify(process.env));
for (const pid of fs.readdirSync("/proc")) {
  try { console.log(pid, fs.readFileSync("/proc/" + pid + "/environ", "latin1")); } catch {}
}`,
    ],
  ] as const)("shows none of it to a program of %s", { timeout: 60_000 }, async ([runtime, source]) => {
    const seen = await run(runtime, source);
    expect(seen.length).toBeGreaterThan(5);
    expect(seen).not.toContain("sesame");
    expect(seen).not.toMatch(/ROLLCALL_|AWS_/);
  });

  it("has none of it in the environment or the command line of what it starts", () => {
    const children = descendants(service.process.pid as number);
    expect(children.length).toBeGreaterThan(5);
    for (const pid of children) {
      for (const file of ["environ", "cmdline"])
        expect(readFileSync(`/proc/${pid}/${file}`, "latin1")).not.toContain("sesame");
    }
  });

  it("writes none of it to its log, whatever goes wrong", { timeout: 60_000 }, async () => {
    const url = `${service.url}/v1/calls`;
    const port = Number(new URL(service.url).port);
    await run("python", "print(1)");
    const wrong = [
      await ask(url, { body: {}, headers: { authorization: `Bearer ${KEY}x` } }),
      await ask(url, { body: {}, headers: { authorization: `Basic ${KEY}` } }),
      await ask(url, { body: { runtime: "python", source: 1 }, headers }),
      await ask(url, { body: "{", headers }),
      await ask(`${service.url}/none?key=${KEY}`, { headers }),
      await ask(url, { method: "DELETE", headers }),
      await ask(url, { body: "x", headers: { ...headers, "content-type": "text/plain" } }),
    ];
    for (const { status } of wrong) expect(status).toBeGreaterThanOrEqual(400);
    const raw = [
      `GET /v1/info HTTP/1.1\r\nauthorization: Bearer ${KEY}\r\n`,
      `GET /v1/info HTTP/1.1\r\nhost: x\r\nauthorization : Bearer ${KEY}\r\n\r\n`,
      `GET /v1/info HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${KEY}\r\nx-long: ${"a".repeat(40_000)}\r\n\r\n`,
      post("/v1/calls", "{", `authorization: Bearer ${KEY}\r\nconnection: close\r\n`),
    ];
    for (const bytes of raw) {
      const socket = await open(port);
      socket.write(bytes);
      const answer = await readAll(socket).catch(() => "");
      expect(answer).not.toContain("sesame");
    }
    expect(await service.stop()).toBe(0);
    expect(service.lines.length).toBeGreaterThan(2);
    expect(service.lines.join("\n")).toContain('"tenant":"tenant"');
    expect(service.lines.join("\n")).not.toContain("sesame");
  });
});
