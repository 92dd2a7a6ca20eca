/** What an engine made wrongly never reaches the loop as numbers. */
import { EngineError } from "../ports.ts";

export function unusable(what: string, why: string, cause?: unknown): EngineError {
  return new EngineError(`${what}: the engine's reply cannot be used: ${why}`, { retryable: false, cause });
}

/** @throws EngineError for tokens that are none, or that lack a finite log probability */
export function checkedTokens(
  what: string,
  tokens: readonly number[],
  logprobs: readonly (number | null)[],
): { readonly tokens: readonly number[]; readonly logprobs: readonly number[] } {
  if (tokens.length !== logprobs.length)
    throw unusable(what, `${tokens.length} tokens with ${logprobs.length} log probabilities`);
  const badToken = tokens.find((token) => !Number.isInteger(token) || token < 0);
  if (badToken !== undefined) throw unusable(what, `${String(badToken)} is no token id`);
  const bad = logprobs.findIndex((value) => value === null || !Number.isFinite(value) || value > 1e-3);
  if (bad >= 0) throw unusable(what, `token ${bad} has the log probability ${String(logprobs[bad])}`);
  return { tokens, logprobs: (logprobs as number[]).map((value) => Math.min(0, value)) };
}
