/** Programs aimed at V8 and at what stands around an isolate. */
import { type HostileProgram, MiB, text } from "../program.ts";

export const JAVASCRIPT: readonly HostileProgram[] = [
  {
    name: "js_infinite_loop",
    threat: "A loop without end.",
    runtime: "javascript",
    source: text`
      for (;;);
    `,
    limits: { wall_ms: 500 },
    outcomes: ["wall_limit"],
  },
  {
    name: "js_loop_in_catch",
    threat: "The end of the program is caught.",
    runtime: "javascript",
    source: text`
      for (;;) { try { for (;;); } catch (e) {} finally { continue; } }
    `,
    limits: { wall_ms: 500 },
    outcomes: ["wall_limit"],
  },
  {
    name: "js_regex_backtrack",
    threat: "A regular expression that backtracks.",
    runtime: "javascript",
    source: text`
      /(a+)+$/.exec("a".repeat(40) + "b")
    `,
    limits: { wall_ms: 500 },
    outcomes: ["wall_limit"],
  },
  {
    name: "js_string_replace_bomb",
    threat: "Long native string work.",
    runtime: "javascript",
    source: text`
      let s = "a".repeat(1 << 20); while (true) s.replaceAll("a", "b")
    `,
    limits: { wall_ms: 500 },
    outcomes: ["wall_limit", "memory_limit"],
    why: "garbage grows faster than it is collected on a slow machine",
  },
  {
    name: "js_json_parse_loop",
    threat: "A native parser that hears no termination.",
    runtime: "javascript",
    source: text`
      const s = "[" + "1,".repeat(2e6) + "1]"; while (true) JSON.parse(s)
    `,
    limits: { wall_ms: 500 },
    outcomes: ["wall_limit", "memory_limit"],
    why: "garbage grows faster than it is collected on a slow machine",
  },
  {
    name: "js_microtask_loop",
    threat: "Microtasks without end.",
    runtime: "javascript",
    source: text`
      const f = () => Promise.resolve().then(f); f()
    `,
    limits: { wall_ms: 500 },
    outcomes: ["wall_limit", "memory_limit"],
    why: "the queue of microtasks may grow",
  },
  {
    name: "js_await_loop",
    threat: "A loop of awaits.",
    runtime: "javascript",
    source: text`
      (async () => { while (true) await 0 })()
    `,
    limits: { wall_ms: 500 },
    outcomes: ["wall_limit"],
  },
  {
    name: "js_microtask_both",
    threat: "Loops in the program and in its microtasks.",
    runtime: "javascript",
    source: text`
      function bad() { Promise.resolve().then(() => { bad(); for (;;); }) } bad(); for (;;);
    `,
    limits: { wall_ms: 500 },
    outcomes: ["wall_limit"],
  },
  {
    name: "js_async_after_return",
    threat:
      "A timer is still open at the end of the source: it runs, as under Node, inside the call's own time.",
    runtime: "javascript",
    source: text`
      if (typeof setTimeout === "function") setTimeout(() => console.log("late output"), 200); else console.log("contained"); "returned"
    `,
    outcomes: ["completed"],
    prints: "late output\n",
  },
  {
    name: "js_unhandled_rejection",
    threat: "Rejections that nobody handles.",
    runtime: "javascript",
    source: text`
      Promise.reject(new Error("x")); Promise.reject(null); "ok"
    `,
    outcomes: ["failed"],
    exitCode: 1,
  },
  {
    name: "js_atomics_waitasync",
    threat: "Waiting on shared memory.",
    runtime: "javascript",
    source: text`
      const i = new Int32Array(new SharedArrayBuffer(4)); if (Atomics.waitAsync) Atomics.waitAsync(i, 0, 0, 1e9).value?.then(() => console.log("BREACH")); "returned"
    `,
    outcomes: ["completed", "failed"],
    why: "there is no SharedArrayBuffer; with one it must end all the same",
    prints: "",
  },
  {
    name: "js_finalization_loop",
    threat: "A finalizer that never ends.",
    runtime: "javascript",
    source: text`
      const r = new FinalizationRegistry(() => { for (;;); }); for (let i = 0; i < 1e5; i++) r.register({}, i); "done"
    `,
    limits: { wall_ms: 500 },
    outcomes: ["completed", "wall_limit"],
    why: "finalizers run or do not as the collector pleases",
    whenCompleted: "",
  },
  {
    name: "js_array_balloon",
    threat: "Arrays without end.",
    runtime: "javascript",
    source: text`
      const a = []; for (;;) a.push(new Array(1e5).fill(Math.random()))
    `,
    limits: { wall_ms: 1500, memory_bytes: 128 * MiB },
    outcomes: ["memory_limit", "wall_limit"],
    why: "a slow machine reaches the wall limit first",
  },
  {
    name: "js_string_balloon",
    threat: "A string that doubles.",
    runtime: "javascript",
    source: text`
      let s = "x"; for (;;) { s = s + s + "y"; }
    `,
    outcomes: ["failed", "memory_limit"],
    why: "the longest string is reached before or after the memory limit",
  },
  {
    name: "js_arraybuffer_touch",
    threat: "Buffers outside the heap.",
    runtime: "javascript",
    source: text`
      const a = []; for (;;) a.push(new Uint8Array(16 << 20).fill(1))
    `,
    limits: { wall_ms: 5000, memory_bytes: 128 * MiB },
    outcomes: ["memory_limit"],
  },
  {
    name: "js_wasm_memory",
    threat: "WebAssembly memory.",
    runtime: "javascript",
    source: text`
      if (typeof WebAssembly === "undefined") console.log("contained"); else { const a = []; for (;;) { const m = new WebAssembly.Memory({initial: 1024, maximum: 65536}); new Uint8Array(m.buffer).fill(1); a.push(m) } }
    `,
    outcomes: ["completed", "memory_limit"],
    why: "there is no WebAssembly; with one its memory counts",
    whenCompleted: /^contained/,
  },
  {
    name: "js_wasm_infinite_loop",
    threat: "A loop in WebAssembly.",
    runtime: "javascript",
    source: text`
      if (typeof WebAssembly === "undefined") console.log("contained"); else { const b = new Uint8Array([0,97,115,109,1,0,0,0,1,4,1,96,0,0,3,2,1,0,7,5,1,1,102,0,0,10,9,1,7,0,3,64,12,0,11,11]); new WebAssembly.Instance(new WebAssembly.Module(b)).exports.f() }
    `,
    limits: { wall_ms: 500 },
    outcomes: ["completed", "wall_limit"],
    why: "there is no WebAssembly; with one it is ended",
    whenCompleted: /^contained/,
  },
  {
    name: "js_map_growth",
    threat: "A table whose growth is one large allocation.",
    runtime: "javascript",
    source: text`
      const m = new Map(); for (let i = 0; ; i++) m.set(i, {i})
    `,
    limits: { wall_ms: 1500, memory_bytes: 128 * MiB },
    outcomes: ["memory_limit", "wall_limit"],
    why: "a slow machine reaches the wall limit first",
  },
  {
    name: "js_function_flood",
    threat: "Functions compiled without end.",
    runtime: "javascript",
    source: text`
      const f = []; for (let i = 0; ; i++) f.push(new Function("return " + i))
    `,
    limits: { wall_ms: 1000 },
    outcomes: ["memory_limit", "wall_limit"],
    why: "code is garbage too: it grows to the limit or goes on to the wall",
  },
  {
    name: "js_bigint_alloc",
    threat: "Large BigInts.",
    runtime: "javascript",
    source: text`
      let a = []; for (;;) a.push(2n ** (2n ** 24n))
    `,
    limits: { wall_ms: 2000, memory_bytes: 128 * MiB },
    outcomes: ["memory_limit", "wall_limit"],
    why: "a slow machine reaches the wall limit first",
  },
  {
    name: "js_json_amplify",
    threat: "A parsed text that takes many times its length.",
    runtime: "javascript",
    source: text`
      const s = JSON.stringify(Array(2e6).fill("aa")); const k = []; for (;;) k.push(JSON.parse(s))
    `,
    limits: { wall_ms: 1500, memory_bytes: 128 * MiB },
    outcomes: ["memory_limit", "wall_limit"],
    why: "a slow machine reaches the wall limit first",
  },
  {
    name: "js_regexp_compile_flood",
    threat: "Regular expressions compiled without end.",
    runtime: "javascript",
    source: text`
      const a = []; for (let i = 0; ; i++) a.push(new RegExp("(?:" + i + "|x){1,500}".repeat(20)).test("x".repeat(50)))
    `,
    limits: { wall_ms: 1000 },
    outcomes: ["failed", "memory_limit", "wall_limit"],
    why: "the engine may refuse the expression's size",
  },
  {
    name: "js_deep_recursion",
    threat: "Recursion without end.",
    runtime: "javascript",
    source: text`
      function f(n) { return f(n + 1) + 1 } f(0)
    `,
    outcomes: ["failed"],
    exitCode: 1,
    error: "RangeError",
  },
  {
    name: "js_prepare_stack_trace",
    threat: "Stack frames that lead into the host.",
    runtime: "javascript",
    source: text`
      Error.prepareStackTrace = (e, frames) => { for (const f of frames) { const t = f.getThis && f.getThis(); const g = f.getFunction && f.getFunction(); if ((t && t.process) || (g && g.constructor !== Function)) console.log("BREACH:host frame " + f.getFileName()) } return "s" }; try { null.x } catch (e) { String(e.stack) } console.log("contained")
    `,
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "js_host_globals",
    threat: "Globals of the host; those that Node programs use are our own and lead nowhere.",
    runtime: "javascript",
    source: text`
      const bad = ["fetch", "Deno", "Bun", "Worker", "importScripts", "ivm", "isolate", "internalBinding", "XMLHttpRequest", "WebSocket"].filter(k => { try { return typeof globalThis[k] !== "undefined" } catch (e) { return true } }); console.log(bad.length ? "BREACH:" + bad : "contained")
    `,
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "js_dynamic_import",
    threat: "Modules that reach the machine.",
    runtime: "javascript",
    source: text`
      (async () => { for (const m of ["node:child_process", "node:net", "data:text/javascript,export default 1", "file:///etc/passwd"]) { try { await import(m); console.log("BREACH:" + m) } catch (e) { console.log("contained") } } })()
    `,
    outcomes: ["completed"],
    prints: "contained\n".repeat(4),
  },
  {
    name: "js_host_reference_walk",
    threat: "A reference of the host, by a walk over everything there is.",
    runtime: "javascript",
    source: text`
      const seen = new Set(); const bad = []; (function walk(o, p, d) { if (o === null || (typeof o !== "object" && typeof o !== "function") || seen.has(o) || d > 5) return; seen.add(o); const n = Object.prototype.toString.call(o); if (/Reference|ExternalCopy|Isolate|Context\b|Callback/.test(n) || typeof o.applySync === "function" || typeof o.derefInto === "function") bad.push(p); for (const k of Reflect.ownKeys(o)) { try { walk(o[k], p + "." + String(k), d + 1) } catch (e) {} } try { walk(Object.getPrototypeOf(o), p + ".__proto__", d + 1) } catch (e) {} })(globalThis, "globalThis", 0); console.log(bad.length ? "BREACH:" + bad.slice(0, 5) : "contained")
    `,
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "js_console_hostile_args",
    threat: "An argument of console.log that never returns when it is read.",
    runtime: "javascript",
    source: text`
      const evil = {toString() { for (;;); }, toJSON() { for (;;); }, get x() { for (;;); }, [Symbol.toPrimitive]() { for (;;); }}; console.log(evil)
    `,
    limits: { wall_ms: 500 },
    outcomes: ["completed", "wall_limit"],
    why: "whether the console reads getters is Node's affair",
    whenCompleted: /Getter|toString/,
  },
  {
    name: "js_console_huge_arg",
    threat: "One line of 400 MB.",
    runtime: "javascript",
    source: text`
      console.log("x".repeat(400 << 20))
    `,
    limits: { wall_ms: 1000, output_bytes: 65536 },
    outcomes: ["output_limit", "memory_limit", "wall_limit", "failed"],
    why: "whichever limit is met first",
  },
  {
    name: "js_return_proxy",
    threat: "A value that never returns when it is looked at.",
    runtime: "javascript",
    source: text`
      new Proxy({}, {get() { for (;;); }, ownKeys() { for (;;); }, getPrototypeOf() { for (;;); }})
    `,
    limits: { wall_ms: 500 },
    cell: true,
    outcomes: ["completed", "wall_limit"],
    why: "the value of a cell is shown inside the call's own time",
    prints: "",
  },
  {
    name: "js_return_thenable",
    threat: "A value that is taken for a promise.",
    runtime: "javascript",
    source: text`
      ({then(res) { for (;;); }})
    `,
    limits: { wall_ms: 500 },
    cell: true,
    outcomes: ["completed", "wall_limit"],
    why: "the value of a cell is shown inside the call's own time",
    prints: "",
  },
  {
    name: "js_return_huge",
    threat: "A value larger than any answer.",
    runtime: "javascript",
    source: text`
      Array(5e7).fill(7)
    `,
    limits: { wall_ms: 2000 },
    cell: true,
    outcomes: ["completed", "memory_limit", "wall_limit"],
    why: "whichever limit is met first",
    prints: "",
  },
  {
    name: "js_throw_null",
    threat: "null is thrown.",
    runtime: "javascript",
    source: text`
      throw null
    `,
    outcomes: ["failed"],
    exitCode: 1,
  },
  {
    name: "js_throw_toString_loop",
    threat: "An error that never returns when it is shown.",
    runtime: "javascript",
    source: text`
      const e = new Error("x"); Object.defineProperty(e, "stack", {get() { for (;;); }}); Object.defineProperty(e, "message", {get() { for (;;); }}); throw e
    `,
    limits: { wall_ms: 500 },
    outcomes: ["failed", "wall_limit"],
    why: "whether it is read is Node's affair",
  },
  {
    name: "js_symbol_species",
    threat: "An array whose copies are proxies.",
    runtime: "javascript",
    source: text`
      class A extends Array { static get [Symbol.species]() { return function () { return new Proxy([], {set() { for (;;); }}) } } } new A(1, 2, 3).map(x => x)
    `,
    limits: { wall_ms: 500 },
    cell: true,
    outcomes: ["completed", "wall_limit"],
    why: "assignment may or may not reach the proxy's trap",
    prints: "",
  },
  {
    name: "js_fake_duration",
    threat: "The program's own clock stands still.",
    runtime: "javascript",
    source: text`
      Date.now = () => 0; if (globalThis.performance) performance.now = () => 0; let x = 0; for (let i = 0; i < 1e8; i++) x += i; console.log(x)
    `,
    limits: { wall_ms: 20000 },
    outcomes: ["completed"],
    prints: "4999999950000000\n",
    wallMsMin: 10,
  },
  {
    name: "js_timer_resolution",
    threat: "A clock fine enough to time a neighbour's work.",
    runtime: "javascript",
    source: text`
      let n = 0; const t = Date.now(); while (Date.now() - t < 5) n++; console.log(n > 0 ? "clock runs" : "clock frozen")
    `,
    outcomes: ["completed"],
    says: [/^(?:clock runs|clock frozen)\n$/],
  },
  {
    name: "js_globals_plant",
    threat: "Prototypes and globals are left changed.",
    runtime: "javascript",
    source: text`
      globalThis.planted = 1; Array.prototype.evil = 1; Object.prototype.evil2 = 1; JSON.parse = () => "owned"; console.log("planted")
    `,
    outcomes: ["completed"],
    prints: "planted\n",
  },
  {
    name: "js_globals_check",
    threat: "What a previous call changed is found.",
    runtime: "javascript",
    source: text`
      console.log(typeof planted !== "undefined" || [].evil || ({}).evil2 || JSON.parse("1") !== 1 ? "BREACH" : "contained")
    `,
    outcomes: ["completed"],
    prints: "contained\n",
    after: "js_globals_plant",
  },
  {
    name: "js_parallel_neighbour",
    threat: "A call beside others that loop and balloon.",
    runtime: "javascript",
    source: text`
      const t = Date.now(); let n = 0; while (Date.now() - t < 100) n++; console.log("ok")
    `,
    limits: { wall_ms: 20000 },
    outcomes: ["completed"],
    prints: "ok\n",
  },
  {
    name: "js_heap_catastrophe",
    threat: "An allocation that V8 itself dies of.",
    runtime: "javascript",
    source: text`
      const a = []; a.length = 2 ** 26; for (let i = 0; ; i++) a[i] = { i, a: new Array(100).fill(i) }
    `,
    limits: { wall_ms: 3000, memory_bytes: 128 * MiB },
    outcomes: ["memory_limit", "wall_limit", "failed"],
    why: "a slow machine reaches the wall limit first, or the array is refused",
  },
  {
    name: "js_sparse_join",
    threat: "A join that asks for more than a heap.",
    runtime: "javascript",
    source: text`
      const a = []; a[2 ** 31] = 1; a.join('x'.repeat(100))
    `,
    limits: { wall_ms: 2000, memory_bytes: 128 * MiB },
    outcomes: ["failed", "memory_limit", "wall_limit"],
    why: "refused as too long a string, or a limit",
  },
  {
    name: "js_typed_array_spray",
    threat: "Many small buffers, each outside of the heap.",
    runtime: "javascript",
    source: text`
      const a = []; for (;;) a.push(new Float64Array(1000).fill(1.5))
    `,
    limits: { wall_ms: 5000, memory_bytes: 128 * MiB },
    outcomes: ["memory_limit", "wall_limit"],
    why: "a slow machine reaches the wall limit first",
  },
  {
    name: "js_resizable_buffer",
    threat: "A buffer that grows in place.",
    runtime: "javascript",
    source: text`
      const b = new ArrayBuffer(1024, { maxByteLength: 2 ** 31 }); try { for (let n = 1024; ; n *= 2) { b.resize(n); new Uint8Array(b).fill(1); } } catch (e) { console.log(e.constructor.name) }
    `,
    limits: { wall_ms: 5000, memory_bytes: 128 * MiB },
    outcomes: ["completed", "memory_limit", "wall_limit", "failed"],
    why: "refused, or ended at a limit",
    whenCompleted: /^RangeError\n$/,
  },
  {
    name: "js_spread_bomb",
    threat: "Arguments that overflow the stack.",
    runtime: "javascript",
    source: text`
      Math.max(...new Array(1e7).fill(0))
    `,
    limits: { wall_ms: 5000 },
    outcomes: ["failed", "memory_limit"],
    why: "the stack overflows, or the array is more than the memory",
  },
  {
    name: "js_bigint_power",
    threat: "A native loop that hears no termination.",
    runtime: "javascript",
    source: text`
      console.log('a'); 7n ** (7n ** 9n)
    `,
    limits: { wall_ms: 500 },
    outcomes: ["wall_limit", "failed", "memory_limit"],
    why: "too large a BigInt is refused at once by some versions",
    prints: "a\n",
  },
  {
    name: "js_sort_comparator",
    threat: "A comparator that never returns.",
    runtime: "javascript",
    source: text`
      [3, 1, 2].sort(() => { for (;;); })
    `,
    limits: { wall_ms: 500 },
    outcomes: ["wall_limit"],
  },
  {
    name: "js_native_sort",
    threat: "A native sort of millions.",
    runtime: "javascript",
    source: text`
      const a = Array.from({ length: 3e6 }, () => String(Math.random())); for (;;) a.toSorted()
    `,
    limits: { wall_ms: 800 },
    outcomes: ["wall_limit", "memory_limit"],
    why: "copies may be more than the memory",
  },
  {
    name: "js_getter_on_error",
    threat: "An error whose fields never return.",
    runtime: "javascript",
    source: text`
      throw Object.defineProperties(new Error(), { message: { get() { for (;;); } }, name: { get() { for (;;); } }, stack: { get() { for (;;); } }, cause: { get() { for (;;); } } })
    `,
    limits: { wall_ms: 500 },
    outcomes: ["failed", "wall_limit"],
    why: "whether it is read is Node's affair",
  },
  {
    name: "js_proxy_thrown",
    threat: "A proxy that never returns is thrown.",
    runtime: "javascript",
    source: text`
      throw new Proxy({}, { get() { for (;;); }, getPrototypeOf() { for (;;); }, ownKeys() { for (;;); }, getOwnPropertyDescriptor() { for (;;); } })
    `,
    limits: { wall_ms: 500 },
    outcomes: ["failed", "wall_limit"],
    why: "whether it is looked at is Node's affair",
  },
  {
    name: "js_value_getter",
    threat: "A value of a cell whose inspection never returns.",
    runtime: "javascript",
    source: text`
      ({ [Symbol.for('nodejs.util.inspect.custom')]() { for (;;); } })
    `,
    limits: { wall_ms: 500 },
    cell: true,
    outcomes: ["wall_limit", "completed"],
    why: "a custom inspection is called or not",
    prints: "",
  },
  {
    name: "js_value_huge_string",
    threat: "A value longer than any answer.",
    runtime: "javascript",
    source: text`
      'x'.repeat(2 ** 28)
    `,
    limits: { wall_ms: 5000 },
    cell: true,
    outcomes: ["completed", "memory_limit", "wall_limit", "failed"],
    why: "cut, or ended at a limit",
    prints: "",
  },
  {
    name: "js_prototype_pollution",
    threat: "Prototypes are changed under the feet of whatever runs at the end.",
    runtime: "javascript",
    source: text`
      for (const c of [Object, Array, String, Function, Promise, Map, Set, Error, RegExp, Uint8Array]) for (const k of Reflect.ownKeys(c.prototype)) { try { Object.defineProperty(c.prototype, k, { get() { throw "BREACH"; }, set() {}, configurable: true }); } catch {} }
      for (const k of ["then", "toJSON", "type", "kind", "outcome", "exitCode", "error", "constructor", "length", "0"]) try { Object.defineProperty(Object.prototype, k, { get() { return "polluted"; }, set() {}, configurable: true }); } catch {}
    `,
    limits: { wall_ms: 5000 },
    outcomes: ["completed", "failed"],
    why: "what the program broke is its own; the end may meet it",
  },
  {
    name: "js_json_polluted",
    threat: "JSON and the report's makers are replaced.",
    runtime: "javascript",
    source: text`
      JSON.stringify = () => '{"outcome":"completed"}'; JSON.parse = () => 1; String.prototype.slice = () => ''; Array.prototype.push = () => 0; throw new TypeError('mine')
    `,
    outcomes: ["failed"],
    exitCode: 1,
    error: "TypeError",
  },
  {
    name: "js_constructor_escape",
    threat: "The host's Function by way of constructors.",
    runtime: "javascript",
    source: text`
      const found = [];
      for (const f of [() => globalThis.constructor.constructor("return process")(), () => console.log.constructor("return process")(), () => setTimeout.constructor("return this")(), () => (async () => {}).constructor("return process")(), () => require.constructor("return process")(), () => Error.captureStackTrace.constructor("return process")()]) {
        try { const p = f(); if (p && (p.mainModule || p._linkedBinding || p.dlopen || (p.binding && p.binding("fs")))) found.push(String(f)); } catch {}
      }
      console.log(found.length ? "BREACH:" + found : "contained");
    `,
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "js_require_host",
    threat: "Modules that reach the machine, by require.",
    runtime: "javascript",
    source: text`
      for (const m of ["child_process", "net", "http", "https", "dgram", "dns", "worker_threads", "cluster", "vm", "v8", "inspector", "module", "isolated-vm", "/opt/rollcall/src/index.ts", "../../../etc/passwd", "internal/bootstrap/realm"]) {
        try { const x = require(m); console.log(x && Object.keys(x).some((k) => /^(spawn|exec|createServer|connect|Worker|Script|createSocket|open|setFlagsFromString)$/.test(k)) ? "BREACH:" + m : "contained"); } catch { console.log("contained"); }
      }
    `,
    outcomes: ["completed"],
    prints: "contained\n".repeat(16),
  },
  {
    name: "js_host_files",
    threat: "Files of the host by fs, if there is one.",
    runtime: "javascript",
    source: text`
      const fs = require("fs");
      for (const p of ["/etc/passwd", "/etc/hostname", "/proc/self/environ", "/opt/node/bin/node", "/usr/bin/env", "/run/rollcall/control.sock"]) { try { console.log(fs.readFileSync(p).length > 0 ? "BREACH:" + p : "contained"); } catch { console.log("contained"); } }
    `,
    outcomes: ["completed"],
    prints: "contained\n".repeat(6),
  },
  {
    name: "js_process_powers",
    threat: "What the process object could do.",
    runtime: "javascript",
    source: text`
      for (const f of [() => process.kill(1, 9), () => process.binding("fs").open, () => process.dlopen({ exports: {} }, "/x"), () => process.chdir("/proc"), () => process.setuid(0), () => process.abort(), () => process._linkedBinding("x"), () => process.report.getReport()]) { try { const x = f(); console.log(x === undefined || x === false ? "contained" : "BREACH:" + f); } catch { console.log("contained"); } }
    `,
    outcomes: ["completed", "signaled", "failed"],
    why: "abort may end the program",
    whenCompleted: "contained\ncontained\ncontained\ncontained\ncontained\ncontained\ncontained\ncontained\n",
  },
  {
    name: "js_environment",
    threat: "The host's environment and arguments.",
    runtime: "javascript",
    source: text`
      const seen = JSON.stringify([process.env, process.argv, process.execArgv, process.cwd()]);
      console.log(/TOKEN|SECRET|PASS|AWS|control\.sock|forkserver|ROLLCALL_HOST/i.test(seen) ? "BREACH:" + seen : "contained");
    `,
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "js_atomics_wait",
    threat: "A wait that freezes the thread.",
    runtime: "javascript",
    source: text`
      if (typeof Atomics === 'undefined' || typeof SharedArrayBuffer === 'undefined') console.log('contained'); else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
    `,
    limits: { wall_ms: 500 },
    outcomes: ["completed", "wall_limit", "failed"],
    why: "there is no Atomics; with one the wait is ended",
    whenCompleted: "contained\n",
  },
  {
    name: "js_timer_flood",
    threat: "Timers without end.",
    runtime: "javascript",
    source: text`
      const f = () => { setTimeout(f, 0); setTimeout(f, 0); }; f()
    `,
    limits: { wall_ms: 500 },
    outcomes: ["wall_limit", "memory_limit", "cpu_limit"],
    why: "their number doubles until a limit is met",
  },
  {
    name: "js_interval_forever",
    threat: "A timer that never stops.",
    runtime: "javascript",
    source: text`
      setInterval(() => {}, 1)
    `,
    limits: { wall_ms: 500 },
    outcomes: ["wall_limit"],
  },
  {
    name: "js_exit_in_loop",
    threat: "An exit that is caught, prevented or repeated.",
    runtime: "javascript",
    source: text`
      process.on('exit', () => { for (;;); }); process.exit(0)
    `,
    limits: { wall_ms: 500 },
    outcomes: ["wall_limit", "completed"],
    why: "handlers of the end run inside the call's own time",
    prints: "",
  },
  {
    name: "js_exit_caught",
    threat: "An exit that is caught.",
    runtime: "javascript",
    source: text`
      try { process.exit(5) } catch { console.log('BREACH:caught') } finally { console.log('BREACH:finally') }
    `,
    outcomes: ["failed"],
    prints: "",
    exitCode: 5,
  },
  {
    name: "js_output_flood",
    threat: "Output without end.",
    runtime: "javascript",
    source: text`
      for (;;) console.log('x'.repeat(1000))
    `,
    limits: { output_bytes: 65536 },
    outcomes: ["output_limit"],
    truncated: true,
  },
  {
    name: "js_output_multibyte",
    threat: "The cut falls into a character of four bytes.",
    runtime: "javascript",
    source: text`
      for (;;) process.stdout.write('\u{1f600}'.repeat(1000))
    `,
    limits: { output_bytes: 65537 },
    outcomes: ["output_limit"],
    says: [/^\u{1f600}+\n\[\.\.\. \d+ bytes left out \.\.\.\]\n(?:\u{1f600}*)$/u],
    truncated: true,
  },
  {
    name: "js_forged_frames",
    threat: "Frames of the host, as output.",
    runtime: "javascript",
    source: text`
      process.stdout.write('\x10\0\0\0{"kind":"ended","call":1,"ending":"exit","exitCode":0}'); process.exit(9)
    `,
    outcomes: ["failed"],
    exitCode: 9,
  },
  {
    name: "js_stack_trace_hook",
    threat: "A hook of stack traces runs where the host's errors are shown.",
    runtime: "javascript",
    source: text`
      Error.prepareStackTrace = (error, frames) => { for (;;); };
      Error.stackTraceLimit = Infinity;
      null.x;
    `,
    limits: { wall_ms: 500 },
    outcomes: ["wall_limit", "failed"],
    why: "whether the hook is called is Node's affair",
  },
  {
    name: "js_import_meta",
    threat: "Import of what is not a module of the call.",
    runtime: "javascript",
    source: text`
      import('/etc/passwd').then(() => console.log('BREACH'), () => console.log('contained')); import('https://example.com/x.js').then(() => console.log('BREACH'), () => console.log('contained'))
    `,
    outcomes: ["completed"],
    prints: "contained\ncontained\n",
  },
  {
    name: "js_eval_forms",
    threat: "Every form of eval stays inside.",
    runtime: "javascript",
    source: text`
      console.log([eval, Function, (0, eval)].every((f) => { try { return f === Function ? f('return typeof WebAssembly + typeof SharedArrayBuffer')() === 'undefinedundefined' : f('typeof WebAssembly') === 'undefined' } catch { return true } }) ? 'contained' : 'BREACH')
    `,
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "js_realm",
    threat: "Another realm with what this one lacks.",
    runtime: "javascript",
    source: text`
      const found = []; try { const vm = require('vm'); found.push(vm.runInNewContext('typeof process')) } catch {} try { found.push(new ShadowRealm().evaluate('typeof process')) } catch {} console.log(found.includes('object') ? 'BREACH' : 'contained')
    `,
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "js_weak_finalizers_plant",
    threat: "Finalizers and timers that wait for the call's end.",
    runtime: "javascript",
    source: text`
      globalThis.keep = new FinalizationRegistry(() => console.log('BREACH:finalizer')); for (let i = 0; i < 1e4; i++) keep.register({}, i); setTimeout(() => console.log('BREACH:timer'), 1e6).unref?.(); console.log('planted')
    `,
    outcomes: ["completed"],
    prints: "planted\n",
  },
  {
    name: "js_weak_finalizers_check",
    threat: "Finalizers and timers of a previous call run in this one.",
    runtime: "javascript",
    source: text`
      const t = Date.now(); let a = []; while (Date.now() - t < 100) a = new Array(1e4).fill({}); console.log(typeof keep === 'undefined' ? 'contained' : 'BREACH')
    `,
    outcomes: ["completed"],
    prints: "contained\n",
    after: "js_weak_finalizers_plant",
  },
  {
    name: "js_files_plant",
    threat: "Files are left behind.",
    runtime: "javascript",
    source: text`
      require('fs').writeFileSync('left.txt', 'x'); require('fs').writeFileSync('/tmp/left.txt', 'x'); console.log('planted')
    `,
    outcomes: ["completed"],
    prints: "planted\n",
  },
  {
    name: "js_files_check",
    threat: "Files of a previous call are found.",
    runtime: "javascript",
    source: text`
      const fs = require('fs'); console.log(fs.existsSync('left.txt') || fs.existsSync('/tmp/left.txt') ? 'BREACH' : 'contained')
    `,
    outcomes: ["completed"],
    prints: "contained\n",
    after: "js_files_plant",
  },
  {
    name: "js_random_state",
    threat: "Random state shared by all calls of a slot.",
    runtime: "javascript",
    source: text`
      console.log(Math.random(), require('crypto').randomBytes(8).toString('hex'), crypto.randomUUID())
    `,
    outcomes: ["completed"],
    says: [/^0\.\d+(?:e-\d+)? [0-9a-f]{16} [0-9a-f-]{36}\n$/],
    distinct: 3,
  },
];
