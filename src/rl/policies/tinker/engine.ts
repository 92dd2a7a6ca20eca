/**
 * A model at a server that speaks the Tinker protocol: SkyRL, TuFT, VeRL-Tinker, the hosted service, or an embedded
 * model that `rollcall engine` serves.
 */
import type {
  AdamParameters,
  Datum,
  Engine,
  ForwardBackward,
  Loss,
  Metrics,
  Sample,
  SampleOptions,
  SampleRequest,
} from "../../ports.ts";
import { EngineError } from "../../ports.ts";
import type { LoraConfig } from "../../tinker-wire/messages.ts";
import { accepted, type Answer } from "../endpoint.ts";
import { lossMetrics } from "../loss-metrics.ts";
import { Connection } from "./connection.ts";
import { type Reduction, wireLoss } from "./losses.ts";
import { mergeMetrics, serverMetrics } from "./metrics.ts";
import { DEFAULT_PATIENCE, type Patience } from "./patience.ts";
import { measureReduction } from "./reduction.ts";
import { SamplingSession } from "./sampling.ts";
import { SERVER_TRAITS, type TinkerServer } from "./servers.ts";
import { type EncodingChoice, TrainingModel } from "./training-model.ts";

export interface TinkerOptions {
  readonly server: TinkerServer;
  /** What comes before `/api/v1`. */
  readonly baseUrl: string;
  /** Sent as `X-API-Key`, and in no message or log line. */
  readonly key?: string;
  /** As the server names it. Default: the only one it has. */
  readonly model?: string;
  /** 0 trains all weights, where the server can. Default 32. */
  readonly loraRank?: number;
  /** Of the adapter's first weights. */
  readonly seed?: number;
  /** Tokens of prompt and continuation. Needed unless the server tells. */
  readonly contextTokens?: number;
  /** How the server reduces a loss. Default: measured at the start, on a model that is thrown away. */
  readonly reduction?: Reduction;
  readonly patience?: Partial<Patience>;
  /** Told what an operator should know, a line each. Default: nobody. */
  readonly log?: (line: string) => void;
}

/** The Engine of a Tinker server, and what its protocol offers besides. */
export interface TinkerEngine extends Engine {
  readonly reduction: Reduction;
  /** The base model, as the server names it. */
  readonly model: string;
  /**
   * Writes the sampler's part of the weights under a name that is not taken.
   * @returns its `tinker://` reference, which {@link downloadAdapter} takes
   */
  exportAdapter(name: string): Promise<string>;
  /** The exported weights as a gzipped tar archive: a LoRA adapter's directory, as vLLM and SGLang load it. */
  downloadAdapter(reference: string): Promise<Buffer>;
}

const REDIRECTS_MAX = 3;
/** Of a checkpoint's name that is kept, from its end. Characters. */
const SAVE_NAME_MAX = 100;

class TinkerPolicy implements TinkerEngine {
  readonly description: string;
  readonly contextTokens: number;
  readonly reduction: Reduction;
  readonly model: string;
  readonly #connection: Connection;
  readonly #create: () => Promise<TrainingModel>;
  readonly #sticky: boolean;
  #training: TrainingModel;
  #sampling: SamplingSession | null = null;
  #publications = 0;
  #resets = 0;
  /** Data of the first forwardBackward since the last optimizer step. */
  #stepData: number | null = null;

  constructor(parts: {
    connection: Connection;
    create: () => Promise<TrainingModel>;
    training: TrainingModel;
    model: string;
    description: string;
    contextTokens: number;
    reduction: Reduction;
    sticky: boolean;
  }) {
    this.#connection = parts.connection;
    this.#create = parts.create;
    this.#training = parts.training;
    this.model = parts.model;
    this.#sticky = parts.sticky;
    this.description = parts.description;
    this.contextTokens = parts.contextTokens;
    this.reduction = parts.reduction;
  }

