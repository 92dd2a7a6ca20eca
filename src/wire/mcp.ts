/**
 * The Model Context Protocol over streamable HTTP, one JSON answer for each POST. Nothing is kept between requests but
 * sessions of the Executor, which are the tenant's.
 */
import { during, isOverload, wallMs, type Adapter } from "./adapter.ts";
import type { ToolLimits, ToolParts } from "./mcp-tools.ts";

export interface McpOptions {
  /** Wall time of a tool call that asks for none. Milliseconds. */
  readonly wallMs: number;
}

/** What JSON-RPC has for a request that was not carried out. */
const SERVER_ERROR = -32_000;

/** Loaded with the first request, so that a service without this adapter does not pay for it. */
async function load(limits: ToolLimits) {
  const [{ StreamableHTTPServerTransport }, { mcpServers }] = await Promise.all([
    import("@modelcontextprotocol/sdk/server/streamableHttp.js"),
    import("./mcp-tools.ts"),
  ]);
  const createServer = mcpServers(limits);
  return (parts: ToolParts) => ({
    server: createServer(parts),
    transport: new StreamableHTTPServerTransport({ enableJsonResponse: true }),
  });
}

export function mcp(mcpOptions: McpOptions): Adapter {
  return {
    routes(app, parts) {
      const limits: ToolLimits = {
        wallMs: wallMs(mcpOptions.wallMs / 1000, parts.limits),
        wallMsMax: parts.limits.ceiling.wall_ms,
      };
      let loaded: ReturnType<typeof load> | null = null;
      app.post("/mcp", async (request, reply) => {
        // A page in somebody's browser is no client: behind a name that was pointed at this address it would be one.
        if (request.headers.origin !== undefined)
          return reply.code(403).send(refusal("requests from web pages are refused"));
        await during(parts, request, reply, async (options) => {
          const create = await (loaded ??= load(limits));
          const { server, transport } = create({ executor: parts.executor, options });
          await server.connect(transport);
          reply.hijack();
          try {
            await transport.handleRequest(request.raw, reply.raw, request.body);
          } finally {
            await server.close();
          }
        });
        return reply;
      });
    },
    sendError(error, reply) {
      reply.code(isOverload(error) ? 503 : error.status).send(refusal(`${error.code}: ${error.message}`));
    },
  };
}

const refusal = (message: string) => ({ jsonrpc: "2.0", error: { code: SERVER_ERROR, message }, id: null });
