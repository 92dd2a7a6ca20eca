/**
 * The tools that a model gets by the Model Context Protocol, over any Executor: programs by themselves, and sessions. What
 * a program did is a tool's result, `isError` when it did not end well; so is what could not be carried out.
 */
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { ListToolsRequestSchema, type CallToolResult, type Tool } from "@modelcontextprotocol/sdk/types.js";
import { AjvJsonSchemaValidator } from "@modelcontextprotocol/sdk/validation/ajv";
import { z } from "zod";
import { SandboxError } from "../contract/errors.ts";
import type { ExecuteOptions, Executor } from "../contract/executor.ts";
import type { Outcome } from "../contract/outcome.ts";
import type { Result } from "../contract/result.ts";

export interface ToolLimits {
  /** Wall time of a call that asks for none, and the most that it may ask for. Milliseconds. */
  readonly wallMs: number;
  readonly wallMsMax: number;
}

/** Who does the work of tools, for whom it is, and when it is given up. */
export interface ToolParts {
  readonly executor: Executor;
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

interface Offer {
  /** As `tools/list` has it. */
  readonly listed: Tool;
  readonly register: (server: McpServer, parts: ToolParts) => void;
}

/** Schemas are made once: the first use of one compiles it. */
function tool<Schema extends z.ZodObject>(
  name: string,
  about: { readonly title: string; readonly description: string; readonly inputSchema: Schema },
  answer: (args: z.infer<Schema>, parts: ToolParts) => Promise<CallToolResult>,
): Offer {
  const schema = z.toJSONSchema(about.inputSchema, { target: "draft-7", io: "input" });
  return {
    listed: {
      ...about,
      name,
      inputSchema: schema as Tool["inputSchema"],
      execution: { taskSupport: "forbidden" },
    },
    register(server, { executor, options }) {
      server.registerTool<z.ZodObject, z.ZodObject>(name, about, (args, { signal }) =>
        told(() => answer(args as z.infer<Schema>, { executor, options: withSignal(options, signal) })),
      );
    },
  };
}

const code = z.string().describe("The source to run.");
const sessionId = z.string().describe("Id of an open session.");

const PROGRAM_TOOLS = [
  ["run_python", "python", "Python"],
  ["run_javascript", "javascript", "JavaScript"],
] as const;

function programTools({ wallMs, wallMsMax }: ToolLimits): Offer[] {
  const timeout_ms = z
    .number()
    .int()
    .min(1)
    .max(wallMsMax)
    .optional()
    .describe(`Wall time after which the program is ended. Milliseconds. Default: ${wallMs}.`);
  const stdin = z.string().optional().describe("Standard input. Default: empty.");
  const inputSchema = z.object({ code, stdin, timeout_ms });
  const kept = "Nothing is kept for the next call.";
  return PROGRAM_TOOLS.map(([name, runtime, language]) =>
    tool(
      name,
      {
        title: `Run ${language}`,
        description: `Runs a ${language} program in a sandbox without network and returns what it prints, and the value of a last expression. ${kept}`,
        inputSchema,
      },
      async (args, { executor, options }) => {
        const limits = { wall_ms: args.timeout_ms ?? wallMs };
        const input = args.stdin === undefined ? {} : { stdin: args.stdin };
        const call = { runtime, source: args.code, mode: "cell", limits, ...input } as const;
        return answerOf(await executor.execute(call, options));
      },
    ),
  );
}

function sessionTools({ wallMs, wallMsMax }: ToolLimits): Offer[] {
  return [
    tool(
      "open_session",
      {
        title: "Open a session",
        description: "Opens a live interpreter that keeps variables between calls. Returns its id.",
        inputSchema: z.object({ language: z.enum(["python", "javascript"]).default("python") }),
      },
      async ({ language }, { executor, options }) =>
        text((await executor.openSession({ runtime: language }, options)).id),
    ),
    tool(
      "run_in_session",
      {
        title: "Run in a session",
        description:
          "Runs a cell in a session and returns what it prints and the value of a last expression.",
        inputSchema: z.object({
          session_id: sessionId,
          code,
          timeout_ms: z.number().int().min(1).max(wallMsMax).optional(),
        }),
      },
      async (args, { executor, options }) => {
        const call = { source: args.code, limits: { wall_ms: args.timeout_ms ?? wallMs } };
        const session = await executor.findSession(args.session_id, options);
        return answerOf(await session.execute(call, options));
      },
    ),
    tool(
      "fork_session",
      {
        title: "Fork a session",
        description: "Makes a new session that begins where this one stands. Returns its id.",
        inputSchema: z.object({ session_id: sessionId }),
      },
      async ({ session_id }, { executor, options }) => {
        const forks = await (await executor.findSession(session_id, options)).fork();
        return text(forks.map(({ id }) => id).join("\n"));
      },
    ),
    tool(
      "close_session",
      {
        title: "Close a session",
        description: "Ends a session.",
        inputSchema: z.object({ session_id: sessionId }),
      },
      async ({ session_id }, { executor, options }) => {
        await (await executor.findSession(session_id, options)).close();
        return text("closed");
      },
    ),
  ];
}

function withSignal(options: ExecuteOptions, signal: AbortSignal): ExecuteOptions {
  return {
    ...options,
    signal: options.signal === undefined ? signal : AbortSignal.any([options.signal, signal]),
  };
}

/** Looks at what a client answers to a question of a tool, and no tool here asks one: servers share it, for it takes long to make. */
const jsonSchemaValidator = new AjvJsonSchemaValidator();

/**
 * Makes servers with the tools, each to be connected to one transport. Over HTTP there is one for each request, so what
 * does not depend on the request is made once.
 */
export function mcpServers(limits: ToolLimits): (parts: ToolParts) => McpServer {
  const offers = [...programTools(limits), ...sessionTools(limits)];
  const tools = offers.map(({ listed }) => listed);
  return (parts) => {
    const server = new McpServer({ name: "rollcall", version: "1" }, { jsonSchemaValidator });
    for (const { register } of offers) register(server, parts);
    // The server's own answer converts every schema each time.
    server.server.setRequestHandler(ListToolsRequestSchema, () => ({ tools }));
    return server;
  };
}
