/**
 * An isolate that has Node's library loaded and waits for its one call. Made while the thread is idle; a call
 * with another memory limit than the one it was made for gets a new one.
 */
import vm from "node:vm";
import ivm from "isolated-vm";
import { createCapture } from "./capture.ts";
import { guestCallbacks, type GuestListener } from "./guest-callbacks.ts";
import { guestLibrarySource } from "./guest-library.ts";

type GuestFunction = (...args: unknown[]) => unknown;

export interface WarmIsolate {
  readonly isolate: ivm.Isolate;
  readonly context: ivm.Context;
  /** An export of prelude/guest/main.js; only while the isolate runs nothing. */
  entry(name: string): ivm.Reference<GuestFunction>;
  readonly memoryBytes: number;
  /** What the library itself takes of the heap. */
  readonly idleBytes: number;
  /** Set to the run that the isolate's callbacks speak to. */
  listener: GuestListener | undefined;
  /** Called when V8 has lost control of the isolate: its thread sleeps for ever. */
  onCatastrophe: () => void;
}

const LIBRARY_FILE = "node:internal/guest";
const MiB = 1 << 20;
const MEMORY_MIB_MIN = 16;

/** Source of the library and V8's compiled form of all of it that a small program makes V8 compile. */
export class GuestLibrary {
  readonly #source = guestLibrarySource();
  readonly #compiled: ivm.ExternalCopy<ArrayBuffer>;

  constructor() {
    // isolated-vm makes cached data before the first run, when V8 has compiled next to nothing; Node's own vm
    // makes it after. With it a realm takes 3.5 ms instead of 19.
    const script = new vm.Script(this.#source, { filename: LIBRARY_FILE });
    exercise(script);
    const { buffer, byteOffset, length } = script.createCachedData();
    this.#compiled = new ivm.ExternalCopy(buffer.slice(byteOffset, byteOffset + length));
  }

  /** On this thread, which waits for the next run anyway; V8 does in 5.5 ms what takes 6.5 from thread to thread. */
  makeIsolate(memoryBytes: number): WarmIsolate {
    const isolate = new ivm.Isolate({
      memoryLimit: Math.max(MEMORY_MIB_MIN, Math.floor(memoryBytes / MiB)),
      onCatastrophicError: () => warm.onCatastrophe(),
    });
    const context = isolate.createContextSync();
    const script = isolate.compileScriptSync(this.#source, {
      filename: LIBRARY_FILE,
      cachedData: this.#compiled,
    });
    const main: ivm.Reference<Record<string, GuestFunction>> = script.runSync(context, { reference: true });
    const callbacks = guestCallbacks(() => warm.listener);
    main
      .getSync("connect", { reference: true })
      .applySync(undefined, [Object.keys(callbacks).join(","), ...Object.values(callbacks)]);
    const heap = isolate.getHeapStatisticsSync();
    const warm: WarmIsolate = {
      isolate,
      context,
      entry: (name) => main.getSync(name, { reference: true }),
      memoryBytes,
      idleBytes: heap.total_heap_size + heap.externally_allocated_size,
      listener: undefined,
      onCatastrophe: () => undefined,
    };
    // The first entry by another thread costs it 0.6 ms; a program's own would come too late.
    isolate.compileScript("0").catch(() => undefined);
    return warm;
  }
}

/** Runs the library here once, on our own small program, so that V8 compiles what most programs use. */
function exercise(script: vm.Script): void {
  const context = vm.createContext({});
  vm.runInContext("delete globalThis.console", context);
  const main = script.runInContext(context) as Record<string, GuestFunction>;
  const callbacks = guestCallbacks(() => undefined);
  main["connect"]?.(Object.keys(callbacks).join(","), ...Object.values(callbacks));
  const header = {
    file: "/work/main.js",
    outputBytes: 65_536,
    collect: [],
    version: "",
    versions: {},
    args: [],
    env: {},
    isStdinText: true,
    files: [],
  };
  main["begin"]?.(JSON.stringify(header), createCapture(header.outputBytes), "", "");
  main["runScript"]?.(
    vm.runInContext(
      `(() => { console.log("%s", 1, { a: [1, "b", null], m: new Map([[1, {}]]) }, new Set([1]), [1.5, -0], () => 1, class A {}, new Date(0), /a/); console.log(new Error("x")); setTimeout(() => {}, 0); Promise.resolve().then(() => 1); })`,
      context,
    ),
  );
  main["turn"]?.();
}
