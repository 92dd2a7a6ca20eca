/** The service with a stub for its engine: real HTTP, real scheduling, no program. Takes the service's flags. */
import { randomUUID } from "node:crypto";
import { loadConfig } from "../../src/config/load.ts";
import { LocalExecutor } from "../../src/core/local-executor.ts";
import { createVerifier } from "../../src/judge/verifier.ts";
import { createLog } from "../../src/observe/log.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import { RUNTIMES } from "../../src/runtimes/registry.ts";
import { openServer } from "../../src/service/open-server.ts";
import { createStubEngine } from "./engine.ts";

const SLOTS = 64;

const config = loadConfig({ argv: process.argv.slice(3), env: {}, cwd: process.cwd() });
const log = createLog(config.log);
const metrics = createMetrics();
const executor = new LocalExecutor({
  engines: [createStubEngine(config.python.slots || SLOTS)],
  runtimes: [RUNTIMES.python],
  limits: config.limits,
  queue: config.queue,
  // Its engine has no sessions.
  sessions: {
    max: 0,
    tenantMax: 0,
    callsMax: 1,
    waitingMax: 1,
    idleMs: { default: 1, ceiling: 1 },
    totalMs: { default: 1, ceiling: 1 },
  },
  compiledBytesMax: config.compile.cacheBytes,
  observer: metrics.observer,
  version: "0.0.0",
  runtimeVersion: () => "0",
  now: () => performance.now(),
  newId: randomUUID,
});
await executor.start();
const server = await openServer({
  executor,
  verifier: createVerifier(executor, config.verify),
  config,
  metrics,
  log,
  ready: () => executor.ready(),
  version: "0.0.0",
  queued: () => executor.observed().queuedCalls,
});
process.once("SIGTERM", () => {
  void server.close().then(() => process.exit(0));
});
log.info({ address: await server.listen() }, "listening");
