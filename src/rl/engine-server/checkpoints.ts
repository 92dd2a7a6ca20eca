/**
 * Saved weights on disk: `<directory>/<model>/<kind>/<name>.safetensors` and, for each model, what it was made from.
 * There is no other record, so a server that is started again on the directory has all of them.
 */
import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { ApiError } from "./errors.ts";

/** `weights` can be trained on, `sampler_weights` sampled from. */
export type Kind = "weights" | "sampler_weights";

export interface Reference {
  readonly model: string;
  readonly kind: Kind;
  readonly name: string;
}

export interface ModelRecord {
  readonly base_model: string;
  readonly lora_rank: number;
}

export interface Listed extends Reference {
  readonly savedAt: Date;
  readonly bytes: number;
}

const NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,254}$/;
/** Ids of models, which are names of directories. */
const MODEL = /^[A-Za-z0-9_-][A-Za-z0-9:._-]{0,254}$/;
const SUFFIX = ".safetensors";
const KINDS: readonly Kind[] = ["weights", "sampler_weights"];

export function pathOf({ model, kind, name }: Reference): string {
  return `tinker://${model}/${kind}/${name}`;
}

/** @throws ApiError 400 when it is no path of such a kind */
export function parsePath(text: string, ...kinds: readonly Kind[]): Reference {
  const [, model = "", kind = "", name = ""] = /^tinker:\/\/([^/]+)\/(?:([^/]+)\/)?([^/]+)$/.exec(text) ?? [];
  const found = kinds.find((one) => one === kind || (kind === "" && one === "sampler_weights"));
  if (found === undefined || !MODEL.test(model) || !NAME.test(name))
    throw new ApiError(
      400,
      `${JSON.stringify(text.slice(0, 200))} is no path of the form tinker://<model>/<${kinds.join("|")}>/<name>`,
    );
  return { model, kind: found, name };
}

export class Checkpoints {
  readonly #directory: string;
  readonly #perModelMax: number;
  readonly #modelsMax: number;

  constructor(
    directory: string,
    limits: { readonly checkpointsMax: number; readonly recordedModelsMax: number },
  ) {
    this.#directory = path.resolve(directory);
    this.#perModelMax = limits.checkpointsMax;
    this.#modelsMax = limits.recordedModelsMax;
  }

  file({ model, kind, name }: Reference): string {
    if (!MODEL.test(model) || !NAME.test(name))
      throw new ApiError(
        422,
        `a name has 1 to 255 of the characters A-Z a-z 0-9 . _ - and no dot first; this one is ${JSON.stringify(name.slice(0, 100))}`,
      );
    return path.join(this.#directory, model, kind, name + SUFFIX);
  }

  /** @throws ApiError 429 when too many models have left something here */
  async record(model: string, record: ModelRecord): Promise<void> {
    if ((await this.models()).length >= this.#modelsMax)
      throw new ApiError(
        429,
        `${this.#modelsMax} models have something in the directory; delete checkpoints`,
      );
    await mkdir(path.join(this.#directory, model), { recursive: true });
    await writeFile(path.join(this.#directory, model, "model.json"), JSON.stringify(record));
  }

  /** @throws ApiError 404 */
  async recordOf(model: string): Promise<ModelRecord> {
    if (MODEL.test(model)) {
      const text = await readFile(path.join(this.#directory, model, "model.json"), "utf8").catch(() => null);
      if (text !== null) return JSON.parse(text) as ModelRecord;
    }
    throw new ApiError(404, `there is no model ${model.slice(0, 100)}`);
  }

  async exists(reference: Reference): Promise<boolean> {
    return stat(this.file(reference)).then(
      () => true,
      () => false,
    );
  }

  /** @returns the file. @throws ApiError 404 */
  async find(reference: Reference): Promise<string> {
    if (await this.exists(reference)) return this.file(reference);
    throw new ApiError(404, `there is no checkpoint ${pathOf(reference)}`);
  }

  /** @throws ApiError 409 when the name is taken, or too many are kept */
  async reserve(reference: Reference, overwrite: boolean): Promise<string> {
    const file = this.file(reference);
    const taken = await this.exists(reference);
    if (taken && !overwrite) throw new ApiError(409, `there is a checkpoint ${pathOf(reference)} already`);
    if (!taken && (await this.list(reference.model)).length >= this.#perModelMax)
      throw new ApiError(
        409,
        `model ${reference.model} has ${this.#perModelMax} checkpoints, as many as it may`,
      );
    return file;
  }

  async remove(reference: Reference): Promise<void> {
    await rm(await this.find(reference), { force: true });
  }

  /** A model that left nothing is not remembered. @returns whether it left nothing */
  async forgetEmpty(model: string): Promise<boolean> {
    if (!MODEL.test(model) || (await this.list(model)).length > 0) return false;
    await rm(path.join(this.#directory, model), { recursive: true, force: true });
    return true;
  }

  async list(model: string): Promise<Listed[]> {
    const all = await Promise.all(
      KINDS.map(async (kind) => {
        const files = await readdir(path.join(this.#directory, model, kind)).catch(() => []);
        return Promise.all(
          files
            .filter((file) => file.endsWith(SUFFIX))
            .map(async (file) => {
              const reference = { model, kind, name: file.slice(0, -SUFFIX.length) };
              const { mtime, size } = await stat(this.file(reference));
              return { ...reference, savedAt: mtime, bytes: size };
            }),
        );
      }),
    );
    return all.flat().sort((left, right) => left.savedAt.getTime() - right.savedAt.getTime());
  }

  async models(): Promise<string[]> {
    const entries = await readdir(this.#directory, { withFileTypes: true }).catch(() => []);
    return entries.filter((entry) => entry.isDirectory() && MODEL.test(entry.name)).map(({ name }) => name);
  }
}
