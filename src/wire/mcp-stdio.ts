/** The Model Context Protocol over this process's standard streams, for an agent that starts its servers itself. */
import { once } from "node:events";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { mcpServers, type ToolLimits, type ToolParts } from "./mcp-tools.ts";

/** Resolves when the agent has gone, or the signal aborts. */
export async function serveMcpStdio(
  limits: ToolLimits,
  parts: ToolParts,
  signal: AbortSignal,
): Promise<void> {
  const server = mcpServers(limits)(parts);
  const gone = once(process.stdin, "end", { signal }).catch(() => null);
  await server.connect(new StdioServerTransport());
  await gone;
  await server.close();
}
