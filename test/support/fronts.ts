/** A service of several processes around the stub: the test's process is its core, its fronts are real ones. */
import { readMetrics, type MetricsText } from "../../scripts/soak/metrics.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { Server } from "../../src/http/server.ts";
import { createVerifier } from "../../src/judge/verifier.ts";
import { createLog } from "../../src/observe/log.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import { openServer } from "../../src/service/open-server.ts";
import { descendants } from "./leftovers.ts";
import { createStubExecutor, type StubExecutor } from "./stub-executor.ts";

export interface FrontsService {
  readonly url: string;
  readonly port: number;
  readonly server: Server;
  readonly stub: StubExecutor;
  /** Lines of the log so far, those of the fronts among them. */
  readonly lines: string[];
  /** Ids of the fronts' processes. */
  readonly fronts: () => number[];
  readonly scrape: () => Promise<MetricsText>;
  close(): Promise<void>;
}

/** @param env configuration by environment names; two fronts when it does not say how many */
export async function startFronts(env: Record<string, string> = {}): Promise<FrontsService> {
  const config = loadConfig({
    argv: [],
    env: { ROLLCALL_HTTP_PROCESSES: "2", ROLLCALL_HTTP_PORT: "0", ...env },
    cwd: "/nonexistent",
  });
  const lines: string[] = [];
  const log = createLog(config.log, { write: (line) => void lines.push(line) });
  const stub = createStubExecutor();
  const before = descendants(process.pid);
  const server = await openServer({
    executor: stub,
    verifier: createVerifier(stub, config.verify),
    config,
    metrics: createMetrics(),
    log,
    ready: () => true,
    version: "0.0.0",
    queued: () => 7,
  });
  let url: string;
  try {
    url = await server.listen();
  } catch (error) {
    await server.close();
    throw error;
  }
  return {
    url,
    port: Number(new URL(url).port),
    server,
    stub,
    lines,
    fronts: () => descendants(process.pid).filter((pid) => !before.includes(pid)),
    scrape: () => readMetrics(url),
    close: () => server.close(),
  };
}