  async sample(request: SampleRequest, options: SampleOptions = {}): Promise<Sample> {
    if (request.prompt.length + request.maxTokens > this.contextTokens)
      throw new EngineError(
        `${request.prompt.length} + ${request.maxTokens} tokens are more than the context of ${this.contextTokens}`,
        { retryable: false },
      );
    if (this.#sampling === null) throw new EngineError("nothing is published yet", { retryable: false });
    return this.#sampling.sample(request, options.signal);
  }

  async forwardBackward(data: readonly Datum[], loss: Loss): Promise<ForwardBackward> {
    if (data.length === 0) return { metrics: {}, logprobs: [] };
    this.#stepData ??= data.length;
    const wire = wireLoss(data, loss, this.reduction, this.#stepData);
    const { logprobs, metrics } = await this.#training.forwardBackward(wire, data);
    return {
      logprobs,
      metrics: { ...serverMetrics(mergeMetrics(metrics)), ...lossMetrics(data, logprobs, null, loss) },
    };
  }

  async optimStep(parameters: AdamParameters): Promise<Metrics> {
    this.#stepData = null;
    const metrics = await this.#training.optimStep({
      learning_rate: parameters.learningRate,
      beta1: parameters.beta1,
      beta2: parameters.beta2,
      eps: parameters.epsilon,
      weight_decay: parameters.weightDecay,
      grad_clip_norm: parameters.gradientNormMax,
    });
    return { "actor/lr": parameters.learningRate, ...serverMetrics(metrics) };
  }

  async publish(): Promise<number> {
    const version = this.#publications;
    this.#publications += 1;
    const { sampling_session_id: id } = await this.#training.request<{ sampling_session_id?: string | null }>(
      "save_weights_for_sampler",
      { type: "save_weights_for_sampler", sampling_session_seq_id: version + 1 },
    );
    if (typeof id !== "string")
      throw new EngineError("save_weights_for_sampler gave no sampling_session_id", { retryable: false });
    this.#sampling = new SamplingSession(this.#connection, id, {
      weightsVersion: version,
      sticky: this.#sticky,
    });
    return version;
  }

  async save(name: string): Promise<string> {
    // Servers take letters, digits, - and _, and no name twice; the loop names a file of its checkpoint.
    const path = `${name.replaceAll(/[^A-Za-z0-9_-]+/g, "-").slice(-SAVE_NAME_MAX)}-${Date.now().toString(36)}`;
    return this.#save(path);
  }

  async #save(name: string): Promise<string> {
    const { path } = await this.#training.request<{ path: string }>("save_weights", {
      type: "save_weights",
      path: name,
    });
    return path;
  }

  load(reference: string): Promise<void> {
    return this.#replace(reference, true);
  }

  async resetOptimizer(): Promise<void> {
    this.#resets += 1;
    const reference = await this.save(`reset-${this.#resets}`);
    await this.#replace(reference, false);
    const [, id, name] = /^tinker:\/\/([^/]+)\/weights\/(.+)$/.exec(reference) ?? [];
    // A checkpoint that stays behind costs disk only.
    if (id !== undefined)
      await this.#connection
        .remove(`/api/v1/training_runs/${id}/checkpoints/weights/${name ?? ""}`)
        .catch(() => {});
  }

  async exportAdapter(name: string): Promise<string> {
    const { path } = await this.#training.request<{ path?: string | null }>("save_weights_for_sampler", {
      type: "save_weights_for_sampler",
      path: name,
    });
    return path ?? `tinker://${this.#training.id}/sampler_weights/${name}`;
  }

  async downloadAdapter(reference: string): Promise<Buffer> {
    const [, id, name] = /^tinker:\/\/([^/]+)\/(?:sampler_weights\/)?([^/]+)$/.exec(reference) ?? [];
    if (id === undefined || name === undefined)
      throw new EngineError(
        `${reference} is no reference of a sampler's weights, tinker://MODEL/sampler_weights/NAME`,
        { retryable: false },
      );
    return followed(this.#connection, `/api/v1/training_runs/${id}/checkpoints/${name}/archive`);
  }

  async close(): Promise<void> {
    await this.#training.unload().catch(() => {});
    await this.#connection.close();
  }

  /**
   * A model loads weights only as its first request, so it is another model that goes on. It is also the one that is
   * sampled from then on: what the old one published may go with it.
   */
  async #replace(reference: string, optimizer: boolean): Promise<void> {
    const next = await this.#create();
    try {
      await next.request("load_weights", { type: "load_weights", path: reference, optimizer });
    } catch (error) {
      await next.unload().catch(() => {});
      throw error;
    }
    const old = this.#training;
    this.#training = next;
    this.#stepData = null;
    await this.publish();
    await old.unload().catch(() => {});
  }
}

