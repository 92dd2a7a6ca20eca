/** The HTTP server around any Executor: options, hooks and routes put together. */
import type { IncomingMessage } from "node:http";
import {
  LogController,
  fastify,
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyListenOptions,
} from "fastify";
import type { Config } from "../config/schema.ts";
import { SandboxError } from "../contract/errors.ts";
import type { Executor } from "../contract/executor.ts";
import type { Verifier } from "../contract/verifier.ts";
import type { Log } from "../observe/log.ts";
import type { ServerMetrics } from "../observe/metrics.ts";
import { assertGuarded, assertOpenable, bearerOf, createAuthenticate, type Authenticate } from "./auth.ts";
import { createBodyParser } from "./body.ts";
import { createClientErrorHandler, createErrorHandler, noRouteError } from "./errors.ts";
import { Intake } from "./intake.ts";
import { asCollision, registerMount, type Mount } from "./mount.ts";
import { registerOpenapi } from "./openapi.ts";
import { registerBatches } from "./routes/batches.ts";
import { registerCalls } from "./routes/calls.ts";
import { registerSessions } from "./routes/sessions.ts";
import { registerService } from "./routes/service.ts";
import { registerVerify } from "./routes/verify.ts";
import { sharedSchemas } from "./schemas.ts";
import { createTraffic, type Traffic } from "./traffic.ts";

export interface ServerParts {
  readonly executor: Executor;
  readonly verifier: Verifier;
  readonly config: Pick<Config, "http" | "queue" | "limits" | "verify">;
  readonly metrics: ServerMetrics;
  readonly log: Log;
  /** Whether the engines can take calls now. */
  readonly ready: () => boolean | Promise<boolean>;
  readonly version: string;
  /** APIs of other systems. Default: none. */
  readonly mounts?: readonly Mount[];
  /** Calls that wait for a slot. Default: nobody knows, and none is told. */
  readonly queued?: () => number | Promise<number>;
}

export interface Server {
  /**
   * Starts to listen and gives the base URL.
   * @param sharedPort listens so that other processes can listen on the same ports; stands for `http.port`. 0 takes a
   *   free one. Default: nobody else can.
   */
  listen(sharedPort?: number): Promise<string>;
  /** Base URL of each API of another system, by its name, once the server listens. */
  mounted(): Readonly<Record<string, string>>;
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
  const app: FastifyInstance = fastify({
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
      // Any other protocol that a client offers is passed over, as if nobody here upgraded.
      shouldUpgradeCallback: ({ headers }: IncomingMessage): boolean =>
        headers.upgrade?.toLowerCase() === "websocket" && app.server.listenerCount("upgrade") > 0,
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
        discriminator: true,
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
      const { authorization } = request.headers;
      const isMounted = request.routeOptions.config.mounted === true;
      request.tenant = authenticate(isMounted ? bearerOf(request.headers) : authorization);
      if (request.tenant === null) {
        done(new SandboxError("unauthorized", "a known key is needed: authorization: Bearer <key>"));
        return;
      }
    }
    done();
  });
}

/** One port: an app, and what is open on it. */
interface Listener {
  readonly app: FastifyInstance;
  readonly traffic: Traffic;
  readonly intake: Intake;
  readonly port: number;
  /** Base URL once it listens. */
  url: string;
}

/** @param main the listener whose bounds on bodies are those of all; null for itself */
function createListener(parts: ServerParts, port: number, main: Listener | null): Listener {
  const { http } = parts.config;
  const app = createApp(parts, () => traffic);
  const traffic = createTraffic(app.server, { stallTimeoutMs: http.stallTimeoutMs });
  app.removeAllContentTypeParsers();
  const intake = main?.intake ?? new Intake();
  app.addContentTypeParser("application/json", createBodyParser(http, main?.traffic ?? traffic, intake));
  guard(app, createAuthenticate(http.keys));
  app.setNotFoundHandler((request, reply) => {
    throw noRouteError(new Map(), request, reply);
  });
  return { app, traffic, intake, port, url: "" };
}

/** Puts the APIs of other systems on the main listener or on listeners of their own, which are returned. */
function mountAll(parts: ServerParts, main: Listener): Map<Mount, Listener> {
  const { executor, config, log, metrics, mounts = [], queued = () => 0 } = parts;
  const byPort = new Map<number, Listener>([
    [0, main],
    [main.port, main],
  ]);
  return new Map(
    mounts.map((mount) => {
      if (mount.open) assertOpenable(config.http.host);
      const listener = byPort.get(mount.port) ?? createListener(parts, mount.port, main);
      byPort.set(mount.port, listener);
      const { app, traffic } = listener;
      registerMount(app, mount, {
        executor,
        limits: config.limits,
        queued: async () => queued(),
        traffic,
        log,
        observer: metrics.observer,
      });
      return [mount, listener];
    }),
  );
}

/** Connections that wait to be accepted; the kernel takes no more than its own net.core.somaxconn, 4096 by default. */
const BACKLOG = 65_535;

/** The server around its listeners, the main one first. */
function serverOf(
  listeners: readonly Listener[],
  places: ReadonlyMap<Mount, Listener>,
  host: string,
): Server {
  return {
    async listen(sharedPort) {
      const [main] = listeners as [Listener];
      const reusePort = sharedPort !== undefined;
      for (const listener of listeners) {
        const port = listener === main ? (sharedPort ?? listener.port) : listener.port;
        listener.url = await listener.app.listen({
          host,
          port,
          reusePort,
          backlog: BACKLOG,
        } as FastifyListenOptions);
      }
      return main.url;
    },
    mounted: () =>
      Object.fromEntries([...places].map(([{ name, prefix }, { url }]) => [name, `${url}${prefix}`])),
    async drain(timeoutMs) {
      const drained = await Promise.all(listeners.map(({ traffic }) => traffic.drain(timeoutMs)));
      return drained.every(Boolean);
    },
    async close() {
      for (const { traffic } of listeners) traffic.close();
      await Promise.all(listeners.map(({ app }) => app.close()));
    },
  };
}

/**
 * Builds the server, not yet listening.
 * @throws Error when it would be open to other machines without a key.
 */
export async function buildServer(parts: ServerParts): Promise<Server> {
  const { config, executor, verifier, metrics, log, ready, version } = parts;
  const { http, queue, verify } = config;
  assertGuarded(http.host, http.keys);
  const main = createListener(parts, http.port, null);
  const { app, traffic } = main;
  for (const schema of sharedSchemas(queue.batchCallsMax, verify.batchMax)) app.addSchema(schema);
  await registerOpenapi(app, { version, keyed: http.keys.length > 0 });
  registerService({ app, executor, traffic, metrics, ready });
  registerCalls({ app, executor, traffic, log });
  registerBatches({ app, executor, traffic, log, answerBytesMax: http.answerBytesMax });
  registerVerify({
    app,
    verifier,
    traffic,
    log,
    observer: metrics.observer,
    answerBytesMax: http.answerBytesMax,
  });
  registerSessions({ app, executor, traffic, log });
  const places = mountAll(parts, main);
  const listeners = [...new Set([main, ...places.values()])];
  metrics.observer.watchHttp(() => {
    const counts = listeners.map((listener) => listener.traffic.counts());
    const sum = (name: "connections" | "requests" | "bodyBytes"): number =>
      counts.reduce((total, count) => total + count[name], 0);
    return { connections: sum("connections"), requests: sum("requests"), bodyBytes: sum("bodyBytes") };
  });
  try {
    for (const listener of listeners) await listener.app.ready();
  } catch (error) {
    throw asCollision(error);
  }
  return serverOf(listeners, places, http.host);
}
