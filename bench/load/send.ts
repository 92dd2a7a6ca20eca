/**
 * Sends calls to a target in one of the ways there are: at given times whatever happens (open loop), as many as
 * are answered (closed loop), or as rollouts with turns.
 *
 * Invariant: a call's latency counts from the time at which it was meant to be sent. In a closed loop that is when
 * its predecessor was answered, so a closed loop measures capacity and says little about waiting.
 */
import type { Target } from "../targets/target.ts";
import type { Draw, Planned } from "./mixes.ts";
import type { Recorder } from "./recorder.ts";
import type { Turn } from "./rollouts.ts";

export interface SendOptions {
  readonly target: Target;
  readonly recorder: Recorder;
  readonly signal?: AbortSignal;
}

interface Clock {
  /** Milliseconds since the start of the load. */
  readonly nowMs: () => number;
}

function startClock(): Clock {
  const startedAt = performance.now();
  return { nowMs: () => performance.now() - startedAt };
}

/** One request and its answers, counted. Never rejects: what fails is counted too. */
async function sendOne(
  { target, recorder }: SendOptions,
  calls: readonly Planned[],
  dueMs: number,
  { nowMs }: Clock,
): Promise<void> {
  recorder.sent(calls.length, nowMs() - dueMs);
  let open = calls.length;
  try {
    await target.send(calls, (index, answer) => {
      const program = calls[index]?.program;
      open -= 1;
      recorder.answer(program?.kind ?? "unknown", answer, dueMs, nowMs(), program?.warm_cpu_ms ?? null);
    });
    if (open > 0) recorder.refuse(open, new Error("left out of the answer"));
  } catch (error) {
    recorder.refuse(open, error);
  }
}

function sleepUntil(atMs: number, { nowMs }: Clock): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, atMs - nowMs())));
}

/** How far a timer of Node may come early or late; calls due within it go out together. Milliseconds. */
const TIMER_SLACK_MS = 0.5;

/** Sends one call at each of the times, ascending; those that are due at the same time go out as one request. */
export async function sendOpen(
  options: SendOptions & {
    readonly draw: Draw;
    readonly arrivalsMs: Iterable<number>;
    readonly batch?: number;
  },
): Promise<void> {
  const { draw, arrivalsMs, signal, batch = 1 } = options;
  const clock = startClock();
  const pending = new Set<Promise<void>>();
  const flush = (group: Planned[], dueMs: number): void => {
    if (group.length === 0) return;
    const one = sendOne(options, group.splice(0), dueMs, clock).finally(() => pending.delete(one));
    pending.add(one);
  };
  const group: Planned[] = [];
  let dueMs = 0;
  for (const atMs of arrivalsMs) {
    if (signal?.aborted === true) break;
    if (atMs !== dueMs || group.length >= batch) flush(group, dueMs);
    dueMs = atMs;
    if (atMs - clock.nowMs() > TIMER_SLACK_MS) {
      flush(group, dueMs);
      await sleepUntil(atMs, clock);
    }
    group.push(draw());
  }
  flush(group, dueMs);
  await Promise.all(pending);
}

/** Keeps `requests` requests of `batch` calls in flight until all calls are answered. */
export async function sendClosed(
  options: SendOptions & {
    readonly calls: readonly Planned[];
    readonly requests: number;
    readonly batch?: number;
  },
): Promise<void> {
  const { calls, requests, signal, batch = 1 } = options;
  const clock = startClock();
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < calls.length) {
      if (signal?.aborted === true) return;
      const group = calls.slice(next, (next += batch));
      await sendOne(options, group, clock.nowMs(), clock);
    }
  };
  await Promise.all(Array.from({ length: requests }, lane));
}

/** All calls at once: every one is due at the start, however long the connections make it wait. */
export async function sendBurst(
  options: SendOptions & { readonly calls: readonly Planned[]; readonly batch?: number },
): Promise<void> {
  const { calls, batch = 1 } = options;
  const clock = startClock();
  const requests: Promise<void>[] = [];
  for (let at = 0; at < calls.length; at += batch)
    requests.push(sendOne(options, calls.slice(at, at + batch), 0, clock));
  await Promise.all(requests);
}

/** Rollouts side by side: each sends its next turn a think time after the answer to the one before. */
export async function sendRollouts(
  options: SendOptions & {
    readonly rollouts: readonly (readonly Turn[])[];
    /** Verifications, sent all at once when the last rollout has ended. */
    readonly verifications: readonly Planned[];
    readonly batch: number;
  },
): Promise<void> {
  const { rollouts, verifications, batch, signal } = options;
  const clock = startClock();
  const rollout = async (turns: readonly Turn[]): Promise<void> => {
    for (const { thinkMs, planned } of turns) {
      const dueMs = clock.nowMs() + thinkMs;
      await sleepUntil(dueMs, clock);
      if (signal?.aborted === true) return;
      await sendOne(options, [planned], dueMs, clock);
    }
  };
  await Promise.all(rollouts.map(rollout));
  const dueMs = clock.nowMs();
  const groups: Promise<void>[] = [];
  for (let at = 0; at < verifications.length; at += batch)
    groups.push(sendOne(options, verifications.slice(at, at + batch), dueMs, clock));
  await Promise.all(groups);
}
