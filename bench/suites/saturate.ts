/** A target kept as busy as it can be, as trainers do it: a few requests of many calls, or many of one. */
import { availableParallelism } from "node:os";
import type { Planned } from "../load/mixes.ts";
import { sendClosed } from "../load/send.ts";
import type { Service } from "../machine/service.ts";
import type { LoadResult } from "../results/schema.ts";
import { createNativeTarget, type Transfer } from "../targets/native.ts";
import type { Target } from "../targets/target.ts";
import type { Session } from "./suite.ts";

/** Calls of a trainer's batch. */
export const BATCH = 64;
/** Batches in flight. */
export const BATCHES = 4;
/** Single requests in flight for each core, where there are no batches. */
const SINGLES_PER_CORE = 8;

export function nativeTarget(
  session: Session,
  service: Service,
  transfer: Transfer,
  connections = 64,
): Target {
  const { url, pid } = service;
  return session.use(createNativeTarget({ url, pid, transfer, connections }));
}

/** Sends all calls as fast as they are answered. */
export function saturate(
  session: Session,
  name: string,
  target: Target,
  calls: readonly Planned[],
): Promise<LoadResult> {
  const batch = Math.min(BATCH, target.batchMax);
  const requests = batch > 1 ? BATCHES : SINGLES_PER_CORE * availableParallelism();
  return session.load(name, target, (options) => sendClosed({ ...options, calls, requests, batch }));
}

/** CPU time of the target for each answered call. Milliseconds; NaN when it is not known. */
export function cpuPerCall({ cpuMs, recorded }: LoadResult): number {
  return cpuMs === null || recorded.answered === 0 ? Number.NaN : cpuMs / recorded.answered;
}
