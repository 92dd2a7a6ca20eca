import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { loadConfig, readConfig } from "../../src/config/load.ts";

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(path.join(tmpdir(), "rollcall-config-"));
});
afterEach(() => rmSync(cwd, { recursive: true }));

const load = (argv: string[] = [], env: Record<string, string> = {}) => loadConfig({ argv, env, cwd });
const write = (name: string, content: string) => writeFileSync(path.join(cwd, name), content);

test("with nothing said every key has its default", () => {
  const config = load();
  expect(config.http).toMatchObject({ host: "127.0.0.1", port: 8707, keys: [] });
  expect(config.queue).toEqual({ callsMax: 100_000, bytesMax: 512 << 20, batchCallsMax: 10_000 });
  expect(config.limits.ceiling.wall_ms).toBe(600_000);
  expect(config.isolation.minimum).toBe("container");
});

test("flags go over environment, environment over file, file over defaults", () => {
  write(
    "rollcall.config.yaml",
    "http: {port: 1, host: 127.0.0.2, bodyBytesMax: 5000}\nqueue:\n  callsMax: 7\n",
  );
  const config = load(["--http.port", "3"], { ROLLCALL_HTTP_PORT: "2", ROLLCALL_HTTP_HOST: "127.0.0.3" });
  expect(config.http).toMatchObject({ port: 3, host: "127.0.0.3", bodyBytesMax: 5000 });
  expect(config.queue.callsMax).toBe(7);
});

test.each([
  ["rollcall.config.json", '{"http": {"port": 9}}'],
  ["rollcall.config.yaml", "http:\n  port: 9\n"],
  ["rollcall.config.yml", "http: {port: 9}"],
])("%s is found by itself", (name, content) => {
  write(name, content);
  expect(load().http.port).toBe(9);
});

test("a file can be named, by flag before environment", () => {
  write("a.yaml", "http: {port: 1}");
  write("b.json", '{"http": {"port": 2}}');
  expect(load([], { ROLLCALL_CONFIG: "a.yaml" }).http.port).toBe(1);
  expect(load(["--config", "b.json"], { ROLLCALL_CONFIG: "a.yaml" }).http.port).toBe(2);
});

test.each([
  [["--port=5"], { port: 5 }],
  [["--port", "5", "--host", "::1"], { port: 5, host: "::1" }],
  [["--http.bodyBytesMax=2048"], { bodyBytesMax: 2048 }],
])("%j", (argv, http) => {
  expect(load(argv).http).toMatchObject(http);
});

test("a boolean flag needs no value and does not eat the next flag", () => {
  expect(load(["--log.pretty", "--port", "5"])).toMatchObject({ log: { pretty: true }, http: { port: 5 } });
  expect(load(["--log.pretty", "false"]).log.pretty).toBe(false);
});

test("keys come from list and file together", () => {
  write("keys.yaml", "- {name: b, key: bbbbbbbbbbbbbbbb}\n");
  const env = {
    ROLLCALL_HTTP_KEYS: '[{"name":"a","key":"aaaaaaaaaaaaaaaa"}]',
    ROLLCALL_HTTP_KEYS_FILE: "keys.yaml",
  };
  expect(load([], env).http.keys.map(({ name }) => name)).toEqual(["a", "b"]);
});

test("cpu time follows wall time, and a default its ceiling, unless they are set", () => {
  expect(load(["--limits.default.wall_ms", "3000"]).limits.default).toMatchObject({
    wall_ms: 3000,
    cpu_ms: 6000,
  });
  expect(load(["--limits.ceiling.wall_ms", "3000"]).limits.default.wall_ms).toBe(3000);
});

test("what Kubernetes sets for a service of this name is not ours", () => {
  expect(
    load([], { ROLLCALL_PORT: "tcp://10.0.0.1:8707", ROLLCALL_SERVICE_HOST: "10.0.0.1" }).http.port,
  ).toBe(8707);
});

test("the configuration cannot be changed", () => {
  const config = load();
  expect(() => Object.assign(config.http, { port: 1 })).toThrow();
});

test("each value knows where it comes from", () => {
  const { origins } = readConfig({ argv: ["--port", "1"], env: { ROLLCALL_LOG_LEVEL: "debug" }, cwd });
  expect(Object.fromEntries(origins)).toEqual({
    "http.port": "the flag --port",
    "log.level": "the environment variable ROLLCALL_LOG_LEVEL",
  });
});

describe("refused, with the value's origin and what is allowed:", () => {
  test.each<[string[], Record<string, string>, RegExp]>([
    [["--prot", "1"], {}, /unknown flag --prot; did you mean --port\?/],
    [["--http.bodyByteMax=1"], {}, /did you mean --http.bodyBytesMax\?/],
    [["serve"], {}, /unexpected argument "serve"/],
    [["--port"], {}, /--port needs a value/],
    [["--port", "http"], {}, /http.port from the flag --port must be an integer from 0 to 65535, not "http"/],
    [["--port", "70000"], {}, /from 0 to 65535, not 70000/],
    [["--log.level", "loud"], {}, /must be one of trace, debug, .* not "loud"/],
    [["--log.pretty=yes"], {}, /must be true or false/],
    [["--http.keys=[]"], {}, /is a secret .* ROLLCALL_HTTP_KEYS/],
    [
      ["--limits.default.wall_ms=700000"],
      {},
      /limits.default.wall_ms from the flag .* above limits.ceiling.wall_ms/,
    ],
    [["--limits.default.memory_bytes=1"], {}, /at least 16777216/],
    [["--config", "no.yaml"], {}, /cannot read .*no.yaml/],
    [
      [],
      { ROLLCALL_HTTP_PORTS: "1" },
      /unknown environment variable ROLLCALL_HTTP_PORTS; did you mean ROLLCALL_HTTP_PORT\?/,
    ],
    [[], { ROLLCALL_HTTP_PORT: "1.5" }, /the environment variable ROLLCALL_HTTP_PORT must be an integer/],
    [[], { ROLLCALL_HTTP_KEYS: '[{"name":"a","key":"hunter2"}]' }, /keys 16 to 512 visible/],
  ])("%j %j", (argv, env, message) => {
    expect(() => load(argv, env)).toThrow(message);
  });

  test.each([
    ["http: {prot: 1}", /unknown key http.prot in .*rollcall.config.yaml; did you mean http.port\?/],
    ["htp: {}", /unknown key htp .* did you mean http\?/],
    ["http: 5", /http in .* must be a section/],
    ["- 1", /the top level in .* must be a section/],
    [
      "http: {port: '1'}",
      /http.port from .*rollcall.config.yaml must be an integer from 0 to 65535, not "1"/,
    ],
    [
      "http: {keys: [{name: a, key: aaaaaaaaaaaaaaaa}, {name: a, key: bbbbbbbbbbbbbbbb}]}",
      /two keys of the same name/,
    ],
    ["a: [", /cannot read/],
  ])("%s", (content, message) => {
    write("rollcall.config.yaml", content);
    expect(() => load()).toThrow(message);
  });

  test("two files at once", () => {
    write("rollcall.config.yaml", "");
    write("rollcall.config.json", "{}");
    expect(() => load()).toThrow(/rollcall.config.json and rollcall.config.yaml are both/);
  });

  test("a secret is not shown", () => {
    expect(() => load([], { ROLLCALL_HTTP_KEYS: '[{"name":"a","key":"hunter2"}]' })).toThrow(
      /^(?!.*hunter2)/,
    );
  });
});
