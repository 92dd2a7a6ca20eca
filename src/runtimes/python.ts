import type { Runtime } from "../contract/runtime.ts";

/** CPython, forked from an interpreter that has already imported what the program imports. */
export const python: Runtime = {
  id: "python",
  engine: "container",
  compile: null,
  entry: { kind: "fork", interpreter: "python", fileName: "main.py" },
  modes: ["script", "cell"],
  sessions: true,
};
