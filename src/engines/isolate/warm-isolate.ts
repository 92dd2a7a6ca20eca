/**
 * An isolate that waits for its one call. It starts as a copy of a snapshot that has what every program needs;
 * nearly all of Node's library it gets when its program first needs some of it.
 */
import ivm from "isolated-vm";
import { createCapture } from "./capture.ts";
import { guestCallback, type GuestListener } from "./guest-callbacks.ts";
import { guestLibrarySource } from "./guest-library.ts";

type Entry = (name: string, ...args: unknown[]) => unknown;

export interface WarmIsolate {
  readonly isolate: ivm.Isolate;
  readonly context: ivm.Context;
  /** Of the name of an export of prelude/guest/main.js and its arguments; only while the isolate runs nothing. */
  readonly enter: ivm.Reference<Entry>;
  readonly memoryBytes: number;
  /** What the library itself takes of the heap. */
  readonly idleBytes: number;
  /** Set to the run that the isolate's callbacks speak to. */
  listener: GuestListener | undefined;
  /** Called when V8 has lost control of the isolate: its thread sleeps for ever. */
  onCatastrophe: () => void;
}

const LIBRARY_FILE = "node:internal/guest";
const ENTRY = "__enter";
const MiB = 1 << 20;
const MEMORY_MIB_MIN = 16;
const EXERCISE_MEMORY_BYTES = 64 * MiB;

const HEADER = {
  file: "/work/main.js",
  runner: "run",
  outputBytes: 65_536,
  collect: [],
  version: "",
  versions: {},
  args: [],
  env: {},
  isStdinText: true,
  files: [],
};
/** Bytecode of what it runs is in the snapshot: compiling that anew would take each program longer. */
const SNAPSHOT_EXERCISE = `{
  const enter = globalThis.${ENTRY};
  enter("connect", () => undefined);
  enter("begin", ${JSON.stringify(JSON.stringify(HEADER))}, new ArrayBuffer(64 + 2 * ${HEADER.outputBytes}), "", "");
  globalThis[${JSON.stringify(HEADER.runner)}](() => console.log("text", 1));
  enter("endIfIdle");
  enter("turn");
}`;
const LIBRARY_EXERCISE = `(() => { console.log("%s", 1, { a: [1, "b", null], m: new Map([[1, {}]]) }, new Set([1]), [1.5, -0], () => 1, class A {}, new Date(0), /a/); console.log(new Error("x")); setTimeout(() => {}, 0); Promise.resolve().then(() => 1); })`;

export class GuestLibrary {
  readonly #snapshot: ivm.ExternalCopy<ArrayBuffer>;
  readonly #rest: string;
  readonly #compiledRest: ivm.ExternalCopy<ArrayBuffer> | undefined;

  constructor() {
    const { core, rest } = guestLibrarySource();
    this.#rest = rest;
    this.#snapshot = ivm.Isolate.createSnapshot(
      [{ code: `globalThis.${ENTRY} = ${core}`, filename: LIBRARY_FILE }],
      SNAPSHOT_EXERCISE,
    );
    this.#compiledRest = this.#exercise();
  }

  /**
   * V8 takes compiled code only into isolates of the snapshot that it was made beside, and isolated-vm hands it out
   * only when it compiles, when next to nothing is. So the library runs here once, on our own small program, and
   * is compiled again: V8 finds the script that ran, with all functions that most programs use.
   */
  #exercise(): ivm.ExternalCopy<ArrayBuffer> {
    const { isolate, context, enter } = this.makeIsolate(EXERCISE_MEMORY_BYTES);
    const capture = new ivm.ExternalCopy(createCapture(HEADER.outputBytes));
    enter.applySync(undefined, [
      "begin",
      JSON.stringify(HEADER),
      capture.copyInto({ release: true }),
      "",
      "",
    ]);
    const program: ivm.Reference = context.evalSync(LIBRARY_EXERCISE, { reference: true });
    enter.applySync(undefined, ["runScript", program.derefInto({ release: true })]);
    enter.applySync(undefined, ["turn"]);
    const { cachedData } = isolate.compileScriptSync(this.#rest, {
      filename: LIBRARY_FILE,
      produceCachedData: true,
    }) as ivm.Script & ivm.CachedDataResult;
    isolate.dispose();
    if (cachedData === undefined) throw new Error("the library was not compiled");
    return cachedData;
  }

  /** On this thread, which waits for the next run anyway. */
  makeIsolate(memoryBytes: number): WarmIsolate {
    const isolate = new ivm.Isolate({
      memoryLimit: Math.max(MEMORY_MIB_MIN, Math.floor(memoryBytes / MiB)),
      snapshot: this.#snapshot,
      onCatastrophicError: () => warm.onCatastrophe(),
    });
    const context = isolate.createContextSync();
    const enter = context.global.getSync(ENTRY, { reference: true }) as ivm.Reference<Entry>;
    context.global.deleteSync(ENTRY);
    const held = () => {
      const heap = isolate.getHeapStatisticsSync();
      return heap.total_heap_size + heap.externally_allocated_size;
    };
    const loadRest = () => {
      const before = held();
      this.#loadRest(warm);
      warm.idleBytes += held() - before;
    };
    enter.applySync(undefined, ["connect", guestCallback(() => warm.listener, loadRest)]);
    const warm = {
      isolate,
      context,
      enter,
      memoryBytes,
      idleBytes: held(),
      listener: undefined as GuestListener | undefined,
      onCatastrophe: () => {},
    };
    return warm;
  }

  /** While the program waits in its callback for it, its isolate may be entered from here. */
  #loadRest({ isolate, context, enter }: WarmIsolate): void {
    const script = isolate.compileScriptSync(this.#rest, {
      filename: LIBRARY_FILE,
      ...(this.#compiledRest !== undefined && { cachedData: this.#compiledRest }),
    });
    const rest: ivm.Reference = script.runSync(context, { reference: true });
    enter.applySync(undefined, ["extend", rest.derefInto({ release: true })]);
  }
}
