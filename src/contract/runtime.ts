/** A language at a version: which engine runs it and how a program of it is started. Pure data. */
import type { RuntimeId } from "./call.ts";

/** How an engine starts a program. */
export type Entry =
  /** By a fork of an interpreter that has started, and has imported what most programs need. */
  | { readonly kind: "fork"; readonly interpreter: "python" | "node"; readonly fileName: string }
  /** By exec of a command line in the sandbox; the source is stored under `fileName` first. */
  | { readonly kind: "exec"; readonly fileName: string; readonly argv: readonly string[] }
  /** In a fresh V8 isolate. */
  | { readonly kind: "isolate"; readonly fileName: string };

/** The stage before the run of a compiled language: a command line that makes the program from the source. */
export interface CompileStage {
  readonly entry: Extract<Entry, { readonly kind: "exec" }>;
  /** The program it makes, relative to the working directory; the run's entry is stored under this name. */
  readonly artifact: string;
}

export interface Runtime {
  readonly id: RuntimeId;
  /** Name of the engine that runs it. */
  readonly engine: "container" | "isolate";
  /** Null for a language that is run as it is. */
  readonly compile: CompileStage | null;
  readonly entry: Entry;
  readonly modes: readonly ("script" | "cell")[];
  /** The engine that keeps interpreters of it between calls, and how one is started; null for none. */
  readonly sessions: {
    readonly engine: "container" | "isolate";
    readonly entry: Entry;
    /** Whether one may be a program that comes in parts. */
    readonly programs: boolean;
  } | null;
}
