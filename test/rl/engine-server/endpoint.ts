/** A started engine server with a small model, and how its routes are asked. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DEFAULT_LIMITS, type ServerLimits } from "../../../src/rl/engine-server/limits.ts";
import { startEngineServer } from "../../../src/rl/engine-server/server.ts";

export const BASE_MODEL = "rollcall/embedded-tiny";
export const CONTEXT = 32;
export const VOCABULARY = 24;

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly json: Record<string, never> & Record<string, unknown>;
  readonly bytes: Uint8Array;
}

export interface Endpoint {
  readonly url: string;
  /** Errors of the server's own. */
  readonly failures: unknown[];
  ask(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** Submits and waits for the result. */
  result(path: string, body: unknown): Promise<Record<string, unknown>>;
  close(): Promise<void>;
}

export async function startEndpoint(
  limits: Partial<ServerLimits> = {},
  key: string | null = null,
): Promise<Endpoint> {
  const directory = mkdtempSync(join(tmpdir(), "rollcall-engine-"));
  const failures: unknown[] = [];
  const server = await startEngineServer({
    host: "127.0.0.1",
    port: 0,
    key,
    baseModel: BASE_MODEL,
    directory,
    engine: { vocabulary: VOCABULARY, context: CONTEXT, width: 16, heads: 2, replicas: 1 },
    limits: { ...DEFAULT_LIMITS, ...limits },
    encode: (text) => (text === ";" ? 23 : null),
    failed: (error) => failures.push(error),
  });
  const ask: Endpoint["ask"] = async (method, path, body, headers = {}) => {
    const raw = body instanceof Uint8Array;
    const response = await fetch(`${server.url}/api/v1${path}`, {
      method,
      headers: { ...(body === undefined || raw ? {} : { "content-type": "application/json" }), ...headers },
      ...(body === undefined ? {} : { body: raw ? Buffer.from(body) : JSON.stringify(body) }),
    });
    const bytes = new Uint8Array(await response.arrayBuffer());
    const type = response.headers.get("content-type") ?? "";
    const json = type.includes("json") ? JSON.parse(Buffer.from(bytes).toString()) : {};
    return { status: response.status, type, json, bytes };
  };
  const post: Endpoint["post"] = (path, body, headers) => ask("POST", path, body, headers);
  return {
    url: server.url,
    failures,
    ask,
    post,
    result: async (path, body) => {
      const { status, json } = await post(path, body);
      if (status !== 200) throw new Error(`${path}: ${status} ${JSON.stringify(json)}`);
      return (await post("/retrieve_future", { request_id: json["request_id"] })).json;
    },
    close: async () => {
      await server.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
