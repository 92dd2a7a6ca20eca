/** Adam with decoupled weight decay, on flat arrays. Plain arithmetic in a fixed order: the same inputs, the same bits. */
import type { AdamParameters } from "../../ports.ts";
import { EngineError } from "../../ports.ts";

export interface AdamState {
  readonly weights: Float32Array;
  /** Sum of what was accumulated since the last step. */
  readonly gradient: Float32Array;
  readonly firstMoment: Float32Array;
  readonly secondMoment: Float32Array;
}

/** @throws EngineError telling which parameter is not allowed and what is */
export function checkAdam(parameters: AdamParameters): void {
  const { learningRate, beta1, beta2, epsilon, weightDecay, gradientNormMax } = parameters;
  const rules: readonly (readonly [string, number, boolean, string])[] = [
    ["learningRate", learningRate, learningRate >= 0 && Number.isFinite(learningRate), "0 or more"],
    ["beta1", beta1, beta1 >= 0 && beta1 < 1, "from 0 to below 1"],
    ["beta2", beta2, beta2 >= 0 && beta2 < 1, "from 0 to below 1"],
    ["epsilon", epsilon, epsilon >= 0 && Number.isFinite(epsilon), "0 or more"],
    ["weightDecay", weightDecay, weightDecay >= 0 && Number.isFinite(weightDecay), "0 or more"],
    [
      "gradientNormMax",
      gradientNormMax,
      gradientNormMax >= 0 && Number.isFinite(gradientNormMax),
      "0 (no clipping) or more",
    ],
  ];
  for (const [name, value, allowed, range] of rules)
    if (!allowed)
      throw new EngineError(`the optimizer's ${name} is ${value}; it must be ${range}`, { retryable: false });
}

/**
 * One step in place; the gradient is zero afterwards.
 * @param step counts from 1
 * @returns the gradient's L2 norm before clipping; when it is not finite nothing but the gradient has changed
 */
export function adamStep(state: AdamState, parameters: AdamParameters, step: number): number {
  const { weights, gradient, firstMoment, secondMoment } = state;
  let square = 0;
  for (const one of gradient) square += one * one;
  const norm = Math.sqrt(square);
  if (Number.isFinite(norm)) {
    const { beta1, beta2, epsilon, learningRate, weightDecay, gradientNormMax } = parameters;
    const scale = gradientNormMax > 0 && norm > gradientNormMax ? gradientNormMax / norm : 1;
    const firstCorrection = 1 - beta1 ** step;
    const secondCorrection = 1 - beta2 ** step;
    for (let at = 0; at < weights.length; at += 1) {
      const slope = (gradient[at] ?? 0) * scale;
      const first = beta1 * (firstMoment[at] ?? 0) + (1 - beta1) * slope;
      const second = beta2 * (secondMoment[at] ?? 0) + (1 - beta2) * slope * slope;
      firstMoment[at] = first;
      secondMoment[at] = second;
      const before = weights[at] ?? 0;
      // A slope that was always exactly 0 moves nothing, also with an epsilon of 0.
      const move =
        first === 0 ? 0 : first / firstCorrection / (Math.sqrt(second / secondCorrection) + epsilon);
      weights[at] = before - learningRate * (move + weightDecay * before);
    }
  }
  gradient.fill(0);
  return norm;
}
