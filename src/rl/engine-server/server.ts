/** The embedded engine as an HTTP server that speaks the Tinker API: routes, bodies, keys and errors put together. */
import { hash, timingSafeEqual } from "node:crypto";
import { BlockList, isIP } from "node:net";
import zlib from "node:zlib";
import { fastify, type FastifyError, type FastifyInstance, type FastifyRequest } from "fastify";
import { PROTOBUF_TYPE } from "../tinker-wire/messages.ts";
import { FutureBody } from "./bodies.ts";
import { checkBody } from "./check-body.ts";
import { ApiError } from "./errors.ts";
import { Hub, type HubOptions } from "./hub.ts";
import { registerSamplingRoutes } from "./sampling-routes.ts";
import { registerSessionRoutes } from "./session-routes.ts";
import { createSubmit } from "./submit.ts";
import { registerTrainingRoutes } from "./training-routes.ts";
import { registerWeightsRoutes } from "./weights-routes.ts";

export interface EngineServerOptions extends HubOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** Asked for as `X-API-Key` or bearer token; null asks nobody. */
  readonly key: string | null;
  /** The token id of a text that is one token, else null: for `stop` given as text. */
  readonly encode: (text: string) => number | null;
  /** Told of an error that is this server's own. */
  readonly failed: (error: unknown) => void;
}

export interface EngineServer {
  /** `http://host:port`, to which clients add `/api/v1`. */
  readonly url: string;
  close(): Promise<void>;
}

function isLoopback(host: string): boolean {
  const loopback = new BlockList();
  loopback.addSubnet("127.0.0.0", 8, "ipv4");
  loopback.addAddress("::1", "ipv6");
  const family = isIP(host);
  return family === 0 ? host === "localhost" : loopback.check(host, family === 4 ? "ipv4" : "ipv6");
}

/** Both sides are hashed, so that neither length nor likeness shows in the time. */
function guard(app: FastifyInstance, key: string): void {
  const digest = hash("sha256", key, "buffer");
  app.addHook("onRequest", async (request) => {
    const bearer = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? "")?.[1];
    const presented = request.headers["x-api-key"] ?? bearer ?? "";
    if (!timingSafeEqual(hash("sha256", String(presented), "buffer"), digest))
      throw new ApiError(401, "a known key is needed in X-API-Key");
  });
}

/** Bodies: JSON parsed, protobuf as it is, either of them compressed. The bound holds after decompression too. */
function readBodies(app: FastifyInstance, failed: (error: unknown) => void): void {
  app.addContentTypeParser(PROTOBUF_TYPE, { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  app.addHook("preParsing", async (request, _reply, payload) => {
    const encoding = request.headers["content-encoding"]?.trim().toLowerCase() ?? "identity";
    if (encoding === "identity") return payload;
    if (encoding !== "zstd") throw new ApiError(415, `content-encoding ${encoding}: zstd is understood`);
    const inflated = payload.pipe(zlib.createZstdDecompress());
    const length = Number(request.headers["content-length"] ?? 0);
    return Object.assign(inflated, { receivedEncodedLength: length });
  });
  app.setErrorHandler((error: FastifyError | ApiError, _request, reply) => {
    const status = error instanceof ApiError ? error.status : (error.statusCode ?? 500);
    if (status >= 500) failed(error);
    return reply.code(status).send({ detail: status >= 500 ? "internal error" : error.message });
  });
  app.setNotFoundHandler((request, reply) =>
    reply.code(404).send({ detail: `there is no ${request.method} ${request.url.slice(0, 200)}` }),
  );
}

const wantsProtobuf = (request: FastifyRequest): boolean =>
  request.headers.accept?.includes(PROTOBUF_TYPE) === true;

function registerFutures(app: FastifyInstance, hub: Hub): void {
  app.post("/retrieve_future", {
    handler: async (request, reply) => {
      const { request_id } = checkBody(FutureBody, request.body);
      const outcome = await hub.futures.retrieve(request_id, hub.limits.retrieveMs);
      if (outcome === null)
        return reply.code(408).send({ type: "try_again", request_id, queue_state: "active" });
      if ("failed" in outcome) return outcome.failed;
      const { json, protobuf } = outcome.result;
      if (protobuf === undefined || !wantsProtobuf(request)) return json;
      return reply.type(PROTOBUF_TYPE).send(Buffer.from(protobuf()));
    },
  });
}

/** @throws Error when it would be open to other machines without a key, or the port is taken */
export async function startEngineServer(options: EngineServerOptions): Promise<EngineServer> {
  if (options.key === null && !isLoopback(options.host))
    throw new Error(
      `refusing to listen on ${options.host} without a key: anyone who reaches it could train and sample. Set ROLLCALL_ENGINE_KEY, or listen on 127.0.0.1`,
    );
  const hub = await Hub.open(options);
  const app = fastify({
    logger: false,
    bodyLimit: options.limits.bodyBytesMax,
    forceCloseConnections: true,
    requestTimeout: 120_000,
  });
  if (options.key !== null) guard(app, options.key);
  readBodies(app, options.failed);
  await app.register(
    async (api) => {
      registerSessionRoutes(api, hub, createSubmit(hub.futures));
      registerTrainingRoutes(api, hub);
      registerSamplingRoutes(api, hub, options.encode);
      registerWeightsRoutes(api, hub);
      registerFutures(api, hub);
    },
    { prefix: "/api/v1" },
  );
  try {
    const url = await app.listen({ host: options.host, port: options.port });
    return {
      url,
      close: async () => {
        await app.close();
        await hub.close();
      },
    };
  } catch (error) {
    await hub.close();
    throw error;
  }
}
