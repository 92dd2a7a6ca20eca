/** Programs that have broken, stalled or crashed hosts of isolates, each with the ends that it may come to. */
export interface HostileProgram {
  readonly name: string;
  readonly source: string;
  readonly cell?: true;
  /** An exit code, or why the engine may have ended it. */
  readonly ends: readonly (number | string)[];
}

export const HOSTILE: readonly HostileProgram[] = [
  { name: "infinite_loop", source: "for (;;);", ends: ["wall"] },
  {
    name: "loop_in_catch",
    source: "for (;;) { try { for (;;); } catch (e) {} finally { continue; } }",
    ends: ["wall"],
  },
  { name: "regex_backtrack", source: '/(a+)+$/.exec("a".repeat(40) + "b")', ends: ["wall"] },
  {
    name: "string_replace_bomb",
    source: 'let s = "a".repeat(1 << 20); while (true) s.replaceAll("a", "b")',
    ends: ["wall", "memory"],
  },
  {
    name: "json_parse_loop",
    source: 'const s = "[" + "1,".repeat(2e6) + "1]"; while (true) JSON.parse(s)',
    ends: ["wall", "memory"],
  },
  {
    name: "microtask_loop",
    source: "const f = () => Promise.resolve().then(f); f()",
    ends: ["wall", "memory"],
  },
  { name: "await_loop", source: "(async () => { while (true) await 0 })()", ends: ["wall"] },
  {
    name: "microtask_both",
    source: "function bad() { Promise.resolve().then(() => { bad(); for (;;); }) } bad(); for (;;);",
    ends: ["wall"],
  },
  {
    name: "unhandled_rejection",
    source: 'Promise.reject(new Error("x")); Promise.reject(null); "ok"',
    ends: [1],
  },
  {
    name: "atomics_waitasync",
    source:
      'const i = new Int32Array(new SharedArrayBuffer(4)); if (Atomics.waitAsync) Atomics.waitAsync(i, 0, 0, 1e9).value?.then(() => console.log("BREACH")); "returned"',
    ends: [1],
  },
  {
    name: "finalization_loop",
    source:
      'const r = new FinalizationRegistry(() => { for (;;); }); for (let i = 0; i < 1e5; i++) r.register({}, i); "done"',
    ends: ["wall", 0],
  },
  {
    name: "array_balloon",
    source: "const a = []; for (;;) a.push(new Array(1e5).fill(Math.random()))",
    ends: ["memory"],
  },
  { name: "string_balloon", source: 'let s = "x"; for (;;) { s = s + s + "y"; }', ends: [1, "memory"] },
  {
    name: "arraybuffer_touch",
    source: "const a = []; for (;;) a.push(new Uint8Array(16 << 20).fill(1))",
    ends: ["memory"],
  },
  {
    name: "wasm_memory",
    source:
      'if (typeof WebAssembly === "undefined") console.log("contained"); else { const a = []; for (;;) { const m = new WebAssembly.Memory({initial: 1024, maximum: 65536}); new Uint8Array(m.buffer).fill(1); a.push(m) } }',
    ends: [0],
  },
  {
    name: "wasm_infinite_loop",
    source:
      'if (typeof WebAssembly === "undefined") console.log("contained"); else { const b = new Uint8Array([0,97,115,109,1,0,0,0,1,4,1,96,0,0,3,2,1,0,7,5,1,1,102,0,0,10,9,1,7,0,3,64,12,0,11,11]); new WebAssembly.Instance(new WebAssembly.Module(b)).exports.f() }',
    ends: [0],
  },
  {
    name: "map_growth",
    source: "const m = new Map(); for (let i = 0; ; i++) m.set(i, {i})",
    ends: ["memory", "wall"],
  },
  {
    name: "function_flood",
    source: 'const f = []; for (let i = 0; ; i++) f.push(new Function("return " + i))',
    ends: ["memory", "wall"],
  },
  { name: "bigint_alloc", source: "let a = []; for (;;) a.push(2n ** (2n ** 24n))", ends: ["memory"] },
  {
    name: "json_amplify",
    source: 'const s = JSON.stringify(Array(2e6).fill("aa")); const k = []; for (;;) k.push(JSON.parse(s))',
    ends: ["memory", "wall"],
  },
  {
    name: "regexp_compile_flood",
    source:
      'const a = []; for (let i = 0; ; i++) a.push(new RegExp("(?:" + i + "|x){1,500}".repeat(20)).test("x".repeat(50)))',
    ends: ["memory", "wall", 1],
  },
  { name: "deep_recursion", source: "function f(n) { return f(n + 1) + 1 } f(0)", ends: [1] },
  {
    name: "prepare_stack_trace",
    source:
      'Error.prepareStackTrace = (e, frames) => { for (const f of frames) { const t = f.getThis && f.getThis(); const g = f.getFunction && f.getFunction(); if ((t && t.process) || (g && g.constructor !== Function)) console.log("BREACH:host frame " + f.getFileName()) } return "s" }; try { null.x } catch (e) { String(e.stack) } console.log("contained")',
    ends: [0],
  },
  {
    name: "dynamic_import",
    source:
      '(async () => { for (const m of ["fs", "node:fs", "node:child_process", "data:text/javascript,export default 1", "file:///etc/passwd"]) { try { await import(m); console.log("BREACH:" + m) } catch (e) { console.log("contained") } } })()',
    ends: [0],
  },
  {
    name: "host_reference_walk",
    source:
      'const seen = new Set(); const bad = []; (function walk(o, p, d) { if (o === null || (typeof o !== "object" && typeof o !== "function") || seen.has(o) || d > 5) return; seen.add(o); const n = Object.prototype.toString.call(o); if (/Reference|ExternalCopy|Isolate|Context\\b|Callback/.test(n) || typeof o.applySync === "function" || typeof o.derefInto === "function") bad.push(p); for (const k of Reflect.ownKeys(o)) { try { walk(o[k], p + "." + String(k), d + 1) } catch (e) {} } try { walk(Object.getPrototypeOf(o), p + ".__proto__", d + 1) } catch (e) {} })(globalThis, "globalThis", 0); console.log(bad.length ? "BREACH:" + bad.slice(0, 5) : "contained")',
    ends: [0],
  },
  {
    name: "console_hostile_args",
    source:
      "const evil = {toString() { for (;;); }, toJSON() { for (;;); }, get x() { for (;;); }, [Symbol.toPrimitive]() { for (;;); }}; console.log(evil)",
    ends: [0, "wall"],
  },
  { name: "console_huge_arg", source: 'console.log("x".repeat(400 << 20))', ends: ["memory", "output"] },
  {
    name: "return_proxy",
    source: "new Proxy({}, {get() { for (;;); }, ownKeys() { for (;;); }, getPrototypeOf() { for (;;); }})",
    ends: [0],
  },
  { name: "return_thenable", source: "({then(res) { for (;;); }})", ends: [0] },
  { name: "return_huge", source: "Array(5e7).fill(7)", ends: ["memory", "wall", 0] },
  { name: "throw_null", source: "throw null", ends: [1] },
  {
    name: "throw_toString_loop",
    source:
      'const e = new Error("x"); Object.defineProperty(e, "stack", {get() { for (;;); }}); Object.defineProperty(e, "message", {get() { for (;;); }}); throw e',
    ends: ["wall", 1],
  },
  {
    name: "symbol_species",
    source:
      "class A extends Array { static get [Symbol.species]() { return function () { return new Proxy([], {set() { for (;;); }}) } } } new A(1, 2, 3).map(x => x)",
    ends: [0, "wall"],
  },
  {
    name: "fake_duration",
    source:
      "Date.now = () => 0; if (globalThis.performance) performance.now = () => 0; let x = 0; for (let i = 0; i < 1e8; i++) x += i; console.log(x)",
    ends: [0],
  },
  {
    name: "timer_resolution",
    source:
      'let n = 0; const t = Date.now(); while (Date.now() - t < 5) n++; console.log(n > 0 ? "clock runs" : "clock frozen")',
    ends: [0],
  },
  {
    name: "bigint_power",
    source: "let a = 3n ** (10n ** 7n); a = a * a * a; console.log(String(a).length);",
    ends: ["wall", "memory"],
  },
  {
    name: "sparse_array_join",
    source: 'const a = []; a[4294967293] = 1; a.join("ab");',
    ends: ["wall", "memory", 1],
  },
  {
    name: "long_array_join",
    source: 'const a = [1]; a.length = 4e9; console.log(a.join(",").length);',
    ends: ["wall", "memory", 1],
  },
  {
    name: "getter_on_the_rejected",
    source:
      'const e = new Error("x"); Object.defineProperty(e, "stack", { get() { for (;;); } }); Promise.reject(e);',
    ends: ["wall"],
  },
  {
    name: "thrown_proxy",
    source: 'throw new Proxy(new Error("p"), { get() { for (;;); }, getPrototypeOf() { for (;;); } });',
    ends: [1, "wall"],
  },
  { name: "getter_on_the_value", source: "({ get x() { for (;;); } });", cell: true, ends: [0] },
  {
    name: "proxy_as_value",
    source: "new Proxy({}, { get() { for (;;); }, ownKeys() { for (;;); } })",
    cell: true,
    ends: [0],
  },
  { name: "thenable_as_value", source: "({ then() { for (;;); } })", cell: true, ends: [0, 1] },
  { name: "huge_value", source: "Array(5e7).fill(7)", cell: true, ends: ["wall", "memory", 0] },
  {
    name: "custom_inspect_loop",
    source: 'console.log({ [Symbol.for("nodejs.util.inspect.custom")]() { for (;;); } });',
    ends: ["wall"],
  },
  { name: "stdout_flood", source: 'for (;;) console.log("x".repeat(1000));', ends: ["output"] },
  { name: "stderr_flood", source: 'for (;;) process.stderr.write("x".repeat(1e6));', ends: ["output"] },
  {
    name: "flood_that_catches",
    source: 'for (;;) { try { console.log("x".repeat(1e5)); } catch {} }',
    ends: ["output"],
  },
  {
    name: "exit_that_goes_on",
    source: 'try { process.exit(3); } catch {} finally { for (;;) console.log("on"); }',
    ends: [3],
  },
  {
    name: "timer_flood",
    source: "const f = () => setTimeout(f, 0); f(); setInterval(() => {}, 1);",
    ends: ["wall", "cpu"],
  },
  { name: "tick_loop", source: "const f = () => process.nextTick(f); f();", ends: ["wall", "memory"] },
  { name: "immediate_loop", source: "const f = () => setImmediate(f); f();", ends: ["wall"] },
  {
    name: "sort_of_many",
    source: "const a = Array.from({ length: 3e7 }, Math.random); a.sort(); console.log(1);",
    ends: ["memory", "wall"],
  },
  {
    name: "symbol_flood",
    source: 'const a = []; for (;;) a.push(Symbol("x".repeat(100)));',
    ends: ["memory", "wall"],
  },
  {
    name: "poisoned_prototypes",
    source:
      'for (const p of [Array.prototype, Function.prototype, Map.prototype, String.prototype, Promise.prototype]) for (const k of Object.getOwnPropertyNames(p)) { try { if (k !== "constructor") p[k] = () => { throw new Error("poison"); }; } catch {} } console.log("text", { a: [1, new Map([[1, 2]])] }); process.exit(0);',
    ends: [0, 1, 7],
  },
  {
    name: "poisoned_object",
    source:
      'Object.prototype.get = Object.prototype.value = Object.prototype.then = function () { return 1; }; Object.defineProperty(Object.prototype, "exitCode", { get() { return 5; } }); console.log("text");',
    ends: [0, 1, 5],
  },
  { name: "sparse_output", source: "process.stdout.write(new Uint8Array(3e8));", ends: ["memory", "output"] },
  {
    name: "constructor_walk",
    source:
      'console.log(this.constructor.constructor("return typeof process.binding")(), process.mainModule, process.stdin.constructor.constructor("return this")() === globalThis);',
    ends: [0],
  },
  {
    name: "own_frames",
    source:
      'Error.prepareStackTrace = (_, frames) => frames; const frames = new Error("x").stack; console.log(frames.every((f) => f.getThis() === undefined || f.getThis() === module.exports || true));',
    ends: [0],
  },
  {
    name: "atomics_by_stealth",
    source:
      "console.log(typeof Atomics, typeof SharedArrayBuffer, typeof WebAssembly, new ArrayBuffer(8) instanceof ArrayBuffer);",
    ends: [0],
  },
  {
    name: "host_kept_answering",
    source: "for (;;) crypto.getRandomValues(new Uint8Array(65536));",
    ends: ["wall"],
  },
  {
    name: "host_kept_hashing",
    source: `const text = "x".repeat(1 << 24); for (;;) require("crypto").createHash("sha512").update(text).digest();`,
    ends: ["wall"],
  },
  {
    name: "out_of_the_wrapper",
    source: `}), console.log(Object.getOwnPropertyNames(globalThis).filter((name) => /^run_/.test(name)).map((name) => { globalThis[name] = () => console.log("BREACH"); return typeof globalThis[name]; }).join()), (function () {`,
    ends: [0, 1],
  },
];
