import type { Entry, Runtime } from "../contract/runtime.ts";

/** A process that is forked from a Node that has started. */
export const NODE_ENTRY: Entry = { kind: "fork", interpreter: "node", fileName: "main.js" };

/** A real Node process, for programs that need more of Node than an isolate has. */
export const node: Runtime = {
  id: "node",
  engine: "container",
  compile: null,
  entry: NODE_ENTRY,
  modes: ["script"],
  sessions: { engine: "container", entry: NODE_ENTRY, programs: false },
};
