/**
 * Continuous batching. Rows of a bank go one token further together, each at its own place in its own sequence,
 * whether that token comes from a prompt or was just sampled; a request takes a free row at any step and leaves it when
 * it is done. There is one compiled shape for each capacity of a bank, and nothing that a row computes depends on what
 * is in the others.
 *
 * A row keeps the keys and values of the sequence it last held: a request that continues it (the next turn of a
 * trajectory) starts from there. A bank holds one version of the weights; after a publish, requests that are under way
 * end with the version they began with.
 */
import { jit, numpy as np } from "@jax-js/jax";
import type { Sample } from "../../ports.ts";
import { pick, type PickSettings } from "./pick.ts";
import { lengthBucket, type ModelShape } from "./shape.ts";
import {
  again,
  decodeStep,
  dispose,
  disposeCache,
  emptyCache,
  grownCache,
  type Cache,
  type Tensors,
} from "./transformer.ts";

const ROWS = 32;
/** A bank starts with room for this many tokens and grows by it; see `lengthBucket`. */
const CAPACITY_GRAIN = 32;

/** A request with nothing left out. */
export interface Continuation extends PickSettings {
  readonly prompt: readonly number[];
  readonly maxTokens: number;
  readonly stop: readonly number[];
}

export interface Published {
  readonly version: number;
  readonly tensors: Tensors;
}

interface Active {
  readonly request: Continuation;
  readonly tokens: number[];
  readonly logprobs: number[];
  readonly done: (sample: Sample) => void;
  readonly cancelled: () => boolean;
}

interface Row {
  /** Tokens whose keys and values are in the cache. */
  held: readonly number[];
  active: Active | null;
  /** How many of the active one's tokens are in the cache. */
  fed: number;
  /** Step at which it was last released; the least is taken first. */
  releasedAt: number;
}

const compileStep = (shape: ModelShape) =>
  jit((weights: Tensors, cache: Cache, tokens: np.Array, places: np.Array) =>
    decodeStep(weights, cache, tokens, places, shape),
  );
type Step = ReturnType<typeof compileStep>;

class Bank {
  readonly rows: readonly Row[] = Array.from({ length: ROWS }, () => ({
    held: [],
    active: null,
    fed: 0,
    releasedAt: -1,
  }));
  readonly #shape: ModelShape;
  readonly #step: Step;
  /** As they were published; what is published later under the same version is another. */
  readonly weights: Published;
  #capacity: number;
  #cache: Cache;

  constructor(shape: ModelShape, step: Step, weights: Published) {
    this.#shape = shape;
    this.#step = step;
    this.weights = weights;
    again(weights.tensors);
    this.#capacity = lengthBucket(1, shape.context, CAPACITY_GRAIN);
    this.#cache = emptyCache(shape, ROWS, this.#capacity);
  }

  get busy(): boolean {
    return this.rows.some(({ active }) => active !== null);
  }

  close(): void {
    dispose(this.weights.tensors);
    disposeCache(this.#cache);
  }

  async advance(now: number): Promise<void> {
    for (const row of this.rows) if (row.active?.cancelled() === true) this.#release(row, now);
    if (!this.busy) return;
    const deepest = Math.max(...this.rows.map(({ active, fed }) => (active === null ? 0 : fed)));
    if (deepest >= this.#capacity) {
      this.#capacity = lengthBucket(deepest + 1, this.#shape.context, CAPACITY_GRAIN);
      this.#cache = grownCache(this.#cache, this.#capacity);
    }
    const tokens = new Int32Array(ROWS);
    const places = new Int32Array(ROWS);
    for (const [index, { active, fed, held }] of this.rows.entries()) {
      tokens[index] = active?.tokens[fed] ?? 0;
      // An idle row writes behind what it holds, where nothing is ever read.
      places[index] = active === null ? held.length : fed;
    }
    const [logits, cache] = this.#step(
      again(this.weights.tensors),
      this.#cache,
      np.array(tokens),
      np.array(places),
    );
    this.#cache = cache;
    const numbers = (await logits.data()) as Float32Array;
    for (const [index, row] of this.rows.entries()) this.#follow(row, index, numbers, now);
  }

