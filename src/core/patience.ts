/**
 * How long core waits for an engine. What does not answer in time has failed: a slot must not be lost, nor a call be
 * without its Result, because a sandbox hangs.
 */
import { type Evidence, type RunSpec, type Sandbox, SandboxFault } from "./ports.ts";

/** Past its wall limit, or after it was told to end, how long a sandbox may take to answer. */
const SILENCE_MS_MAX = 15_000;

/** @throws SandboxFault of that kind when there is no answer within `ms`, or before the signal aborts. */
export async function inTime<T>(
  answer: Promise<T>,
  ms: number,
  kind: string,
  signal?: AbortSignal,
): Promise<T> {
  const answered = new AbortController();
  const ended = signal === undefined ? answered.signal : AbortSignal.any([answered.signal, signal]);
  const late = pause(ms, ended).then(() =>
    Promise.reject(new SandboxFault(kind, `there was no answer within ${ms} ms`)),
  );
  try {
    return await Promise.race([answer, late]);
  } finally {
    answered.abort();
  }
}

/**
 * Whether a process was refused to a program that was not at its own limit, but at one above it. What it started
 * counts the refused ones in, for the kernel numbers a process before it looks whether there may be one.
 */
function wasStarved({ forksRefused, usage }: Evidence, { limits }: RunSpec): boolean {
  return forksRefused > 0 && usage.processes - forksRefused < limits.processes;
}

/** @throws SandboxFault `sandbox_silent`, `unasked_cancel`, `no_processes`, or what the run itself throws. */
export async function runInTime(sandbox: Sandbox, spec: RunSpec, signal: AbortSignal): Promise<Evidence> {
  const evidence = await answerInTime(sandbox, spec, signal);
  if (wasStarved(evidence, spec))
    throw new SandboxFault("no_processes", "the service had no process left to give to a program");
  return evidence;
}

/** What carries runs out: a sandbox of calls, or that of a session. */
interface Runner<E extends Evidence> {
  run(spec: RunSpec, signal: AbortSignal): Promise<E>;
}

/** @throws SandboxFault `sandbox_silent`, `unasked_cancel`, or what the run itself throws. */
export async function answerInTime<E extends Evidence>(
  sandbox: Runner<E>,
  spec: RunSpec,
  signal: AbortSignal,
): Promise<E> {
  const answer = sandbox.run(spec, signal);
  const evidence = await beforeSilence(answer, spec.limits.wall_ms + SILENCE_MS_MAX, signal);
  if (evidence.endedBy === "cancel" && !signal.aborted)
    throw new SandboxFault("unasked_cancel", "a sandbox ended a program that nobody gave up");
  return evidence;
}

/** One promise and one timer for each call: 0.80 us, and 0.96 where two promises race (docs/performance.md). */
function beforeSilence<E>(answer: Promise<E>, ms: number, signal: AbortSignal): Promise<E> {
  return new Promise((resolve, reject) => {
    const isSilent = (): void => {
      stop();
      reject(new SandboxFault("sandbox_silent", "a sandbox did not answer in time"));
    };
    let timer = setTimeout(isSilent, ms);
    const toldToEnd = (): void => {
      clearTimeout(timer);
      timer = setTimeout(isSilent, SILENCE_MS_MAX);
    };
    const stop = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", toldToEnd);
    };
    signal.addEventListener("abort", toldToEnd, { once: true });
    answer.then(
      (evidence) => {
        stop();
        resolve(evidence);
      },
      (error: unknown) => {
        stop();
        // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- as the sandbox threw it
        reject(error);
      },
    );
  });
}

/** Resolves after `ms`, or as soon as the signal aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms === 0 || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}