/** Archives are handed out by the server itself or by where it redirects to; its key goes to nobody else. */
async function followed(connection: Connection, first: string): Promise<Buffer> {
  let path = first;
  for (let hops = 0; hops <= REDIRECTS_MAX; hops += 1) {
    const answer: Answer = await connection.get(path);
    if (answer.status < 300 || answer.status > 399 || answer.location === null)
      return accepted(connection.name, path, answer).bytes;
    const target = new URL(answer.location, `${connection.name}${path}`);
    if (target.origin !== new URL(connection.name).origin) {
      const stored = await fetch(target, { signal: AbortSignal.timeout(600_000) });
      if (!stored.ok)
        throw new EngineError(`the archive's store answered ${stored.status}`, {
          retryable: stored.status >= 500,
        });
      return Buffer.from(await stored.arrayBuffer());
    }
    path = target.pathname + target.search;
  }
  throw new EngineError(`${connection.name}${first} redirects without end`, { retryable: false });
}

function chosenModel(
  connection: Connection,
  options: TinkerOptions,
): { name: string; contextTokens: number } {
  const names = connection.models.map((one) => one.model_name);
  const name = options.model ?? (names.length === 1 ? names[0] : undefined);
  if (name === undefined || (names.length > 0 && !names.includes(name)))
    throw new EngineError(
      `${connection.name} has ${options.model === undefined ? "several models" : `no model ${options.model}`}; it offers ${names.join(", ")}`,
      { retryable: false },
    );
  const told = connection.models.find((one) => one.model_name === name)?.max_context_length;
  const contextTokens = options.contextTokens ?? told;
  if (contextTokens === undefined)
    throw new EngineError(`${connection.name} does not tell the context of ${name}; set contextTokens`, {
      retryable: false,
    });
  return { name, contextTokens: Math.min(contextTokens, told ?? contextTokens) };
}

async function reductionOf(
  options: TinkerOptions,
  create: () => Promise<TrainingModel>,
  log: (line: string) => void,
): Promise<Reduction> {
  if (options.reduction !== undefined) return options.reduction;
  if (!SERVER_TRAITS[options.server].manyModels) return "sum";
  const scratch = await create();
  try {
    const measured = await measureReduction(scratch);
    log(
      measured === null
        ? "the server tells no gradient norm: its losses are taken for sums, as the protocol has them"
        : `the server's reduction is measured: ${measured}`,
    );
    return measured ?? "sum";
  } finally {
    await scratch.unload().catch(() => {});
  }
}

/** @throws EngineError when the server is away, lets nobody in, lacks the model, or reduces losses in an unknown way */
export async function openTinkerEngine(options: TinkerOptions): Promise<TinkerEngine> {
  const traits = SERVER_TRAITS[options.server];
  const log = options.log ?? (() => {});
  const patience = { ...DEFAULT_PATIENCE, ...options.patience };
  const connection = await Connection.open({ baseUrl: options.baseUrl, key: options.key, patience, log });
  try {
    const { name, contextTokens } = chosenModel(connection, options);
    const rank = options.loraRank ?? 32;
    const lora: LoraConfig = {
      rank,
      ...(options.seed === undefined ? {} : { seed: options.seed }),
      train_unembed: true,
      train_mlp: true,
      train_attn: true,
    };
    const encoding: EncodingChoice = { encoding: traits.encoding, known: false, zstd: traits.zstd };
    let modelSeqId = 0;
    const create = (): Promise<TrainingModel> =>
      TrainingModel.create(connection, encoding, { baseModel: name, lora, modelSeqId: modelSeqId++ });
    const reduction = await reductionOf(options, create, log);
    const policy = new TinkerPolicy({
      connection,
      create,
      training: await create(),
      model: name,
      description: `${name} at ${connection.name} (${options.server}, ${rank === 0 ? "all weights" : `LoRA rank ${rank}`})`,
      contextTokens,
      reduction,
      sticky: traits.sticky,
    });
    await policy.publish();
    return policy;
  } catch (error) {
    await connection.close();
    throw error;
  }
}
