/** Accuracy of repeated attempts. Source of the estimator: Chen et al., arXiv 2107.03374. */

/** Mean share of right attempts, over problems: avg@k for k attempts at each. NaN without a problem. */
export function averageAtK(correct: readonly number[], attempts: number): number {
  return correct.reduce((sum, one) => sum + one / attempts, 0) / correct.length;
}

/**
 * Probability that at least one of k attempts is right, estimated without bias from n >= k of which c were:
 * 1 - C(n - c, k) / C(n, k).
 * @throws RangeError unless 0 <= c <= n and 1 <= k <= n
 */
export function passAtK(attempts: number, correct: number, k: number): number {
  if (!(k >= 1 && k <= attempts && correct >= 0 && correct <= attempts))
    throw new RangeError(`pass@${k} cannot be estimated from ${correct} right of ${attempts}`);
  if (attempts - correct < k) return 1;
  let miss = 1;
  for (let one = attempts - correct + 1; one <= attempts; one += 1) miss *= 1 - k / one;
  return 1 - miss;
}
