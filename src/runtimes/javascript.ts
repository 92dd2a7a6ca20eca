import { NODE_ENTRY } from "./node.ts";
import type { Runtime } from "../contract/runtime.ts";

/** JavaScript in a V8 isolate, with what a Node program of one file expects to find. */
export const javascript: Runtime = {
  id: "javascript",
  engine: "isolate",
  compile: null,
  entry: { kind: "isolate", fileName: "main.js" },
  modes: ["script", "cell"],
  // An isolate cannot be forked; a process of Node can.
  sessions: { engine: "container", entry: NODE_ENTRY, programs: false },
};