  #follow(row: Row, index: number, logits: Float32Array, now: number): void {
    const { active } = row;
    if (active === null) return;
    row.fed += 1;
    if (row.fed < active.tokens.length) return;
    const { vocabulary } = this.#shape;
    const own = logits.subarray(index * vocabulary, (index + 1) * vocabulary);
    const { token, logprob } = pick(own, active.request, active.logprobs.length);
    active.tokens.push(token);
    active.logprobs.push(logprob);
    const stopped = active.request.stop.includes(token);
    if (!stopped && active.logprobs.length < active.request.maxTokens) return;
    this.#release(row, now);
    active.done({
      tokens: active.tokens.slice(active.request.prompt.length),
      logprobs: active.logprobs,
      stopReason: stopped ? "stop" : "length",
      weightsVersion: this.weights.version,
    });
  }

  #release(row: Row, now: number): void {
    row.held = row.active?.tokens.slice(0, row.fed) ?? [];
    row.active = null;
    row.releasedAt = now;
  }
}

function continues(prompt: readonly number[], held: readonly number[]): boolean {
  return held.length < prompt.length && held.every((token, index) => token === prompt[index]);
}

export class Decoder {
  readonly #shape: ModelShape;
  readonly #banksMax: number;
  readonly #step: Step;
  readonly #waiting: Active[] = [];
  #banks: Bank[] = [];
  #weights: Published | null = null;
  #now = 0;
  #running = false;
  readonly #failed: (error: unknown) => void;

  /** @param failed told of an error of the device, after which the decoder is of no use */
  constructor(shape: ModelShape, banksMax: number, failed: (error: unknown) => void) {
    this.#shape = shape;
    this.#banksMax = banksMax;
    this.#step = compileStep(shape);
    this.#failed = failed;
  }

  /** Requests that have not begun use these weights, which the decoder now owns. */
  publish(weights: Published): void {
    if (this.#weights !== null) dispose(this.#weights.tensors);
    this.#weights = weights;
  }

  submit(request: Continuation, done: (sample: Sample) => void, cancelled: () => boolean): void {
    this.#waiting.push({ request, tokens: [...request.prompt], logprobs: [], done, cancelled });
    if (this.#running) return;
    this.#running = true;
    // Requests sent together arrive in one turn of the event loop, and so begin together.
    setImmediate(() => void this.#run());
  }

  async #run(): Promise<void> {
    try {
      for (;;) {
        this.#admit();
        const busy = this.#banks.filter((bank) => bank.busy);
        if (busy.length === 0 && this.#waiting.length === 0) break;
        this.#now += 1;
        for (const bank of busy) await bank.advance(this.#now);
        // Lets in what was sent meanwhile: requests, cancellations, a gradient.
        await new Promise((resume) => setImmediate(resume));
      }
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#running = false;
    }
  }

  #admit(): void {
    if (this.#weights === null) return;
    for (;;) {
      const [first] = this.#waiting;
      if (first === undefined) return;
      const row = first.cancelled() ? undefined : this.#rowFor(first.request.prompt);
      if (row === undefined && !first.cancelled()) return;
      this.#waiting.shift();
      if (row === undefined) continue;
      row.fed = continues(first.request.prompt, row.held) ? row.held.length : 0;
      row.held = [];
      row.active = first;
    }
  }

  /** The row whose sequence the prompt continues; else an empty one; else the one that was released first. */
  #rowFor(prompt: readonly number[]): Row | undefined {
    const stale = this.#banks.filter((bank) => bank.weights !== this.#weights && !bank.busy);
    for (const bank of stale) bank.close();
    this.#banks = this.#banks.filter((bank) => !stale.includes(bank));
    const worth = ({ held, releasedAt }: Row): number =>
      held.length === 0 ? 0 : continues(prompt, held) ? held.length : -1 - releasedAt;
    let best: Row | undefined;
    for (const bank of this.#banks) {
      if (bank.weights !== this.#weights) continue;
      for (const row of bank.rows)
        if (row.active === null && (best === undefined || worth(row) > worth(best))) best = row;
    }
    if (best !== undefined && worth(best) >= 0) return best;
    if (this.#weights === null || this.#banks.length >= this.#banksMax) return best;
    const bank = new Bank(this.#shape, this.#step, this.#weights);
    this.#banks.push(bank);
    return bank.rows[0];
  }
}
