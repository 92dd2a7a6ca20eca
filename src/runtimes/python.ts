import type { Entry, Runtime } from "../contract/runtime.ts";

const entry: Entry = { kind: "fork", interpreter: "python", fileName: "main.py" };

/** CPython, forked from an interpreter that has already imported what the program imports. */
export const python: Runtime = {
  id: "python",
  engine: "container",
  compile: null,
  entry,
  modes: ["script", "cell"],
  sessions: { engine: "container", entry, programs: true },
};
