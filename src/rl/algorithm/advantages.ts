/** Group-relative advantages and the data of a policy step. Sources: GRPO (arXiv 2402.03300), DAPO (2503.14476). */
import type { Datum } from "../ports.ts";

/** Keeps the division finite; the value of verl, on which the released code is built. */
const STD_EPSILON = 1e-6;

/** Whether a group has nothing to tell: all of its rewards are the same. */
export function isEqual(rewards: readonly number[]): boolean {
  return rewards.every((reward) => reward === rewards[0]);
}

/**
 * (r - mean) / std over one group, std with n - 1 as in the released code.
 * @returns one number for each rollout; zeros for a group of equal rewards
 */
export function groupAdvantages(rewards: readonly number[]): number[] {
  if (isEqual(rewards)) return rewards.map(() => 0);
  const mean = rewards.reduce((sum, reward) => sum + reward, 0) / rewards.length;
  const squares = rewards.reduce((sum, reward) => sum + (reward - mean) ** 2, 0);
  const std = Math.sqrt(squares / (rewards.length - 1));
  return rewards.map((reward) => (reward - mean) / (std + STD_EPSILON));
}

/** A token sequence with, for each token, whether the model wrote it and with what log probability. */
export interface Written {
  readonly tokens: readonly number[];
  /** 1 for tokens of the model, 0 for the problem and for tool responses. Same length as `tokens`. */
  readonly mask: readonly number[];
  /** Nats; 0 where the mask is 0. Same length as `tokens`. */
  readonly logprobs: readonly number[];
}

/** Tokens that the model wrote: |o_i|. */
export function writtenTokens({ mask }: { readonly mask: readonly number[] }): number {
  return mask.reduce((sum, one) => sum + one, 0);
}

/**
 * The data of one policy step. Losses are sums over tokens, so the token-level mean over the step, 1 / sum |o_i|, is
 * folded into the advantages. A rollout's advantage is the same for all the tokens it wrote and 0 elsewhere.
 * @param advantages one for each rollout
 */
export function policyData(written: readonly Written[], advantages: readonly number[]): Datum[] {
  const total = written.reduce((sum, one) => sum + writtenTokens(one), 0);
  return written.map(({ tokens, mask, logprobs }, index) => {
    const scaled = (advantages[index] ?? 0) / Math.max(1, total);
    const weights = mask.slice(1);
    return {
      tokens,
      weights,
      logprobs: logprobs.slice(1),
      advantages: weights.map((weight) => weight * scaled),
    };
  });
}

/** The data of one supervised step: the mean over all tokens that the teacher wrote. */
export function imitationData(written: readonly Written[]): Datum[] {
  const total = Math.max(
    1,
    written.reduce((sum, one) => sum + writtenTokens(one), 0),
  );
  return written.map(({ tokens, mask }) => ({ tokens, weights: mask.slice(1).map((one) => one / total) }));
}
