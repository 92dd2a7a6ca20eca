/** A program in a process that was forked from a running Node ends, prints and fails as under `node main.js`. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createExecutor } from "../../../src/index.ts";
import type { Executor } from "../../../src/contract/executor.ts";

const PROGRAMS: Readonly<Record<string, string>> = {
  "nothing at all": "",
  "a value that is shown": "console.log({ a: [1, { b: new Map([[1, 2]]) }] }, [1.5, -0], new Set('ab'))",
  "both streams in order": "console.log(1); console.error(2); process.stdout.write('3')",
  "an exit code": "process.exit(3)",
  "an exit code that is set": "process.exitCode = 4",
  "an exit code that a listener sets":
    "process.on('exit', (code) => { console.log(code); process.exitCode = 9 })",
  "an exit in a listener": "process.on('exit', () => process.exit(6)); process.exit(2)",
  "an error in a listener of the end": "process.on('exit', () => { throw new Error('late') })",
  "the last chance before the end":
    "let n = 0; process.on('beforeExit', () => { if (n++ < 2) setTimeout(() => console.log(n), 1) })",
  "an error that nobody catches": "console.log('before');\n\nfunction f() { null.x }\nf()",
  "an error in a timer":
    "setTimeout(() => { throw new TypeError('boom') }, 1); setTimeout(() => console.log('never'), 50)",
  "something thrown that is no error": "throw { code: 7 }",
  "a rejection that nobody handles": "Promise.reject(new RangeError('gone'))",
  "an error that a handler takes":
    "process.on('uncaughtException', (e) => console.log('taken', e.message)); setTimeout(() => console.log('on'), 5); throw new Error('x')",
  "source that does not parse": "let let = 1",
  "a module":
    "import os from 'node:os'; import { readFileSync } from 'node:fs'; console.log(typeof os.EOL, typeof readFileSync, import.meta.filename)",
  "top-level await": "await new Promise((done) => setTimeout(done, 3)); export {}; console.log('later')",
  "top-level await without an end": "export {}; await new Promise(() => {})",
  "a dynamic import": "import('node:path').then(({ default: path }) => console.log(path.join('a', 'b')))",
  "order of queues":
    "setTimeout(() => console.log('timeout')); setImmediate(() => console.log('immediate')); process.nextTick(() => console.log('tick')); Promise.resolve().then(() => console.log('promise')); console.log('now')",
  "what it is":
    "console.log(__filename, require.main === module, process.argv.slice(1), process.execArgv, process.cwd(), module.id)",
  "modules that it has loaded": "console.log(Object.keys(require.cache), module.children.length)",
  "a signal to itself":
    "process.on('SIGUSR2', () => { console.log('heard'); process.exit(5) }); process.kill(process.pid, 'SIGUSR2'); setTimeout(() => {}, 5000)",
  "a signal that ends it": "process.kill(process.pid, 'SIGTERM'); setTimeout(() => {}, 5000)",
  "a command":
    "const { execFileSync, spawn } = require('child_process'); console.log(execFileSync('echo', ['sub']).toString()); spawn('sh', ['-c', 'exit 3']).on('exit', (code) => console.log(code))",
  "a thread":
    "const { Worker } = require('worker_threads'); new Worker('require(\"worker_threads\").parentPort.postMessage(6 * 7)', { eval: true }).on('message', console.log).on('exit', (code) => console.log('ended', code))",
  "the thread pool":
    "require('crypto').pbkdf2('a', 'b', 10, 8, 'sha256', (_, key) => console.log(key.toString('hex'))); require('zlib').gzip('x'.repeat(1e5), (_, out) => console.log(require('zlib').gunzipSync(out).length))",
  "files by promises":
    "const fs = require('fs/promises'); fs.writeFile('a.txt', 'hi').then(() => fs.readFile('a.txt', 'utf8')).then(console.log)",
  "garbage to collect":
    "let keep = []; for (let i = 0; i < 3e6; i++) keep[i % 1000] = { i, text: 'x' + i }; console.log(keep.length)",
  "a hot loop": "function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2) } console.log(fib(27))",
  WebAssembly:
    "WebAssembly.instantiate(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 127, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0, 10, 6, 1, 4, 0, 65, 42, 11])).then(({ instance }) => console.log(instance.exports.f()))",
  "a stream":
    "process.stdin.setEncoding('utf8'); let all = ''; process.stdin.on('data', (t) => (all += t)).on('end', () => console.log(all.length))",
  lines:
    "require('readline').createInterface({ input: process.stdin }).on('line', (l) => console.log('>' + l)).on('close', () => console.log('closed'))",
  "a test of Node's own":
    "const test = require('node:test'); const seen = []; test.describe('d', () => test.it('i', () => { seen.push(1) })); process.on('exit', () => console.error(seen.length))",
  "random numbers":
    "const all = Array.from({ length: 1000 }, Math.random); console.log(all.every((n) => n >= 0 && n < 1), new Set(all).size, Math.abs(all.reduce((a, b) => a + b) / 1000 - 0.5) < 0.1)",
};

const STDIN = "first\nsecond\n";
let executor: Executor;
let directory: string;
beforeAll(async () => {
  executor = await createExecutor({ python: { slots: 2 }, runtimes: { javascript: false } });
  directory = mkdtempSync(path.join(tmpdir(), "rollcall-node-test-"));
});
afterAll(async () => {
  rmSync(directory, { recursive: true });
  await executor.close();
});

/** Frames of Node's own at the bottom of a stack differ with how the program was started. */
function comparable(text: string): string {
  return (
    text
      .replaceAll(directory, "/work")
      .replaceAll(/\n {4}at (?:\S+ )*\(?node:[^\n]*/g, "")
      // What waits for the end of a program stands in the stack of a listener of that end.
      .replaceAll(/\n {4}at process\.emitThenEnd [^\n]*/g, "")
      .replaceAll(/duration_ms [\d.]+|\([\d.]+ms\)/g, "a time")
  );
}

describe("as under `node main.js`", () => {
  it.each(Object.entries(PROGRAMS))("%s", async (_, source) => {
    writeFileSync(path.join(directory, "main.js"), source);
    const alone = spawnSync(process.execPath, [path.join(directory, "main.js"), "an argument"], {
      cwd: directory,
      input: STDIN,
      encoding: "utf8",
      env: { PATH: process.env["PATH"] },
    });
    const forked = await executor.execute({ runtime: "node", source, stdin: STDIN, args: ["an argument"] });
    expect({
      exitCode: forked.exit_code,
      signal: forked.signal,
      stdout: comparable(forked.stdout),
      stderr: comparable(forked.stderr),
    }).toEqual({
      exitCode: alone.status,
      signal: alone.signal,
      stdout: comparable(alone.stdout),
      stderr: comparable(alone.stderr),
    });
  });
});

it("an uncaught error is reported with the program's own line", async () => {
  const { error } = await executor.execute({ runtime: "node", source: "\n\nnull.x" });
  expect(error).toEqual({
    type: "TypeError",
    message: "Cannot read properties of null (reading 'x')",
    line: 3,
  });
});

it("no two calls have the same random numbers, identifiers or process id of another", async () => {
  const source =
    "console.log(Math.random(), require('crypto').randomUUID(), require('crypto').randomBytes(8).toString('hex'))";
  const results = await Promise.all(
    Array.from({ length: 20 }, () => executor.execute({ runtime: "node", source })),
  );
  expect(new Set(results.flatMap(({ stdout }) => stdout.trim().split(" "))).size).toBe(60);
  const pid = await executor.execute({
    runtime: "node",
    source: "console.log(process.pid === Number(require('fs').readlinkSync('/proc/self')))",
  });
  expect(pid.stdout).toBe("true\n");
});

it("nothing of the fork server is in reach: its options, its preload, its descriptors", async () => {
  const source = `
    const fs = require("fs");
    const open = fs.readdirSync("/proc/self/fd").map((fd) => { try { return fs.readlinkSync("/proc/self/fd/" + fd) } catch { return "closed" } });
    const kinds = new Set(open.map((target) => target.replace(/[:\\[].*/, "")));
    console.log([...kinds].sort().join(), process.env.LD_PRELOAD, process.argv.length, require("path").basename(process.argv0));
  `;
  const { stdout, stderr } = await executor.execute({ runtime: "node", source });
  expect({ stdout, stderr }).toEqual({
    stdout: "/dev/null,anon_inode,closed,pipe undefined 2 node\n",
    stderr: "",
  });
});
