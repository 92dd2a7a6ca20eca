/** A listening server around the stub, on a free port of 127.0.0.1. */
import { loadConfig } from "../../src/config/load.ts";
import { createVerifier } from "../../src/judge/verifier.ts";
import { buildServer, type Server } from "../../src/http/server.ts";
import { createMounts } from "../../src/wire/registry.ts";
import { createLog } from "../../src/observe/log.ts";
import { createMetrics, type Metrics } from "../../src/observe/metrics.ts";
import { createStubExecutor, type StubExecutor } from "./stub-executor.ts";

export interface TestServer {
  readonly url: string;
  readonly port: number;
  readonly server: Server;
  readonly stub: StubExecutor;
  readonly metrics: Metrics;
  /** Lines of the log so far. */
  readonly lines: string[];
  ready: boolean;
  close(): Promise<void>;
}

/** @param env configuration by environment names, e.g. `ROLLCALL_HTTP_BODY_BYTES_MAX` */
export async function startServer(env: Record<string, string> = {}): Promise<TestServer> {
  const config = loadConfig({ argv: ["--port", "0"], env, cwd: "/nonexistent" });
  const lines: string[] = [];
  const log = createLog(config.log, { write: (line) => void lines.push(line) });
  const stub = createStubExecutor();
  const metrics = createMetrics();
  let ready = true;
  const server = await buildServer({
    executor: stub,
    verifier: createVerifier(stub, config.verify),
    config,
    metrics,
    log,
    ready: () => ready,
    version: "0.0.0",
    mounts: createMounts(config.wire),
    queued: () => 7,
  });
  const url = await server.listen();
  return {
    url,
    port: Number(new URL(url).port),
    server,
    stub,
    metrics,
    lines,
    get ready() {
      return ready;
    },
    set ready(value) {
      ready = value;
    },
    close: () => server.close(),
  };
}
