/** The server's metrics under the loop's names, beside those that the client reckons from log probabilities. */
import type { Metrics } from "../../ports.ts";

const GRADIENT_NORMS = [
  "skyrl.ai/grad_norm",
  "grad_norm",
  "optim/grad_norm",
  "actor/grad_norm",
  "grad_norm:mean",
];

export function gradientNorm(metrics: Readonly<Record<string, number>>): number | undefined {
  for (const name of GRADIENT_NORMS) if (Number.isFinite(metrics[name])) return metrics[name];
  return undefined;
}

/** Metrics of a request's chunks in one: names end in how they combine (`loss:sum`), as the SDK has it; else the mean. */
export function mergeMetrics(chunks: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const values = new Map<string, number[]>();
  for (const chunk of chunks)
    for (const [name, value] of Object.entries(chunk)) values.set(name, [...(values.get(name) ?? []), value]);
  const merged: Record<string, number> = {};
  for (const [name, all] of values) {
    const sum = all.reduce((total, value) => total + value, 0);
    if (name.endsWith(":sum")) merged[name] = sum;
    else if (name.endsWith(":max")) merged[name] = Math.max(...all);
    else if (name.endsWith(":min")) merged[name] = Math.min(...all);
    else merged[name] = sum / all.length;
  }
  return merged;
}

export function serverMetrics(metrics: Readonly<Record<string, number>>): Metrics {
  const named = Object.fromEntries(Object.entries(metrics).map(([name, value]) => [`server/${name}`, value]));
  const norm = gradientNorm(metrics);
  return norm === undefined ? named : { ...named, "actor/grad_norm": norm };
}
