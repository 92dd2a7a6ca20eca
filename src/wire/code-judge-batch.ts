/**
 * A batch of submissions to code-judge: one flow for each, all at once. Calls that are run as they came enter the queue
 * together, all or none. A replay that may be answered by a fork is tried first; what that leaves is a call that enters by
 * itself, as soon as it is known.
 */
import type { Call } from "../contract/call.ts";
import { SandboxError } from "../contract/errors.ts";
import type { ExecuteOptions, Executor } from "../contract/executor.ts";
import type { Result } from "../contract/result.ts";
import type { Considered } from "./code-judge-replaying.ts";

/** A submission on its way: its call, and what is known of it as a replay of earlier cells. */
export interface Program {
  readonly call: Call;
  readonly replay: Considered | null;
}

/** Null for a call that can be none, which keeps no other from its run. */
type Run = Promise<Result | null>;

/** The place in the batch of the one call that is at fault for a refusal, or -1. */
function placeAtFault(error: unknown): number {
  if (!(error instanceof SandboxError) || error.fault !== "caller") return -1;
  return Number(/^\/calls\/(\d+)\//.exec(error.path ?? "")?.[1] ?? -1);
}

/** Runs of calls that are accepted together, in their order. */
function runTogether(calls: readonly Call[], executor: Executor, options: ExecuteOptions): readonly Run[] {
  const runs = calls.map((call) => ({ call, ...Promise.withResolvers<Result | null>() }));
  const settle = async (): Promise<void> => {
    const accepted = [...runs];
    while (accepted.length > 0) {
      try {
        const batch = accepted.map(({ call }) => call);
        for await (const { index, result } of await executor.executeBatch(batch, options))
          accepted[index]?.resolve(result);
        return;
      } catch (error) {
        const place = placeAtFault(error);
        if (place < 0) throw error;
        for (const { resolve } of accepted.splice(place, 1)) resolve(null);
      }
    }
  };
  settle().catch((error: unknown) => {
    for (const { reject } of runs) reject(error);
  });
  return runs.map(({ promise }) => promise);
}

/**
 * Does works at once and gives what each came to.
 * @throws what the first that failed threw; the others are then cancelled and have ended.
 */
export async function atOnce<Works extends readonly Promise<unknown>[] | []>(
  options: ExecuteOptions,
  start: (options: ExecuteOptions) => Works,
): Promise<{ -readonly [Index in keyof Works]: Awaited<Works[Index]> }> {
  const failed = new AbortController();
  const signal = AbortSignal.any([failed.signal, options.signal].filter((one) => one !== undefined));
  const works = start({ ...options, signal });
  try {
    return await Promise.all(works);
  } catch (error) {
    failed.abort();
    await Promise.allSettled(works);
    throw error;
  }
}

/**
 * Results in the order of the programs; null for one that can be no call.
 * @throws SandboxError when one of them cannot be carried out now.
 */
export function runPrograms(
  programs: readonly Program[],
  executor: Executor,
  options: ExecuteOptions,
): Promise<(Result | null)[]> {
  return atOnce(options, (cancellable) => {
    const together = programs.filter(({ replay }) => !replay?.answer);
    const calls = together.map(({ call }) => call);
    const runs = new Map(
      runTogether(calls, executor, cancellable).map((run, index) => [together[index] as Program, run]),
    );
    return programs.map(async (program): Run => {
      const { call, replay } = program;
      const answered = (await replay?.answer?.(cancellable)) ?? null;
      if (answered !== null) return answered;
      const result = await (runs.get(program) ?? runTogether([call], executor, cancellable)[0] ?? null);
      if (result !== null) replay?.ranAsItCame(result);
      return result;
    });
  });
}
