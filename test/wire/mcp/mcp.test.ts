/** The Model Context Protocol by its own client, over both transports, against the real service. */
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { OUTCOME_NAMES } from "../../../src/contract/outcome.ts";
import { ask } from "../../support/ask.ts";
import { startServer } from "../../support/server.ts";
import { type Service, startService } from "../../support/service.ts";

const MAIN = fileURLToPath(new URL("../../../src/main.ts", import.meta.url));
const KEY = "an-agent-key-0123456789";

let service: Service;
beforeAll(async () => {
  service = await startService(["--wire", "mcp"], {
    ROLLCALL_HTTP_KEYS: JSON.stringify([{ name: "agent", key: KEY }]),
  });
});
afterAll(async () => {
  expect(await service.stop()).toBe(0);
});

const TRANSPORTS: readonly (readonly [string, () => Transport])[] = [
  [
    "streamable HTTP",
    () =>
      new StreamableHTTPClientTransport(new URL(`${service.url}/mcp`), {
        requestInit: { headers: { authorization: `Bearer ${KEY}` } },
      }),
  ],
  [
    "standard streams",
    () => new StdioClientTransport({ command: process.execPath, args: [MAIN, "mcp"], stderr: "ignore" }),
  ],
];

interface Answer {
  readonly text: string;
  readonly isError: boolean;
}

describe.each(TRANSPORTS)("over %s", (_, connect) => {
  const client = new Client({ name: "test", version: "1" });
  beforeAll(() => client.connect(connect()), 60_000);
  afterAll(() => client.close());

  const use = async (name: string, args: Record<string, unknown>): Promise<Answer> => {
    const { content, isError } = await client.callTool({ name, arguments: args });
    return { text: (content as { text: string }[])[0]?.text ?? "", isError: isError === true };
  };

  test("the tools are listed", async () => {
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name).toSorted()).toEqual(
      [
        "close_session",
        "fork_session",
        "open_session",
        "run_in_session",
        "run_javascript",
        "run_python",
      ].toSorted(),
    );
    expect(tools.find(({ name }) => name === "run_python")?.inputSchema).toMatchObject({
      type: "object",
      required: ["code"],
      properties: {
        code: { type: "string" },
        stdin: { type: "string" },
        timeout_ms: { type: "integer", minimum: 1 },
      },
    });
  });

  test("arguments that do not fit the schema are told, field by field", async () => {
    const { text, isError } = await use("run_python", { code: 1, timeout_ms: 0 });
    expect(isError).toBe(true);
    expect(text).toMatch(/Invalid arguments for tool run_python.*code.*timeout_ms/s);
  });

  test("programs run, and how they ended is told", async () => {
    expect(await use("run_python", { code: "print('a')\n6 * 7" })).toEqual({ text: "a\n42", isError: false });
    expect(await use("run_javascript", { code: "console.log([1, 2].map((x) => x * 2))" })).toMatchObject({
      text: expect.stringContaining("[ 2, 4 ]") as string,
      isError: false,
    });
    expect(await use("run_python", { code: "print(input())", stdin: "in" })).toMatchObject({ text: "in" });
    expect(await use("run_python", { code: "1 / 0" })).toMatchObject({
      text: expect.stringContaining("ZeroDivisionError") as string,
      isError: true,
    });
    expect(await use("run_python", { code: "while True: pass", timeout_ms: 300 })).toMatchObject({
      text: expect.stringContaining("time limit") as string,
      isError: true,
    });
  });

  test("a session keeps its state and can be forked", async () => {
    const { text: session_id } = await use("open_session", { language: "python" });
    await use("run_in_session", { session_id, code: "x = [1]" });
    const { text: fork } = await use("fork_session", { session_id });
    await use("run_in_session", { session_id: fork, code: "x.append(2)" });
    expect((await use("run_in_session", { session_id, code: "x" })).text).toBe("[1]");
    expect((await use("run_in_session", { session_id: fork, code: "x" })).text).toBe("[1, 2]");
    expect((await use("close_session", { session_id })).text).toBe("closed");
    expect(await use("run_in_session", { session_id, code: "x" })).toMatchObject({ isError: true });
  });
});

const initialize = {
  jsonrpc: "2.0",
  id: 1,
  method: "tools/call",
  params: { name: "run_python", arguments: { code: "print(1)" } },
};
const accept = { accept: "application/json, text/event-stream" };

test("no key is 401, and a web page is 403", async () => {
  const without = await ask(`${service.url}/mcp`, { body: initialize, headers: accept });
  expect(without).toMatchObject({ status: 401, json: { jsonrpc: "2.0" } });
  const headers = { ...accept, authorization: `Bearer ${KEY}`, origin: "http://evil.example" };
  expect((await ask(`${service.url}/mcp`, { body: initialize, headers })).status).toBe(403);
});

test("every outcome is told, and only a program that ended well is no error", async () => {
  const server = await startServer({ ROLLCALL_WIRE_ADAPTERS: "mcp" });
  const told = await Promise.all(
    OUTCOME_NAMES.map(async (outcome) => {
      const params = { name: "run_python", arguments: { code: `outcome ${outcome}` } };
      const answer = await ask(`${server.url}/mcp`, { body: { ...initialize, params }, headers: accept });
      expect(answer.status).toBe(200);
      const { isError = false, structuredContent, content } = answer.json.result;
      expect(structuredContent.outcome).toBe(outcome);
      if (outcome === "sandbox_failed" || outcome === "cancelled")
        expect(content[0].text).toContain("says nothing about the program");
      return [outcome, isError];
    }),
  );
  expect(Object.fromEntries(told)).toEqual(
    Object.fromEntries(OUTCOME_NAMES.map((outcome) => [outcome, outcome !== "completed"])),
  );
  await server.close();
});
