/** A language at a version: which engine runs it and how a program of it is started. Pure data. */
import type { RuntimeId } from "./call.ts";

/** How an engine starts a program. */
export type Entry =
  /** By a fork of the preloaded interpreter. */
  | { readonly kind: "fork"; readonly fileName: string }
  /** By exec of a command line in the sandbox; the source is stored under `fileName` first. */
  | { readonly kind: "exec"; readonly fileName: string; readonly argv: readonly string[] }
  /** In a fresh V8 isolate. */
  | { readonly kind: "isolate"; readonly fileName: string };

export interface Runtime {
  readonly id: RuntimeId;
  /** Name of the engine that runs it. */
  readonly engine: "container" | "isolate";
  readonly entry: Entry;
  readonly modes: readonly ("script" | "cell")[];
}
