/**
 * The embedded engine: a small transformer that trains and samples on the processor, in worker threads, with nothing
 * to install. Each thread holds a replica. Samples go to the replicas by key or load; a step's data are cut into
 * chunks that the replicas share. Gradients are summed in the order of the chunks, so a result does not depend on how
 * many replicas there are.
 *
 * What changes weights (forwardBackward, optimStep, publish, save, load) happens one after the other, in the order it
 * was asked for. Sampling goes on beside it.
 */
import { randomInt } from "node:crypto";
import os from "node:os";
import path from "node:path";
import {
  type AdamParameters,
  type Datum,
  type Engine,
  EngineError,
  type ForwardBackward,
  type Loss,
  type Metrics,
  type Sample,
  type SampleOptions,
  type SampleRequest,
} from "../../ports.ts";
import { checkAdam } from "./adam.ts";
import { chunksOf } from "./batches.ts";
import { readCheckpoint, writeCheckpoint } from "./checkpoint.ts";
import { continuationOf } from "./continuation.ts";
import type { DeviceName } from "./device.ts";
import { lossMetrics } from "../loss-metrics.ts";
import { gather, gatherRows } from "./gather.ts";
import { Replica } from "./replica.ts";
import { checkShape, DEFAULT_SHAPE, initialise, type ModelShape, parameterCount } from "./shape.ts";

export interface EmbeddedOptions {
  readonly vocabulary: number;
  /** Tokens of prompt and continuation together, at most. */
  readonly context: number;
  /** Default 2. */
  readonly layers?: number;
  /** Default 64. */
  readonly width?: number;
  /** Default 4. */
  readonly heads?: number;
  /** Of the first weights. Default 0. */
  readonly seed?: number;
  /** Default `wasm`. */
  readonly device?: DeviceName;
  /** Worker threads, each with a replica. Default 2, or 1 on a machine with one processor or on a GPU. */
  readonly replicas?: number;
  /** Where `save` puts names that are no absolute path. Default: the working directory. */
  readonly directory?: string;
}

const REPLICAS_MAX = 64;
/** Rows of all banks of a replica: 32 times this. */
const BANKS_MAX = 4;
/** Requests that wait or run, over all replicas. */
const SAMPLES_MAX = 65_536;

const shared = (length: number): Float32Array => new Float32Array(new SharedArrayBuffer(4 * length));

export class EmbeddedEngine implements Engine {
  readonly description: string;
  readonly contextTokens: number;
  readonly #shape: ModelShape;
  readonly #directory: string;
  readonly #replicas: readonly Replica[];
  readonly #weights: Float32Array;
  readonly #gradient: Float32Array;
  readonly #firstMoment: Float32Array;
  readonly #secondMoment: Float32Array;
  #turn: Promise<unknown> = Promise.resolve();
  #step = 0;
  #version = 0;

  constructor(shape: ModelShape, options: EmbeddedOptions) {
    const size = parameterCount(shape);
    const device = options.device ?? "wasm";
    const replicas = options.replicas ?? (device === "wasm" ? Math.min(2, os.availableParallelism()) : 1);
    if (!Number.isInteger(replicas) || replicas < 1 || replicas > REPLICAS_MAX)
      throw new EngineError(`replicas is ${replicas}; it must be a whole number from 1 to ${REPLICAS_MAX}`, {
        retryable: false,
      });
    this.description = `embedded ${(size / 1e6).toFixed(2)}M, ${device}, ${replicas} ${replicas === 1 ? "replica" : "replicas"}`;
    this.contextTokens = shape.context;
    this.#shape = shape;
    this.#directory = path.resolve(options.directory ?? ".");
    this.#weights = shared(size);
    this.#gradient = shared(size);
    this.#firstMoment = shared(size);
    this.#secondMoment = shared(size);
    initialise(shape, options.seed ?? 0, this.#weights);
    this.#replicas = Array.from(
      { length: replicas },
      () =>
        new Replica({
          shape,
          device,
          banksMax: BANKS_MAX,
          weights: this.#weights,
          gradient: this.#gradient,
          firstMoment: this.#firstMoment,
          secondMoment: this.#secondMoment,
        }),
    );
  }

  /** Resolves when every replica can sample, with the first weights as version 0. */
  async start(): Promise<void> {
    await this.#everyReplica((replica) => replica.ask("ready", null));
    await this.#everyReplica((replica) => replica.ask("publish", { version: this.#version }));
  }

