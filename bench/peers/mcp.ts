/** The Model Context Protocol over HTTP: `tools/call` of the tools that run a program, one a request. */
import type { Program } from "../../workload/mix.ts";
import { plainAnswer, type PlainAnswer, type Target } from "../targets/target.ts";
import { singleTarget, wallMsOf, type PeerOptions } from "./driver.ts";

interface ToolAnswer {
  readonly result?: {
    readonly structuredContent?: {
      readonly outcome: string;
      readonly stdout: string;
      readonly stderr: string;
    };
  };
}

const TOOL: Partial<Record<Program["runtime"], string>> = {
  python: "run_python",
  javascript: "run_javascript",
};
const ENDS: readonly PlainAnswer["end"][] = ["completed", "failed", "wall_limit"];

function readAnswer({ result }: ToolAnswer): PlainAnswer {
  const told = result?.structuredContent;
  if (told === undefined) return { end: "other", stdout: "", stderr: JSON.stringify(result ?? null) };
  return { ...told, end: ENDS.find((end) => end === told.outcome) ?? "other" };
}

export function createMcpTarget(options: PeerOptions): Target {
  return singleTarget(options, {
    name: "MCP",
    headers: { accept: "application/json, text/event-stream" },
    runs: ({ runtime }) => TOOL[runtime] !== undefined,
    async ask(program, post) {
      const { source: code, stdin } = program;
      const input = stdin === "" ? {} : { stdin };
      const answer = await post("/mcp", {
        jsonrpc: "2.0",
        id: 1,
        method: "tools/call",
        params: {
          name: TOOL[program.runtime],
          arguments: { code, timeout_ms: wallMsOf(program), ...input },
        },
      });
      return plainAnswer(program, readAnswer(answer as ToolAnswer));
    },
  });
}
