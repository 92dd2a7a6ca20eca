/**
 * The inside of an inference engine without a model: continuous batching over a KV cache of so many tokens, prefill
 * and decode that take real time, preemption of the youngest when the cache is full. Both HTTP stubs stand on it.
 * Its "model" is a fixed table of scores, so that greedy and seeded sampling repeat themselves.
 */
export interface InferenceSpeeds {
  /** Tokens that the KV cache holds. */
  readonly kvTokens: number;
  /** Milliseconds of one decode step, which gives every running sequence a token. */
  readonly stepMs: number;
  /** Prompt tokens computed per second; decoding stands still meanwhile. */
  readonly prefillTokensPerSecond: number;
  /** Sequences computed at once, at most. */
  readonly sequencesMax: number;
}

/** A whole continuation of a prompt, of which a request takes as much as it asks for. */
export type Write = (prompt: readonly number[], seed: number | null) => readonly number[];

export interface Generation {
  readonly prompt: readonly number[];
  readonly maxTokens: number;
  readonly temperature: number;
  readonly stop: readonly number[];
  readonly seed: number | null;
  /** Which weights: another name gives other tokens. */
  readonly adapter: string;
  /** Scores of each token after `last`, in place of the table's. */
  readonly scores?: ((last: number) => readonly number[]) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Generated {
  readonly tokens: readonly number[];
  readonly logprobs: readonly number[];
  readonly finish: "stop" | "length" | "abort";
}

export const DEFAULT_SPEEDS: InferenceSpeeds = {
  kvTokens: 100_000,
  stepMs: 1,
  prefillTokensPerSecond: 1_000_000,
  sequencesMax: 256,
};

/** Token ids are 0 to this, less one. */
export const STUB_VOCABULARY = 16;

interface Sequence extends Generation {
  /** What it is to write, when somebody said it. */
  readonly script: readonly number[] | null;
  readonly tokens: number[];
  readonly logprobs: number[];
  readonly random: () => number;
  resolve(generated: Generated): void;
}

/** A number in [0, 1) made of the given ones (murmur's finisher). */
function hash(...parts: readonly number[]): number {
  let state = 0x9e3779b9;
  for (const part of parts) {
    state = Math.imul(state ^ (part | 0), 0x85ebca6b);
    state ^= state >>> 13;
    state = Math.imul(state, 0xc2b2ae35);
    state ^= state >>> 16;
  }
  return (state >>> 0) / 2 ** 32;
}

const nameNumber = (name: string): number =>
  Buffer.from(name).reduce((sum, byte) => (sum * 31 + byte) % 2 ** 31, 7);

function nextToken(sequence: Sequence): { readonly token: number; readonly logprob: number } {
  const said = sequence.script?.[sequence.tokens.length];
  if (said !== undefined) return { token: said, logprob: -0.5 };
  const last = sequence.tokens.at(-1) ?? sequence.prompt.at(-1) ?? 0;
  const weights = nameNumber(sequence.adapter);
  const scores =
    sequence.scores?.(last) ??
    Array.from({ length: STUB_VOCABULARY }, (_, token) => 3 * hash(last, token, weights));
  const normalizer = Math.log(scores.reduce((sum, score) => sum + Math.exp(score), 0));
  let token = scores.indexOf(Math.max(...scores));
  if (sequence.temperature > 0) {
    const masses = scores.map((score) => Math.exp(score / sequence.temperature));
    let left = sequence.random() * masses.reduce((sum, mass) => sum + mass, 0);
    token = masses.findIndex((mass) => (left -= mass) < 0);
    if (token < 0) token = scores.length - 1;
  }
  return { token, logprob: (scores[token] ?? 0) - normalizer };
}

const length = (sequence: Sequence): number => sequence.prompt.length + sequence.tokens.length;

export class InferenceCore {
  readonly speeds: InferenceSpeeds;
  readonly waiting: Sequence[] = [];
  readonly running: Sequence[] = [];
  /** Times that a running sequence lost its place in the cache. */
  preemptions = 0;
  /** Prompt tokens computed, those computed again after a preemption among them. */
  prefilled = 0;
  /** Most tokens that were in the cache at once. */
  peakTokens = 0;
  #timer: NodeJS.Timeout | null = null;
  #arrivals = 0;

  readonly #write: Write | null;

  constructor(speeds: Partial<InferenceSpeeds> = {}, write: Write | null = null) {
    this.speeds = { ...DEFAULT_SPEEDS, ...speeds };
    this.#write = write;
  }

  /** Tokens in the cache. */
  get liveTokens(): number {
    return this.running.reduce((sum, sequence) => sum + length(sequence), 0);
  }

  get kvUsage(): number {
    return Math.min(1, this.liveTokens / this.speeds.kvTokens);
  }

  generate(request: Generation): Promise<Generated> {
    const seed = request.seed ?? hash(Date.now(), (this.#arrivals += 1)) * 2 ** 32;
    return new Promise((resolve) => {
      let draws = 0;
      const sequence: Sequence = {
        ...request,
        script: this.#write?.(request.prompt, request.seed) ?? null,
        tokens: [],
        logprobs: [],
        random: () => hash(seed, (draws += 1)),
        resolve,
      };
      this.waiting.push(sequence);
      request.signal?.addEventListener("abort", () => this.#drop(sequence));
      this.#timer ??= setTimeout(() => this.#step(), 0);
    });
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const sequence of [...this.running, ...this.waiting]) this.#finish(sequence, "abort");
  }

  #drop(sequence: Sequence): void {
    for (const list of [this.waiting, this.running]) {
      const at = list.indexOf(sequence);
      if (at >= 0) list.splice(at, 1);
    }
    this.#finish(sequence, "abort");
  }

  #finish(sequence: Sequence, finish: Generated["finish"]): void {
    sequence.resolve({ tokens: sequence.tokens, logprobs: sequence.logprobs, finish });
  }

  /** @returns milliseconds that the prefills take */
  #admit(): number {
    let computed = 0;
    while (this.waiting.length > 0 && this.running.length < this.speeds.sequencesMax) {
      const first = this.waiting[0] as Sequence;
      if (this.running.length > 0 && this.liveTokens + length(first) > this.speeds.kvTokens) break;
      this.waiting.shift();
      this.running.push(first);
      computed += length(first);
    }
    this.prefilled += computed;
    return (computed / this.speeds.prefillTokensPerSecond) * 1000;
  }

  #preempt(): void {
    while (this.running.length > 1 && this.liveTokens > this.speeds.kvTokens) {
      this.waiting.unshift(this.running.pop() as Sequence);
      this.preemptions += 1;
    }
  }

  #step(): void {
    const prefillMs = this.#admit();
    for (const sequence of this.running.slice()) {
      const { token, logprob } = nextToken(sequence);
      sequence.tokens.push(token);
      sequence.logprobs.push(logprob);
      const stopped = sequence.stop.includes(token);
      if (!stopped && sequence.tokens.length < sequence.maxTokens) continue;
      this.running.splice(this.running.indexOf(sequence), 1);
      this.#finish(sequence, stopped ? "stop" : "length");
    }
    this.peakTokens = Math.max(this.peakTokens, this.liveTokens);
    this.#preempt();
    const idle = this.running.length + this.waiting.length === 0;
    this.#timer = idle ? null : setTimeout(() => this.#step(), this.speeds.stepMs + prefillMs);
  }
}
