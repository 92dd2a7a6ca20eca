/** What the two HTTP stubs share: a server on a free port of the loopback, faults on demand, what was asked. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { InferenceCore, InferenceSpeeds, Write } from "./inference-core.ts";

export interface StubOptions {
  readonly speeds?: Partial<InferenceSpeeds>;
  /** Bearer key that every request must carry. Default: none is asked for. */
  readonly key?: string;
  readonly model?: string;
  /** What it writes. Default: by a table of scores. */
  readonly write?: Write;
  /** Scores of each token after `last` with the adapter that was loaded from `path`. Default: by its name. */
  readonly scoresOf?: (path: string, last: number) => readonly number[];
  /** A port of its own choosing by default. */
  readonly port?: number;
  /** Adapters must be there, as a real server needs them. Default: any path is taken. */
  readonly readsAdapters?: boolean;
}

/** Answers of the stub's next requests for a continuation, one each; then it works again. */
export interface Fault {
  /** HTTP status, or "drop" to break the connection off. */
  readonly status: number | "drop";
  readonly body?: unknown;
}

export interface InferenceStub {
  readonly url: string;
  readonly core: InferenceCore;
  readonly faults: Fault[];
  /** Adapters loaded, with the path each came from. */
  readonly adapters: ReadonlyMap<string, string>;
  /** Bodies and headers of requests for a continuation, in order. */
  readonly asked: readonly {
    readonly body: Record<string, unknown>;
    readonly headers: Record<string, unknown>;
  }[];
  close(): Promise<void>;
}

export interface StubServer {
  readonly app: FastifyInstance;
  readonly faults: Fault[];
  readonly adapters: Map<string, string>;
  readonly asked: { body: Record<string, unknown>; headers: Record<string, unknown> }[];
  /** Keeps the request, and answers it with the next fault. @returns true when it was answered */
  met(request: FastifyRequest, reply: FastifyReply): boolean;
  listen(core: InferenceCore): Promise<InferenceStub>;
}

export function createStubServer(options: StubOptions): StubServer {
  const app = Fastify({ bodyLimit: 64 << 20, forceCloseConnections: true });
  const [faults, adapters]: [Fault[], Map<string, string>] = [[], new Map()];
  const asked: StubServer["asked"] = [];
  if (options.key !== undefined)
    app.addHook("onRequest", async (request, reply) => {
      if (request.headers.authorization !== `Bearer ${options.key}`)
        await reply.code(401).send({ error: "Unauthorized" });
    });
  app.get("/health", () => "");
  return {
    app,
    faults,
    adapters,
    asked,
    met(request, reply) {
      asked.push({ body: request.body as Record<string, unknown>, headers: { ...request.headers } });
      const fault = faults.shift();
      if (fault === undefined) return false;
      if (fault.status === "drop") request.raw.socket.destroy();
      else void reply.code(fault.status).send(fault.body ?? { error: { message: "made to fail" } });
      return true;
    },
    async listen(core) {
      const url = await app.listen({ port: options.port ?? 0, host: "127.0.0.1" });
      const close = async (): Promise<void> => {
        core.close();
        await app.close();
      };
      return { url, core, faults, adapters, asked, close };
    },
  };
}

/** Whether a server that is given this path finds an adapter there. */
export function hasAdapter(options: StubOptions, path: string): boolean {
  return options.readsAdapters === true
    ? existsSync(join(path, "adapter_config.json"))
    : !path.includes("missing");
}

/** The scores that a request with this adapter is sampled from, where the stub is given any. */
export function scoresOf(
  options: StubOptions,
  path: string | undefined,
): ((last: number) => readonly number[]) | undefined {
  const { scoresOf: of } = options;
  return of === undefined || path === undefined ? undefined : (last) => of(path, last);
}

/** Aborts when the client goes before its answer. */
export function goneSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.on("close", () => {
    if (!reply.raw.writableEnded) gone.abort();
  });
  return gone.signal;
}
