import type { Runtime } from "../contract/runtime.ts";

/** A shell script, with the commands of the sandbox's /usr. */
export const bash: Runtime = {
  id: "bash",
  engine: "container",
  compile: null,
  entry: { kind: "exec", fileName: "main.sh", argv: ["bash", "/work/main.sh"] },
  modes: ["script"],
  sessions: null,
};
