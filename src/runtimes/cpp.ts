import type { Runtime } from "../contract/runtime.ts";

/** C++17 by the g++ of the sandbox's /usr; the program is what it makes. */
export const cpp: Runtime = {
  id: "cpp",
  engine: "container",
  compile: {
    entry: {
      kind: "exec",
      fileName: "main.cpp",
      argv: ["g++", "-std=c++17", "-O2", "-pipe", "-o", "/work/main", "/work/main.cpp"],
    },
    artifact: "main",
  },
  entry: { kind: "exec", fileName: "main", argv: ["/work/main"] },
  modes: ["script"],
  sessions: null,
};
