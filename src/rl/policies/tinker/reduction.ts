/**
 * Whether a server sums a loss or averages it, measured: one datum once, twice, and with doubled weights, each before
 * an optimizer step whose gradient norm is compared. A sum doubles both times, a mean stays.
 */
import { EngineError } from "../../ports.ts";
import type { Reduction } from "./losses.ts";
import { wireLoss } from "./losses.ts";
import { gradientNorm } from "./metrics.ts";
import type { TrainingModel } from "./training-model.ts";

/** Learning rate 0: the model is thrown away, but nothing may depend on that. */
const STILL = { learning_rate: 0, beta1: 0.9, beta2: 0.95, eps: 1e-8, weight_decay: 0, grad_clip_norm: 0 };

async function normOf(model: TrainingModel, weight: number, times: number): Promise<number | undefined> {
  const datum = { tokens: [1, 2, 3, 4], weights: [weight, weight, weight] };
  const data = Array.from({ length: times }, () => datum);
  const loss = wireLoss(data, { kind: "cross_entropy" }, "sum", times);
  const [, metrics] = await Promise.all([model.forwardBackward(loss, data), model.optimStep(STILL)]);
  return gradientNorm(metrics);
}

const isAbout = (ratio: number, expected: number): boolean => Math.abs(ratio / expected - 1) < 0.2;

/**
 * @returns null when the server tells no gradient norm
 * @throws EngineError when it reduces in neither way, which would silently train on something else
 */
export async function measureReduction(model: TrainingModel): Promise<Reduction | null> {
  const once = await normOf(model, 1, 1);
  if (once === undefined || once === 0) return null;
  const twice = ((await normOf(model, 1, 2)) ?? 0) / once;
  const doubled = ((await normOf(model, 2, 1)) ?? 0) / once;
  if (isAbout(twice, 2) && isAbout(doubled, 2)) return "sum";
  if (isAbout(twice, 1) && isAbout(doubled, 1)) return "sequence_mean";
  throw new EngineError(
    `the server neither sums losses nor averages them by sequence: the same datum twice has ` +
      `${twice.toFixed(2)} times its gradient norm, with doubled weights ${doubled.toFixed(2)} times; ` +
      `a sum has 2 and 2, a mean 1 and 1`,
    { retryable: false },
  );
}
