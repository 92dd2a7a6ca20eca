/** The HTTP server around any Executor: options, hooks and routes put together. */
import { LogController, fastify, type FastifyBaseLogger, type FastifyInstance } from "fastify";
import type { Config } from "../config/schema.ts";
import { SandboxError } from "../contract/errors.ts";
import type { Executor } from "../contract/executor.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import { assertGuarded, createAuthenticate, type Authenticate } from "./auth.ts";
import { createBodyParser } from "./body.ts";
import { createClientErrorHandler, createErrorHandler, noRouteError } from "./errors.ts";
import { registerOpenapi } from "./openapi.ts";
import { registerBatches } from "./routes/batches.ts";
import { registerCalls } from "./routes/calls.ts";
import { registerService } from "./routes/service.ts";
import { sharedSchemas } from "./schemas.ts";
import { createTraffic, type Traffic } from "./traffic.ts";

export interface ServerParts {
  readonly executor: Executor;
  readonly config: Pick<Config, "http" | "queue">;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Whether the engines can take calls now. */
  readonly ready: () => boolean;
  readonly version: string;
}

export interface Server {
  /** Starts to listen and gives the base URL. */
  listen(): Promise<string>;
  /**
   * Takes no more calls and waits for those in flight; what is left after `timeoutMs` is cancelled.
   * @returns whether all ended by themselves.
   */
  drain(timeoutMs: number): Promise<boolean>;
  /** Stops listening and ends all connections. The executor stays open: it is the caller's. */
  close(): Promise<void>;
}

function createApp({ config: { http }, log, metrics }: ServerParts, traffic: () => Traffic): FastifyInstance {
  const handleError = createErrorHandler({ log, observer: metrics.observer });
  // Fastify's own lines matter from warn on: main tells where the server listens, routes tell of calls.
  const logger: FastifyBaseLogger = log.isLevelEnabled("info") ? log.child({}, { level: "warn" }) : log;
  const app = fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    childLoggerFactory: (parent) => parent,
    bodyLimit: http.bodyBytesMax,
    requestTimeout: http.requestTimeoutMs,
    keepAliveTimeout: http.keepAliveTimeoutMs,
    // Calls may take long without a byte on the wire, so idle sockets with a request are not cut; see traffic.ts.
    connectionTimeout: 0,
    http: {
      maxHeaderSize: http.headerBytesMax,
      headersTimeout: Math.min(http.headersTimeoutMs, http.requestTimeoutMs),
      connectionsCheckingInterval: 1000,
    },
    forceCloseConnections: true,
    return503OnClosing: false,
    ajv: {
      customOptions: {
        coerceTypes: false,
        removeAdditional: false,
        useDefaults: false,
        allErrors: false,
        verbose: true,
      },
    },
    schemaErrorFormatter: (errors) => Object.assign(new Error("invalid"), { validation: errors }),
    frameworkErrors: handleError,
    clientErrorHandler: createClientErrorHandler({ log, observer: metrics.observer }, traffic),
  });
  app.setErrorHandler(handleError);
  app.server.maxConnections = http.connectionsMax;
  return app;
}

/** One hook for all requests: unknown routes end before their body is read, and so do those without a key. */
function guard(app: FastifyInstance, authenticate: Authenticate | null): void {
  const methods = new Map<string, Set<string>>();
  app.addHook("onRoute", (route) => {
    const known = methods.get(route.url) ?? new Set();
    methods.set(route.url, known);
    for (const method of [route.method].flat()) known.add(method);
  });
  app.decorateRequest("tenant", null);
  app.addHook("onRequest", (request, reply, done) => {
    if (request.is404) {
      done(noRouteError(methods, request, reply));
      return;
    }
    if (
      authenticate !== null &&
      request.routeOptions.config.open !== true &&
      !request.url.startsWith("/docs")
    ) {
      request.tenant = authenticate(request.headers.authorization);
      if (request.tenant === null) {
        done(new SandboxError("unauthorized", "a known key is needed: authorization: Bearer <key>"));
        return;
      }
    }
    done();
  });
}

/**
 * Builds the server, not yet listening.
 * @throws Error when it would be open to other machines without a key.
 */
export async function buildServer(parts: ServerParts): Promise<Server> {
  const { config, executor, metrics, log, ready, version } = parts;
  const { http, queue } = config;
  assertGuarded(http.host, http.keys);
  const app = createApp(parts, () => traffic);
  const traffic = createTraffic(app.server, { stallTimeoutMs: http.stallTimeoutMs });
  metrics.observer.watchHttp(() => traffic.counts());

  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", createBodyParser(http, traffic));
  for (const schema of sharedSchemas(queue.batchCallsMax)) app.addSchema(schema);
  guard(app, createAuthenticate(http.keys));
  await registerOpenapi(app, { version, keyed: http.keys.length > 0 });
  registerService({ app, executor, traffic, metrics, ready });
  registerCalls({ app, executor, traffic, log });
  registerBatches({ app, executor, traffic, log, answerBytesMax: http.answerBytesMax });
  app.setNotFoundHandler((request, reply) => {
    throw noRouteError(new Map(), request, reply);
  });
  await app.ready();

  return {
    listen: () => app.listen({ host: http.host, port: http.port }),
    drain: (timeoutMs) => traffic.drain(timeoutMs),
    async close() {
      traffic.close();
      await app.close();
    },
  };
}
