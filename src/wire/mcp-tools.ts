/**
 * The tools that a model gets by the Model Context Protocol, over any Executor: programs by themselves, and sessions. What
 * a program did is a tool's result, `isError` when it did not end well; so is what could not be carried out.
 */
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js";
import { z } from "zod";
import { SandboxError } from "../contract/errors.ts";
import type { ExecuteOptions, Executor } from "../contract/executor.ts";
import type { Outcome } from "../contract/outcome.ts";
import type { Result } from "../contract/result.ts";

export interface ToolParts {
  readonly executor: Executor;
  /** Wall time of a call that asks for none, and the most that it may ask for. Milliseconds. */
  readonly wallMs: number;
  readonly wallMsMax: number;
  /** For whom the calls are, and when they are given up. */
  readonly options: ExecuteOptions;
}

/** What a model is told besides the output; empty for what the output tells. */
const TOLD_AS: Readonly<Record<Outcome, string>> = {
  completed: "",
  failed: "",
  signaled: "The program was ended by a signal.",
  compile_failed: "The program did not compile.",
  wall_limit: "The program met its time limit and was ended.",
  cpu_limit: "The program used up its CPU time and was ended.",
  memory_limit: "The program used up its memory and was ended.",
  output_limit: "The program wrote more than is kept; the middle is left out.",
  process_limit: "The program was refused a process: too many.",
  disk_limit: "The program filled its scratch files.",
  cancelled: "The call was cancelled; this says nothing about the program.",
  sandbox_failed: "The sandbox failed; this says nothing about the program. Try again.",
};

const text = (content: string, isError = false): CallToolResult => ({
  content: [{ type: "text", text: content }],
  ...(isError ? { isError } : {}),
});

function answerOf(result: Result): CallToolResult {
  const { outcome, exit_code, stdout, stderr, value, session } = result;
  const lost = session?.state === "lost" ? "The session's interpreter is gone; open another session." : "";
  const parts = [stdout, value ?? "", stderr, TOLD_AS[outcome], lost];
  const shown = parts.map((part) => part.trimEnd()).filter((part) => part !== "");
  return {
    ...text(shown.length === 0 ? "(no output)" : shown.join("\n"), outcome !== "completed"),
    structuredContent: { outcome, exit_code, stdout, stderr, value },
  };
}

/** A refusal is something that a model can act on. */
async function told(work: () => Promise<CallToolResult>): Promise<CallToolResult> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof SandboxError) || error.code === "internal") throw error;
    return text(`${error.code}: ${error.message}`, true);
  }
}

const code = z.string().describe("The source to run.");
const sessionId = z.string().describe("Id of an open session.");

function programTools(server: McpServer, { executor, options, wallMs, wallMsMax }: ToolParts): void {
  const timeout_ms = z
    .number()
    .int()
    .min(1)
    .max(wallMsMax)
    .optional()
    .describe(`Wall time after which the program is ended. Milliseconds. Default: ${wallMs}.`);
  const stdin = z.string().optional().describe("Standard input. Default: empty.");
  const kept = "Nothing is kept for the next call.";
  for (const [name, runtime, language] of [
    ["run_python", "python", "Python"],
    ["run_javascript", "javascript", "JavaScript"],
  ] as const) {
    server.registerTool(
      name,
      {
        title: `Run ${language}`,
        description: `Runs a ${language} program in a sandbox without network and returns what it prints, and the value of a last expression. ${kept}`,
        inputSchema: { code, stdin, timeout_ms },
      },
      (args, { signal }) =>
        told(async () => {
          const limits = { wall_ms: args.timeout_ms ?? wallMs };
          const input = args.stdin === undefined ? {} : { stdin: args.stdin };
          const call = { runtime, source: args.code, mode: "cell", limits, ...input } as const;
          return answerOf(await executor.execute(call, withSignal(options, signal)));
        }),
    );
  }
}

function sessionTools(server: McpServer, { executor, options, wallMs, wallMsMax }: ToolParts): void {
  const find = (id: string) => executor.findSession(id, options);
  server.registerTool(
    "open_session",
    {
      title: "Open a session",
      description: "Opens a live interpreter that keeps variables between calls. Returns its id.",
      inputSchema: { language: z.enum(["python", "javascript"]).default("python") },
    },
    ({ language }, { signal }) =>
      told(async () =>
        text((await executor.openSession({ runtime: language }, withSignal(options, signal))).id),
      ),
  );
  server.registerTool(
    "run_in_session",
    {
      title: "Run in a session",
      description: "Runs a cell in a session and returns what it prints and the value of a last expression.",
      inputSchema: {
        session_id: sessionId,
        code,
        timeout_ms: z.number().int().min(1).max(wallMsMax).optional(),
      },
    },
    (args, { signal }) =>
      told(async () => {
        const call = { source: args.code, limits: { wall_ms: args.timeout_ms ?? wallMs } };
        const session = await find(args.session_id);
        return answerOf(await session.execute(call, withSignal(options, signal)));
      }),
  );
  server.registerTool(
    "fork_session",
    {
      title: "Fork a session",
      description: "Makes a new session that begins where this one stands. Returns its id.",
      inputSchema: { session_id: sessionId },
    },
    (args) =>
      told(async () => {
        const forks = await (await find(args.session_id)).fork();
        return text(forks.map(({ id }) => id).join("\n"));
      }),
  );
  server.registerTool(
    "close_session",
    { title: "Close a session", description: "Ends a session.", inputSchema: { session_id: sessionId } },
    (args) =>
      told(async () => {
        await (await find(args.session_id)).close();
        return text("closed");
      }),
  );
}

function withSignal(options: ExecuteOptions, signal: AbortSignal): ExecuteOptions {
  return {
    ...options,
    signal: options.signal === undefined ? signal : AbortSignal.any([options.signal, signal]),
  };
}

/** A server with the tools, to be connected to one transport. */
export function createMcpServer(parts: ToolParts): McpServer {
  const server = new McpServer({ name: "rollcall", version: "1" });
  programTools(server, parts);
  sessionTools(server, parts);
  return server;
}
