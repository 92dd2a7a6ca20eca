/** Most of Node's library comes into an isolate when its program first needs it: whatever the program did before. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runIn } from "./programs.ts";
import { type TestEngine, startEngine } from "./test-engine.ts";

let engine: TestEngine;
let directory: string;

beforeAll(async () => {
  engine = await startEngine();
  directory = mkdtempSync(join(tmpdir(), "oracle-"));
});
afterAll(async () => {
  rmSync(directory, { recursive: true, force: true });
  await engine.close();
});

const VALUES = `console.log({ a: [1, "b", null], m: new Map([[1, {}]]) }, new Set([1]), new Error("e").message, Buffer.from("hi"))`;

test.for([
  ["nothing at all", VALUES],
  [
    "intrinsics frozen",
    `[Object, Array, Map, Function, Error].forEach((c) => Object.freeze(c.prototype)); ${VALUES}`,
  ],
  ["the console frozen", `Object.freeze(console); ${VALUES}; console.table([[1, 2]])`],
  [
    "iterators replaced",
    `Array.prototype[Symbol.iterator] = function* () { yield "mine"; }; console.log("a", { a: 1 })`,
  ],
  [
    "a class that is a global",
    `globalThis.Mine = class Mine { x = 1 }; console.log(new Mine(), Object.create(new Mine()))`,
  ],
  [
    "console.log replaced",
    `const lines = []; const { log } = console; console.log = (...all) => { lines.push(all); log(...all); }; console.table([{ a: 1 }]); console.log({ b: 1 }, "x"); log(lines.length)`,
  ],
  [
    "console.log held",
    `const { log } = console; log("a"); log({ a: 1 }); console.log(log === console.log, log.name)`,
  ],
  [
    "groups",
    `console.log("a"); console.group("g"); console.log("b"); console.groupEnd(); console.log("c", -0, 1n, null, undefined, true)`,
  ],
  [
    "directives",
    `console.log("%d%%", 42); console.log("100%"); console.log("%s", "x", 1); console.log(1, "%s", 2); console.error("e")`,
  ],
  [
    "process.stdout replaced",
    `console.log("a"); const { write } = process.stdout; process.stdout.write = (text) => write.call(process.stdout, "[" + text.trim() + "]\\n"); console.log("b")`,
  ],
  [
    "a timer printed",
    `const t = setTimeout(() => {}, 5); clearTimeout(t); console.log(typeof t.refresh, t.hasRef(), typeof t[Symbol.toPrimitive]())`,
  ],
  [
    "errors of arguments",
    `for (const f of [() => setTimeout(1), () => queueMicrotask(), () => require(1), () => process.nextTick("x")]) try { f(); } catch (e) { console.log(e.code, e.message); }`,
  ],
  [
    "exit handlers",
    `console.log("a"); process.on("exit", (code) => console.log("exit", code)); process.exitCode = 0`,
  ],
] as const)("after %s a program prints as under Node", async ([name, source]) => {
  const file = join(directory, `${name.replaceAll(" ", "-")}.js`);
  writeFileSync(file, source);
  const byNode = execFileSync(process.execPath, [file], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  const { stdout, evidence } = await runIn(engine.sandbox, source);
  expect(stdout).toBe(byNode);
  expect(evidence.exitCode).toBe(0);
});

test("methods of the language that a program has replaced do not reach the library", async () => {
  const source = `for (const owner of [Array, Map, Set, String, RegExp])
      for (const key of ["map", "forEach", "slice", "join", "filter", "get", "set", "has", "add", "split", "replace", "trim", "test"])
        if (key in owner.prototype) owner.prototype[key] = () => { throw new Error(key); };
    console.log({ a: [1, "b", null] }, 1n, [[1.5]]);`;
  expect((await runIn(engine.sandbox, source)).stdout).toBe("{ a: [ 1, 'b', null ] } 1n [ [ 1.5 ] ]\n");
});

test.for([
  `for (const key of Reflect.ownKeys(Map.prototype)) Object.defineProperty(Map.prototype, key, { value: 1, configurable: false, writable: false });`,
  `Object.defineProperty(Function.prototype, "call", { value: 1, configurable: false }); Object.defineProperty(Array.prototype, Symbol.iterator, { value: 1, configurable: false });`,
  `for (const owner of [Object, Reflect, Function.prototype, Array.prototype, String.prototype]) for (const key of ["defineProperty", "apply", "call", "bind", "push", "forEach", "slice", "split", "keys"]) if (key in owner) owner[key] = () => { throw 1; };`,
  `Object.defineProperty(Object.prototype, "get", { value: 1 }); Object.defineProperty(Object.prototype, "code", { set() { throw 1; } });`,
])("what a program breaks ends as its own doing: %#", async (breaks) => {
  for (const then of [
    `console.log({ a: 1 });`,
    `process.exit(0);`,
    `throw new Error("x");`,
    `Promise.reject(1);`,
    `await 1; setTimeout(() => console.log([1]), 1);`,
  ]) {
    const { evidence } = await runIn(engine.sandbox, `${breaks}\n${then}`);
    expect(evidence.endedBy).toBeNull();
    expect([0, 1, 7]).toContain(evidence.exitCode);
  }
});

test("at the end of its stack a program cannot load half of it", async () => {
  const source = `let tried = 0;
    function deep() { try { deep(); } catch { if (tried++ === 0) try { console.log({ a: 1 }); } catch {} } }
    deep(); console.log({ b: [2] });`;
  const { stdout } = await runIn(engine.sandbox, source);
  expect(stdout.split("\n").slice(-2)).toEqual(["{ b: [ 2 ] }", ""]);
});

test("the console has its methods in the same order before and after", async () => {
  const source = `const before = Object.keys(console).join(); console.log({}); process.stdout.write(String(before === Object.keys(console).join()))`;
  expect((await runIn(engine.sandbox, source)).stdout).toBe("{}\ntrue");
});