  async sample(request: SampleRequest, options: SampleOptions = {}): Promise<Sample> {
    const continuation = continuationOf(request, this.#shape, () => randomInt(2 ** 47));
    if (this.#replicas.reduce((sum, { load }) => sum + load, 0) >= SAMPLES_MAX)
      throw new EngineError(`${SAMPLES_MAX} requests wait for the embedded model already`, {
        retryable: true,
      });
    return this.#replicaFor(request.sessionKey).ask("sample", continuation, options.signal);
  }

  forwardBackward(data: readonly Datum[], loss: Loss): Promise<ForwardBackward> {
    return this.#inTurn(async () => {
      const chunks = chunksOf(data, loss, this.#shape);
      const results = await Promise.all(
        chunks.map(({ chunk }, index) => this.#replicaAt(index).ask("gradient", { chunk, loss })),
      );
      const { logprobs, entropies } = gather(data, chunks, results);
      // Nothing is added before all of it is known to be good.
      for (const { gradient } of results)
        for (let at = 0; at < gradient.length; at += 1)
          this.#gradient[at] = (this.#gradient[at] ?? 0) + (gradient[at] ?? 0);
      return { logprobs, metrics: lossMetrics(data, logprobs, entropies, loss) };
    });
  }

  /** For each datum the log probability of each target; no gradient is computed. @throws EngineError */
  logprobs(data: readonly Datum[]): Promise<readonly (readonly number[])[]> {
    return this.#inTurn(async () => {
      const chunks = chunksOf(data, { kind: "cross_entropy" }, this.#shape);
      const results = await Promise.all(
        chunks.map(({ chunk }, index) => this.#replicaAt(index).ask("score", { chunk })),
      );
      return gatherRows(data, chunks, results);
    });
  }

  optimStep(parameters: AdamParameters): Promise<Metrics> {
    return this.#inTurn(async () => {
      checkAdam(parameters);
      const norm = await this.#replicaAt(0).ask("adam", { parameters, step: this.#step + 1 });
      if (!Number.isFinite(norm))
        throw new EngineError(
          `the gradient's norm is ${norm}: the step is not taken, the gradients are dropped`,
          {
            retryable: false,
          },
        );
      this.#step += 1;
      await this.#everyReplica((replica) => replica.ask("refresh", null));
      return { "actor/grad_norm": norm, "actor/lr": parameters.learningRate, "optim/step": this.#step };
    });
  }

  resetOptimizer(): Promise<void> {
    return this.#inTurn(async () => {
      this.#firstMoment.fill(0);
      this.#secondMoment.fill(0);
      this.#step = 0;
    });
  }

  publish(): Promise<number> {
    return this.#inTurn(() => this.#publishAs(this.#version + 1));
  }

  /** The name is a file below the engine's directory, or an absolute path; `.safetensors` is added. */
  save(name: string): Promise<string> {
    return this.#inTurn(async () => {
      const file = this.#fileOf(name);
      await writeCheckpoint(
        file,
        {
          weights: this.#weights,
          firstMoment: this.#firstMoment,
          secondMoment: this.#secondMoment,
          step: this.#step,
          version: this.#version,
        },
        this.#shape,
      );
      return file;
    });
  }

  /** Held gradients are dropped, and the sampler uses the restored weights under the version they had. */
  load(reference: string): Promise<void> {
    return this.#inTurn(async () => {
      const checkpoint = await readCheckpoint(this.#fileOf(reference), this.#shape);
      this.#weights.set(checkpoint.weights);
      this.#firstMoment.set(checkpoint.firstMoment);
      this.#secondMoment.set(checkpoint.secondMoment);
      this.#gradient.fill(0);
      this.#step = checkpoint.step;
      await this.#everyReplica((replica) => replica.ask("refresh", null));
      await this.#publishAs(checkpoint.version);
    });
  }

  async close(): Promise<void> {
    await this.#everyReplica((replica) => replica.close());
  }

  async #publishAs(version: number): Promise<number> {
    await this.#everyReplica((replica) => replica.ask("publish", { version }));
    this.#version = version;
    return version;
  }

  #fileOf(name: string): string {
    const file = path.resolve(this.#directory, name);
    return file.endsWith(".safetensors") ? file : `${file}.safetensors`;
  }

  async #everyReplica(does: (replica: Replica) => Promise<unknown>): Promise<void> {
    await Promise.all(this.#replicas.map(does));
  }

  #replicaAt(index: number): Replica {
    const replica = this.#replicas[index % this.#replicas.length];
    if (replica === undefined) throw new Error("an engine has at least one replica");
    return replica;
  }

  /** One key, one replica, so that a trajectory's next turn finds its keys and values there. */
  #replicaFor(sessionKey: string | undefined): Replica {
    if (sessionKey === undefined)
      return this.#replicas.reduce((least, one) => (one.load < least.load ? one : least));
    let hash = 0;
    for (let at = 0; at < sessionKey.length; at += 1)
      hash = (Math.imul(hash, 31) + sessionKey.charCodeAt(at)) >>> 0;
    return this.#replicaAt(hash);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }
}

/** @throws EngineError when an option is not allowed or the device is not there */
export async function createEmbeddedEngine(options: EmbeddedOptions): Promise<EmbeddedEngine> {
  const { vocabulary, context } = options;
  const shape: ModelShape = {
    vocabulary,
    context,
    layers: options.layers ?? DEFAULT_SHAPE.layers,
    width: options.width ?? DEFAULT_SHAPE.width,
    heads: options.heads ?? DEFAULT_SHAPE.heads,
  };
  checkShape(shape);
  const engine = new EmbeddedEngine(shape, options);
  try {
    await engine.start();
  } catch (error) {
    await engine.close();
    throw error;
  }
  return engine;
}
