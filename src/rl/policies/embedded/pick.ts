/** Choosing a token from logits. Pure: the same logits, settings, seed and index choose the same token. */

export interface PickSettings {
  /** 0 takes the likeliest token. */
  readonly temperature: number;
  /** Probability mass kept, in (0, 1]. */
  readonly topP: number;
  readonly seed: number;
}

export interface Picked {
  readonly token: number;
  /** Log probability (nats) at temperature 1, whatever the settings. */
  readonly logprob: number;
}

/** The `index`-th number in [0, 1) of the stream that `seed` names; any order of asking gives the same. */
export function uniform(seed: number, index: number): number {
  // Two rounds of a 32-bit finaliser (lowbias32) over seed and index, 53 bits in all.
  const low = mix(mix(seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0), index >>> 0);
  const high = mix(low, 0x9e37_79b9);
  return ((high >>> 5) * 2 ** 26 + (low >>> 6)) / 2 ** 53;
}

function mix(left: number, right: number): number {
  let value = (Math.imul(left, 0x85eb_ca6b) ^ Math.imul(right, 0xc2b2_ae35) ^ (left >>> 15)) >>> 0;
  value = Math.imul(value ^ (value >>> 16), 0x7feb_352d);
  value = Math.imul(value ^ (value >>> 15), 0x846c_a68b);
  return (value ^ (value >>> 16)) >>> 0;
}

function logSumExp(logits: Float32Array, scale: number): number {
  let top = -Infinity;
  for (const logit of logits) top = Math.max(top, logit * scale);
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit * scale - top);
  return top + Math.log(sum);
}

function likeliest(logits: Float32Array): number {
  let best = 0;
  for (let token = 1; token < logits.length; token += 1)
    if ((logits[token] ?? 0) > (logits[best] ?? 0)) best = token;
  return best;
}

/** Walks `order` until the mass `target` is passed; rounding may leave the last one. */
function walk(order: Iterable<number>, probability: (token: number) => number, target: number): number {
  let passed = 0;
  let last = 0;
  for (const token of order) {
    const mass = probability(token);
    if (mass === 0) continue;
    passed += mass;
    last = token;
    if (passed > target) break;
  }
  return last;
}

/** @param index which token of the continuation this is: the place in the seed's stream */
export function pick(logits: Float32Array, settings: PickSettings, index: number): Picked {
  const token = choose(logits, settings, index);
  return { token, logprob: (logits[token] ?? 0) - logSumExp(logits, 1) };
}

function choose(logits: Float32Array, { temperature, topP, seed }: PickSettings, index: number): number {
  if (temperature === 0) return likeliest(logits);
  const scale = 1 / temperature;
  const total = logSumExp(logits, scale);
  const probability = (token: number): number => Math.exp((logits[token] ?? 0) * scale - total);
  const draw = uniform(seed, index);
  if (topP >= 1) return walk(logits.keys(), probability, draw);
  const order = [...logits.keys()].sort((left, right) => probability(right) - probability(left));
  let kept = 0;
  let mass = 0;
  while (kept < order.length && mass < topP) mass += probability(order[kept++] ?? 0);
  return walk(order.slice(0, kept), probability, draw * mass);
}
