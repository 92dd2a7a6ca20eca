/** The HTTP server of the service: in this process, or in front processes with this one as their core. */
import { availableParallelism } from "node:os";
import type { Config } from "../config/schema.ts";
import type { Executor } from "../contract/executor.ts";
import type { Verifier } from "../contract/verifier.ts";
import type { Server } from "../http/server.ts";
import { passLine, type Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";

export interface OpenServerParts {
  readonly executor: Executor;
  readonly verifier: Verifier;
  readonly config: Config;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly version: string;
  /** Whether the engines can take calls now. */
  readonly ready: () => boolean;
  /** Calls that wait for a slot. */
  readonly queued: () => number;
}

/** Below twice as many cores one process answers HTTP faster than the programs of the calls can be run. */
const CORES_PER_FRONT = 8;
const FRONTS_SUGGESTED_MAX = 16;

/** @param asked `http.processes` */
export function httpProcesses(asked: number, cores: number): number {
  if (asked > 0) return asked;
  return Math.min(FRONTS_SUGGESTED_MAX, Math.max(1, Math.floor(cores / CORES_PER_FRONT)));
}

/**
 * Builds the server, not yet listening.
 * @throws Error in words for the operator, e.g. when it would be open to other machines without a key.
 */
export async function openServer(parts: OpenServerParts): Promise<Server> {
  const { config, executor, metrics, log, ready, queued, version } = parts;
  const count = httpProcesses(config.http.processes, availableParallelism());
  if (count === 1) {
    const [{ buildServer }, { createMounts }] = await Promise.all([
      import("../http/server.ts"),
      import("../wire/registry.ts"),
    ]);
    return buildServer({ ...parts, mounts: createMounts(config.wire) });
  }
  const [{ openFronts }, { createDesk }] = await Promise.all([import("./fronts.ts"), import("./desk.ts")]);
  const writeLine = (line: string): void => passLine(log, line);
  const answers = createDesk({ executor, metrics, ready, queued, writeLine });
  return openFronts({ count, config, version, answers, metrics, log });
}
