/**
 * What the server holds: sessions, each with models in training and sampling sessions, and one engine for all sampling.
 * A session that is silent for too long is over: its models are unloaded and its requests are cancelled.
 */
import { randomBytes } from "node:crypto";
import {
  createEmbeddedEngine,
  type EmbeddedEngine,
  type EmbeddedOptions,
} from "../policies/embedded/engine.ts";
import { Checkpoints, parsePath, pathOf, type Reference } from "./checkpoints.ts";
import { ApiError } from "./errors.ts";
import { Futures } from "./futures.ts";
import type { ServerLimits } from "./limits.ts";
import { SentAgain, Sequence } from "./sequence.ts";
import { Snapshots } from "./snapshots.ts";

export interface Session {
  readonly id: string;
  heardAt: number;
  readonly models: Map<string, Model>;
  /** Of its models, the unloaded ones included that left something. */
  readonly modelIds: Set<string>;
  readonly samplers: Map<string, Sampler>;
  /** Requests that made a model, by its number. */
  readonly created: SentAgain;
}

export interface Model {
  readonly id: string;
  readonly session: Session;
  readonly loraRank: number;
  readonly engine: Promise<EmbeddedEngine>;
  readonly sequence: Sequence;
  readonly createdAt: Date;
}

/** A sampling session: weights that stay as they were. */
export interface Sampler {
  readonly id: string;
  readonly session: Session;
  /** Null for the base model. */
  readonly reference: Reference | null;
  readonly file: string;
  readonly sent: SentAgain;
}

export interface HubOptions {
  readonly baseModel: string;
  readonly engine: Omit<EmbeddedOptions, "directory">;
  readonly directory: string;
  readonly limits: ServerLimits;
}

const idOf = (kind: string): string => `${kind}_${randomBytes(6).toString("hex")}`;

/** The id that clients foresee for the model they number. */
function modelIdOf(session: Session, number: number | undefined): string {
  return number === undefined ? idOf("model") : `${session.id}:train:${number}`;
}

export class Hub {
  readonly baseModel: string;
  readonly limits: ServerLimits;
  readonly futures: Futures;
  readonly checkpoints: Checkpoints;
  readonly snapshots: Snapshots;
  readonly contextTokens: number;
  readonly #options: HubOptions;
  readonly #sampling: EmbeddedEngine;
  readonly #baseFile: string;
  readonly #sessions = new Map<string, Session>();
  readonly #watch: NodeJS.Timeout;

  private constructor(options: HubOptions, sampling: EmbeddedEngine, baseFile: string) {
    this.#options = options;
    this.#sampling = sampling;
    this.#baseFile = baseFile;
    this.baseModel = options.baseModel;
    this.limits = options.limits;
    this.contextTokens = sampling.contextTokens;
    this.futures = new Futures(options.limits);
    this.checkpoints = new Checkpoints(options.directory, options.limits);
    this.snapshots = new Snapshots(sampling);
    this.#watch = setInterval(() => this.#endSilent(), Math.min(1000, options.limits.sessionSilenceMs));
  }

