/** What a model's program may count on: input, files, modules, the order of events, and cells. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Program, runIn } from "./programs.ts";
import { type TestEngine, startEngine } from "./test-engine.ts";

let engine: TestEngine;

beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine.close());

const printed = async (program: Program | string) => {
  const { stdout, stderr } = await runIn(engine.sandbox, program);
  return stdout + stderr;
};

describe("standard input", () => {
  const stdin = "first line\nsecond é\n3 4";
  test.for([
    ["readFileSync(0)", `console.log(require("fs").readFileSync(0, "utf8").split("\\n").length)`, "3\n"],
    ["/dev/stdin", `console.log(require("node:fs").readFileSync("/dev/stdin").toString().length)`, "23\n"],
    [
      "data events",
      `let all = ""; process.stdin.setEncoding("utf8"); process.stdin.on("data", (d) => (all += d)); process.stdin.on("end", () => console.log(all.length))`,
      "23\n",
    ],
    [
      "for await of stdin",
      `let all = ""; for await (const chunk of process.stdin) all += chunk; console.log(all.length)`,
      "23\n",
    ],
    [
      "readline events",
      `const rl = require("readline").createInterface({ input: process.stdin }); const lines = []; rl.on("line", (l) => lines.push(l)).on("close", () => console.log(lines))`,
      "[ 'first line', 'second é', '3 4' ]\n",
    ],
    [
      "for await of readline",
      `(async () => { for await (const line of require("readline").createInterface({ input: process.stdin })) console.log(line.length); })()`,
      "10\n8\n3\n",
    ],
    [
      "question",
      `const rl = require("readline").createInterface({ input: process.stdin, output: process.stdout }); rl.question("? ", (a) => { console.log("<" + a + ">"); rl.close(); })`,
      "? <first line>\n",
    ],
    [
      "readline/promises",
      `const rl = require("readline/promises").createInterface({ input: process.stdin }); const a = await rl.question(""); console.log(a); rl.close()`,
      "first line\n",
    ],
    ["readline()", `let line; while ((line = readline()) !== null) print(line.length)`, "10\n8\n3\n"],
    [
      "process.stdin.on readable",
      `process.stdin.on("readable", () => { let c; while ((c = process.stdin.read()) !== null) console.log(c.length); })`,
      "24\n",
    ],
  ])("%s", async ([, source = "", expected]) => {
    expect(await printed({ source, stdin })).toBe(expected);
  });

  test("bytes that are not UTF-8 arrive as they are", async () => {
    const stdin = Buffer.from([0xff, 0x00, 0x80, 0x41]);
    expect(await printed({ source: `console.log(require("fs").readFileSync(0))`, stdin })).toBe(
      "<Buffer ff 00 80 41>\n",
    );
  });

  test("input that is empty ends at once", async () => {
    expect(await printed(`process.stdin.on("data", () => {}).on("end", () => console.log("end"))`)).toBe(
      "end\n",
    );
  });
});

describe("files", () => {
  test("those of the call are there and those it writes are collected", async () => {
    const { evidence, stdout } = await runIn(engine.sandbox, {
      source: `const fs = require("fs"); const data = JSON.parse(fs.readFileSync("in/data.json", "utf8"));
        fs.writeFileSync("out.txt", "sum " + data.reduce((a, b) => a + b)); fs.appendFileSync("out.txt", "!"); fs.mkdirSync("d/e", { recursive: true });
        fs.writeFileSync("d/e/bytes", Buffer.from([0, 255])); console.log(fs.readdirSync("."), fs.existsSync("no"), fs.statSync("out.txt").size, fs.readFileSync("raw"));`,
      files: { "in/data.json": "[1,2,3]", raw: Buffer.from([1, 254]) },
      collect: ["out.txt", "d/e/bytes", "missing", "d"],
    });
    expect(stdout).toBe("[ 'd', 'in', 'main.js', 'out.txt', 'raw' ] false 6 <Buffer 01 fe>\n");
    expect(evidence.files).toEqual([
      { path: "out.txt", content: Buffer.from("sum 6!") },
      { path: "d/e/bytes", content: Buffer.from([0, 255]) },
      { path: "missing", content: "not_found" },
      { path: "d", content: "not_a_regular_file" },
    ]);
  });

  test("are collected from a program that exits or fails", async () => {
    for (const end of ["process.exit(3)", "throw new Error('x')", "Promise.reject(1)"]) {
      const { evidence } = await runIn(engine.sandbox, {
        source: `require("fs").writeFileSync("f", "kept"); ${end}`,
        collect: ["f"],
      });
      expect(evidence.files).toEqual([{ path: "f", content: Buffer.from("kept") }]);
    }
  });

  test("by callback, promise and stream", async () => {
    const source = `const fs = require("fs"); fs.writeFile("a", "1", () => fs.readFile("a", "utf8", async (error, text) => {
      console.log(error, text, await fs.promises.readFile("a", "utf8"), await require("fs/promises").readdir("."));
      fs.createReadStream("a").pipe(fs.createWriteStream("b")).on("finish", () => console.log(fs.readFileSync("b", "utf8")));
    }));`;
    expect(await printed(source)).toBe("null 1 1 [ 'a', 'main.js' ]\n1\n");
  });
});

describe("modules", () => {
  test("every module that is named loads", async () => {
    const source = `for (const id of require("module").builtinModules) { try { require(id); require("node:" + id); } catch (error) { console.log(id, error.message); } } console.log("all")`;
    expect((await runIn(engine.sandbox, source)).stdout).toBe("all\n");
  });

  test("one that is not here fails with Node's own words", async () => {
    const { evidence, stderr } = await runIn(engine.sandbox, `require("lodash");`);
    expect(evidence.report.error).toEqual({
      type: "Error",
      message: "Cannot find module 'lodash'\nRequire stack:\n- /work/main.js",
      line: 1,
    });
    expect(stderr).toContain("code: 'MODULE_NOT_FOUND'");
  });

  test("files of the call are required and imported", async () => {
    const files = {
      "lib/twice.js": "exports.twice = (x) => x * 2;",
      "data.json": `{"n":21}`,
      "esm.mjs": `import { twice } from "./esm2.mjs"; export default (n) => twice(n);`,
      "esm2.mjs": "export const twice = (x) => x * 2;",
    };
    expect(
      await printed({
        source: `const { twice } = require("./lib/twice"); console.log(twice(require("./data.json").n), __filename, __dirname)`,
        files,
      }),
    ).toBe("42 /work/main.js /work\n");
    expect(
      await printed({
        source: `import run from "./esm.mjs"; import cjs from "./lib/twice.js"; console.log(run(4), cjs.twice(5))`,
        files,
      }),
    ).toBe("8 10\n");
  });

  test("static imports of built-in modules, by default and by name", async () => {
    const source = `import fs, { readFileSync } from "fs";\nimport * as path from "node:path";\nimport assert from "node:assert/strict";\nassert.equal(1, 1);\nconsole.log(typeof readFileSync, fs.existsSync("x"), path.basename("/a/b.c"), import.meta !== undefined);`;
    expect(await printed(source)).toBe("function false b.c true\n");
  });

  test("an import that is not there is named", async () => {
    const { evidence, stderr } = await runIn(engine.sandbox, `import x from "left-pad";\nconsole.log(x);`);
    expect(evidence.exitCode).toBe(1);
    expect(stderr).toContain("Cannot find package 'left-pad' imported from /work/main.js");
    const named = await runIn(engine.sandbox, `import { nope } from "fs";`);
    expect(named.stderr).toContain(
      "SyntaxError: The requested module 'fs' does not provide an export named 'nope'",
    );
  });

  test("top-level await works and keeps line numbers", async () => {
    const { evidence, stdout } = await runIn(
      engine.sandbox,
      `const sleep = (ms) => new Promise((r) => setTimeout(r, ms));\nawait sleep(2);\nconsole.log("awaited");\n\nthrow new TypeError("five");`,
    );
    expect(stdout).toBe("awaited\n");
    expect(evidence.report.error).toEqual({ type: "TypeError", message: "five", line: 5 });
  });

  test("await that never settles ends with 13", async () => {
    const { evidence } = await runIn(engine.sandbox, `console.log("a");\nawait new Promise(() => {});`);
    expect(evidence).toMatchObject({ exitCode: 13, endedBy: null });
  });
});

test("events come in Node's order", async () => {
  const source = `
    setTimeout(() => console.log("timeout 40"), 40); setTimeout(() => console.log("timeout 0"), 0); setImmediate(() => console.log("immediate"));
    process.nextTick(() => { console.log("tick"); Promise.resolve().then(() => console.log("micro of tick")); process.nextTick(() => console.log("tick of tick")); });
    Promise.resolve().then(() => { console.log("micro"); process.nextTick(() => console.log("tick of micro")); queueMicrotask(() => console.log("micro of micro")); });
    (async () => { console.log("async"); await null; console.log("after await"); })();
    const interval = setInterval(() => { console.log("interval"); clearInterval(interval); }, 80);
    const never = setTimeout(() => console.log("never"), 1); clearTimeout(never); setTimeout(() => {}, 1e6).unref();
    process.on("beforeExit", () => console.log("beforeExit")).on("exit", (code) => console.log("exit", code));
    console.log("main");`;
  expect((await printed(source)).trimEnd().split("\n")).toEqual([
    "async",
    "main",
    "tick",
    "tick of tick",
    "micro",
    "after await",
    "micro of tick",
    "micro of micro",
    "tick of micro",
    "timeout 0",
    "immediate",
    "timeout 40",
    "interval",
    "beforeExit",
    "exit 0",
  ]);
});

test("promisify, timers/promises, events, streams and AbortController work together", async () => {
  const source = `const { promisify } = require("util"); const { setTimeout: sleep } = require("timers/promises"); const { once, EventEmitter } = require("events"); const { Readable, Transform, pipeline } = require("stream");
    (async () => {
      await promisify(setTimeout)(1); console.log(await sleep(1, "slept"));
      const emitter = new EventEmitter(); setTimeout(() => emitter.emit("go", 1, 2), 1); console.log(await once(emitter, "go"));
      const upper = new Transform({ transform(chunk, _, done) { done(null, chunk.toString().toUpperCase()); } });
      await promisify(pipeline)(Readable.from(["a", "b"]), upper, async function* (source) { for await (const c of source) console.log(String(c)); });
      const controller = new AbortController(); setTimeout(() => controller.abort(), 1);
      try { await sleep(1000, null, { signal: controller.signal }); } catch (error) { console.log(error.name, error.code); }
      controller.signal.addEventListener("abort", () => {}); console.log(controller.signal.aborted, AbortSignal.timeout(5).aborted);
    })();`;
  expect(await printed(source)).toBe("slept\n[ 1, 2 ]\nAB\nAbortError ABORT_ERR\ntrue false\n");
});

test("arguments and environment are those of the call", async () => {
  expect(
    await printed({
      source: `console.log(process.argv.slice(2), process.env.KEY, Object.keys(process.env)); process.env.N = 1; console.log(typeof process.env.N, process.cwd())`,
      args: ["a", "b c"],
      env: { KEY: "v" },
    }),
  ).toBe("[ 'a', 'b c' ] v [ 'KEY' ]\nstring /work\n");
});

describe("a cell", () => {
  test.for([
    ["1 + 1", "2"],
    ["const a = [1, 2];\na.map((x) => x * 2)", "[ 2, 4 ]"],
    ["let x = 5;", undefined],
    ["console.log('p')", undefined],
    ["'text'", "'text'"],
    ["if (true) { 42 }", "42"],
    ["const r = await Promise.resolve({ a: 1 });\nr.a + 1", "2"],
    ["await Promise.resolve(7)", "7"],
    ["const v = await 3; v * 2;", "6"],
    ["const { a } = await Promise.resolve({ a: 1 });\n({\n  b: a,\n})", "{ b: 1 }"],
    ["function f() { return 1 }\nf", "[Function: f]"],
    ["null", "null"],
    ["require('path').sep", "'/'"],
  ])("%s is %s", async ([source = "", value]) => {
    const { evidence, stderr } = await runIn(engine.sandbox, { source, cell: true });
    expect(stderr).toBe("");
    expect(evidence.exitCode).toBe(0);
    expect(evidence.report.value).toBe(value);
  });

  test("fails as a script does", async () => {
    const { evidence, stderr } = await runIn(engine.sandbox, { source: "const a = 1;\na.b.c", cell: true });
    expect(evidence.report.error).toEqual({
      type: "TypeError",
      message: "Cannot read properties of undefined (reading 'c')",
      line: 2,
    });
    expect(stderr).toContain("/work/main.js:2\na.b.c\n    ^\n");
  });
});
