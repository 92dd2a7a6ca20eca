/** The smallest thing that can be sampled and trained: a table of scores of each token after each other. */
import type { WireDatum } from "../../../src/rl/tinker-wire/messages.ts";

type Table = number[][];

const emptyTable = (size: number): Table =>
  Array.from({ length: size }, () => Array.from({ length: size }, () => 0));

export interface BigramState {
  readonly scores: Table;
  readonly first: Table;
  readonly second: Table;
  step: number;
}

export interface StepResult {
  readonly norm: number;
}

/** `d loss / d log p` of one target, as each loss has it. */
function slope(
  loss: string,
  logprob: number,
  at: { was: number; advantage: number; weight: number },
  config: Readonly<Record<string, number>>,
): number {
  const ratio = Math.exp(logprob - at.was);
  const [low, high] = [config["clip_low_threshold"] ?? 0.9, config["clip_high_threshold"] ?? 1.1];
  const clipped = Math.min(Math.max(ratio, low), high);
  if (loss === "cross_entropy") return -at.weight;
  if (loss === "importance_sampling") return -ratio * at.advantage * at.weight;
  if (loss === "cispo") return -clipped * at.advantage * at.weight;
  return ratio * at.advantage <= clipped * at.advantage ? -ratio * at.advantage * at.weight : 0;
}

export class Bigram {
  state: BigramState;
  readonly #vocabulary: number;
  #gradient: Table;
  #data = 0;

  constructor(vocabulary = 8) {
    this.#vocabulary = vocabulary;
    const empty = (): Table => emptyTable(vocabulary);
    this.state = { scores: empty(), first: empty(), second: empty(), step: 0 };
    this.#gradient = empty();
    for (const [from, row] of this.state.scores.entries())
      for (const to of row.keys()) row[to] = Math.sin(from * 3 + to * 7) * 0.5;
  }

  logprobs(from: number): number[] {
    const row = this.state.scores[from % this.#vocabulary] as number[];
    const normalizer = Math.log(row.reduce((sum, score) => sum + Math.exp(score), 0));
    return row.map((score) => score - normalizer);
  }

  /** @param isMean by sequence, as SkyRL's jax backend does; the data are counted until the step */
  forwardBackward(
    data: readonly WireDatum[],
    loss: string,
    config: Readonly<Record<string, number>>,
    isMean: boolean,
  ): number[][] {
    this.#data += data.length;
    const known = new Map<number, number[]>();
    const after = (from: number): number[] => {
      const row = known.get(from) ?? this.logprobs(from);
      known.set(from, row);
      return row;
    };
    return data.map(({ model_input, loss_fn_inputs }) => {
      const tokens = model_input.chunks.flatMap((chunk) => chunk.tokens);
      const targets = loss_fn_inputs["target_tokens"]?.data ?? [];
      const weights = loss_fn_inputs["weights"]?.data ?? targets.map(() => 1);
      const mass = isMean ? weights.reduce((sum, one) => sum + one, 0) || 1 : 1;
      return tokens.map((from, at) => {
        const to = targets[at] as number;
        const all = after(from);
        const was = loss_fn_inputs["logprobs"]?.data[at] ?? 0;
        const advantage = loss_fn_inputs["advantages"]?.data[at] ?? 0;
        const pull =
          slope(loss, all[to] as number, { was, advantage, weight: weights[at] ?? 0 }, config) / mass;
        const row = this.#gradient[from] as number[];
        for (const [token, logprob] of pull === 0 ? [] : all.entries())
          row[token] = (row[token] as number) + pull * ((token === to ? 1 : 0) - Math.exp(logprob));
        return all[to] as number;
      });
    });
  }

  step(
    adam: { learning_rate: number; beta1: number; beta2: number; eps: number },
    isMean: boolean,
  ): StepResult {
    const { scores, first, second } = this.state;
    this.state.step += 1;
    let squares = 0;
    for (const [from, row] of this.#gradient.entries())
      for (const [to, sum] of row.entries()) {
        const gradient = isMean ? sum / Math.max(1, this.#data) : sum;
        squares += gradient ** 2;
        const mean = ((first[from] as number[])[to] =
          adam.beta1 * (first[from]?.[to] ?? 0) + (1 - adam.beta1) * gradient);
        const square = ((second[from] as number[])[to] =
          adam.beta2 * (second[from]?.[to] ?? 0) + (1 - adam.beta2) * gradient ** 2);
        const move =
          mean /
          (1 - adam.beta1 ** this.state.step) /
          (Math.sqrt(square / (1 - adam.beta2 ** this.state.step)) + adam.eps);
        (scores[from] as number[])[to] = (scores[from]?.[to] ?? 0) - adam.learning_rate * move;
      }
    this.#gradient = emptyTable(this.#vocabulary);
    this.#data = 0;
    return { norm: Math.sqrt(squares) };
  }

  sample(
    prompt: readonly number[],
    params: {
      max_tokens: number;
      temperature: number;
      stop?: readonly unknown[] | undefined;
      seed?: number | undefined;
    },
  ): { tokens: number[]; logprobs: number[]; stopped: boolean } {
    let state = (params.seed ?? Math.floor(Math.random() * 2 ** 31)) >>> 0;
    const random = (): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 2 ** 32;
    };
    random();
    const [tokens, logprobs]: [number[], number[]] = [[], []];
    let last = prompt.at(-1) ?? 0;
    while (tokens.length < params.max_tokens) {
      const all = this.logprobs(last);
      let left = random();
      const drawn = all.findIndex((logprob) => (left -= Math.exp(logprob)) < 0);
      const token = params.temperature === 0 ? all.indexOf(Math.max(...all)) : Math.max(0, drawn);
      tokens.push(token);
      logprobs.push(all[token] as number);
      if ((params.stop ?? []).includes(token)) return { tokens, logprobs, stopped: true };
      last = token;
    }
    return { tokens, logprobs, stopped: false };
  }
}
