import type { Runtime } from "../contract/runtime.ts";

/** A real Node process, for programs that need more of Node than an isolate has. */
export const node: Runtime = {
  id: "node",
  engine: "container",
  compile: null,
  entry: { kind: "fork", interpreter: "node", fileName: "main.js" },
  modes: ["script"],
  sessions: false,
};