  static async open(options: HubOptions): Promise<Hub> {
    const sampling = await createEmbeddedEngine({ ...options.engine, directory: options.directory });
    try {
      const hub = new Hub(options, sampling, await sampling.save("base"));
      for (const model of await hub.checkpoints.models()) await hub.#sweep(model);
      return hub;
    } catch (error) {
      await sampling.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#watch);
    await Promise.all([...this.#sessions.values()].map((session) => this.#end(session)));
    await this.#sampling.close();
  }

  openSession(): Session {
    if (this.#sessions.size >= this.limits.sessionsMax)
      throw new ApiError(429, `there are ${this.limits.sessionsMax} sessions already`);
    const session: Session = {
      id: idOf("session"),
      heardAt: Date.now(),
      models: new Map(),
      modelIds: new Set(),
      samplers: new Map(),
      created: new SentAgain(),
    };
    this.#sessions.set(session.id, session);
    return session;
  }

  /** The session, which is thereby heard of. @throws ApiError 404 */
  session(id: string): Session {
    const session = this.#sessions.get(id);
    if (session === undefined)
      throw new ApiError(404, `there is no session ${id.slice(0, 100)}, or it was silent for too long`);
    session.heardAt = Date.now();
    return session;
  }

  /** @throws ApiError 404 */
  model(id: string): Model {
    for (const session of this.#sessions.values()) {
      const model = session.models.get(id);
      if (model === undefined) continue;
      session.heardAt = Date.now();
      return model;
    }
    throw new ApiError(404, `there is no model ${id.slice(0, 100)}, or it is unloaded`);
  }

  /** @throws ApiError 404 */
  sampler(id: string): Sampler {
    for (const session of this.#sessions.values()) {
      const sampler = session.samplers.get(id);
      if (sampler === undefined) continue;
      session.heardAt = Date.now();
      return sampler;
    }
    throw new ApiError(404, `there is no sampling session ${id.slice(0, 100)}`);
  }

  /**
   * @param number of the model in its session, which its id tells
   * @throws ApiError 400 for a base model that is not the one there is, 429 when there are too many models
   */
  createModel(session: Session, number: number | undefined, baseModel: string, loraRank: number): Model {
    this.checkBase(baseModel);
    const count = [...this.#sessions.values()].reduce((sum, { models }) => sum + models.size, 0);
    if (count >= this.limits.modelsMax)
      throw new ApiError(429, `there are ${this.limits.modelsMax} models already; unload one`);
    const id = modelIdOf(session, number);
    if (session.models.has(id)) throw new ApiError(409, `there is a model ${id} already`);
    const engine = createEmbeddedEngine({
      ...this.#options.engine,
      replicas: 1,
      directory: this.#options.directory,
    });
    const model: Model = {
      id,
      session,
      loraRank,
      engine,
      sequence: new Sequence(this.limits.sequenceGapMs),
      createdAt: new Date(),
    };
    // Told by the request that created it.
    engine.catch(() => session.models.delete(id));
    session.models.set(id, model);
    session.modelIds.add(id);
    return model;
  }

  async unload(model: Model): Promise<void> {
    model.session.models.delete(model.id);
    const engine = await model.engine.catch(() => null);
    await engine?.close();
    if (await this.checkpoints.forgetEmpty(model.id)) model.session.modelIds.delete(model.id);
  }

  /** @throws ApiError 400 */
  checkBase(name: string): void {
    if (name !== this.baseModel)
      throw new ApiError(
        400,
        `there is no base model ${JSON.stringify(name.slice(0, 100))}; there is ${this.baseModel}`,
      );
  }

  /** A sampling session of saved weights, or of the base model for null. @throws ApiError 404, 429 */
  async createSampler(session: Session, reference: Reference | null): Promise<Sampler> {
    const file = reference === null ? this.#baseFile : await this.checkpoints.find(reference);
    const count = [...this.#sessions.values()].reduce((sum, { samplers }) => sum + samplers.size, 0);
    if (count >= this.limits.samplingSessionsMax) this.#dropOldestSampler(session);
    const sampler: Sampler = { id: idOf("sampling"), session, reference, file, sent: new SentAgain() };
    session.samplers.set(sampler.id, sampler);
    return sampler;
  }

  /** What a request samples from: a sampling session, or weights named in it. */
  async samplerOf(request: {
    readonly sampling_session_id?: string | null;
    readonly base_model?: string | null;
    readonly model_path?: string | null;
  }): Promise<Pick<Sampler, "file" | "sent"> & { readonly owner: string; readonly id: string }> {
    if (typeof request.sampling_session_id === "string") {
      const sampler = this.sampler(request.sampling_session_id);
      return { ...sampler, owner: sampler.session.id };
    }
    const loose = { sent: new SentAgain(), owner: "", id: "" };
    if (typeof request.model_path === "string") {
      const reference = parsePath(request.model_path, "sampler_weights");
      return { ...loose, file: await this.checkpoints.find(reference), id: pathOf(reference) };
    }
    if (typeof request.base_model !== "string")
      throw new ApiError(422, "one of sampling_session_id, model_path and base_model is needed");
    this.checkBase(request.base_model);
    return { ...loose, file: this.#baseFile };
  }

  /** Of the weights that `model` published without a name only the newest stay: a loop publishes one each step. */
  async pruneEphemeral(model: Model): Promise<void> {
    const published = (await this.checkpoints.list(model.id)).filter(isEphemeral);
    for (const old of published.slice(0, -EPHEMERAL_MAX)) {
      for (const sampler of model.session.samplers.values())
        if (sampler.reference?.model === old.model && sampler.reference.name === old.name)
          model.session.samplers.delete(sampler.id);
      await this.checkpoints.remove(old);
    }
  }

  #dropOldestSampler(session: Session): void {
    const [oldest] = session.samplers.keys();
    if (oldest === undefined)
      throw new ApiError(429, `there are ${this.limits.samplingSessionsMax} sampling sessions already`);
    session.samplers.delete(oldest);
  }

  #endSilent(): void {
    const before = Date.now() - this.limits.sessionSilenceMs;
    for (const session of this.#sessions.values())
      if (session.heardAt < before) void this.#end(session).catch(() => undefined);
  }

  async #end(session: Session): Promise<void> {
    this.#sessions.delete(session.id);
    this.futures.cancelAllOf(session.id);
    await Promise.all([...session.models.values()].map((model) => this.unload(model)));
    for (const id of session.modelIds) await this.#sweep(id);
  }

  /** Removes what a model published without a name, and the model when it left nothing else. */
  async #sweep(model: string): Promise<void> {
    const published = (await this.checkpoints.list(model)).filter(isEphemeral);
    for (const old of published) await this.checkpoints.remove(old).catch(() => undefined);
    await this.checkpoints.forgetEmpty(model);
  }
}

/** Weights that were published without a name live as long as their session. */
const EPHEMERAL = "ephemeral-";
const EPHEMERAL_MAX = 16;

export function ephemeralName(samplingSessionSeqId: number, seqId: number): string {
  return `${EPHEMERAL}${samplingSessionSeqId}-${seqId}`;
}

function isEphemeral({ name }: Reference): boolean {
  return name.startsWith(EPHEMERAL);
}
