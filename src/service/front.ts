/**
 * Process entry of a front: the HTTP server, with the core process behind it for an Executor. It does as the core process
 * says, and ends with it: signals are the core process's to hear.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { Socket } from "node:net";
import type { Config } from "../config/schema.ts";
import { buildServer, type Server } from "../http/server.ts";
import { createVerifier, verifierOptions } from "../judge/verifier.ts";
import { createLog, type Log } from "../observe/log.ts";
import { METRICS_CONTENT_TYPE, type HttpPresent, type ServerMetrics } from "../observe/metrics.ts";
import { createMounts } from "../wire/registry.ts";
import { Channel } from "./channel.ts";
import { CHANNEL_DESCRIPTOR } from "./front-process.ts";
import type { CoreAsks, FrontAsks, Told } from "./questions.ts";
import { RemoteExecutor, type ToCore } from "./remote-executor.ts";

const LAG_RESOLUTION_MS = 10;

let server: Server | null = null;
let present: () => HttpPresent | Promise<HttpPresent> = () => ({ connections: 0, requests: 0, bodyBytes: 0 });
let log: Log | null = null;
const lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
lag.enable();

/** To be counted or written by the core process. When that is gone, so is this process. */
function tell<Name extends "httpError" | "judged" | "replayed" | "log">(
  name: Name,
  body: FrontAsks[Name]["asks"],
): void {
  core.ask(name, body).catch(() => undefined);
}

function metricsOf(toCore: ToCore): ServerMetrics {
  return {
    contentType: METRICS_CONTENT_TYPE,
    text: () => toCore.ask("metrics", null),
    observer: {
      httpError: (code) => tell("httpError", { code }),
      judged: (kind, verdict) => tell("judged", { kind, verdict }),
      replayed: (end) => tell("replayed", { end }),
      watchHttp: (source) => void (present = source),
    },
  };
}

async function build(config: Config, version: string): Promise<Server> {
  log = createLog({ ...config.log, pretty: false }, { write: (line) => tell("log", line) });
  const executor = new RemoteExecutor(core);
  return buildServer({
    executor,
    verifier: createVerifier(executor, verifierOptions(config)),
    config,
    metrics: metricsOf(core),
    log,
    ready: () => core.ask("ready", null),
    queued: () => core.ask("queued", null),
    version,
    mounts: createMounts(config.wire),
  });
}

async function told<T>(work: () => Promise<T>): Promise<Told<T>> {
  try {
    return { done: await work() };
  } catch (error) {
    return { failed: (error as Error).message };
  }
}

function built(): Server {
  if (server === null) throw new Error("a front was told to serve before it was built");
  return server;
}

const core: ToCore = new Channel<FrontAsks, CoreAsks>({
  stream: new Socket({ fd: CHANNEL_DESCRIPTOR }),
  answers: {
    build: ({ config, version }) =>
      told(async () => {
        server = await build(config, version);
        return null;
      }),
    listen: ({ port }) =>
      told(async () => {
        const url = await built().listen(port);
        return { url, port: Number(new URL(url).port), mounted: built().mounted() };
      }),
    async measure() {
      const { user, system } = process.cpuUsage();
      const lagSeconds = lag.percentile(99) / 1e9;
      lag.reset();
      const { connections, requests, bodyBytes } = await present();
      const cpuSeconds = (user + system) / 1e6;
      return {
        connections,
        requests,
        bodyBytes,
        cpuSeconds,
        residentBytes: process.memoryUsage.rss(),
        lagSeconds,
      };
    },
    drain: ({ timeoutMs }) => built().drain(timeoutMs),
    async close() {
      await server?.close();
      return null;
    },
  },
  onBug: (error, question) => log?.error({ err: error, question }, "a front failed"),
  onEnd: () => process.exit(0),
});

for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => undefined);
