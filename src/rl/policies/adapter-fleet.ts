/**
 * A trainer that speaks the Tinker protocol, with a fleet of inference engines in front: weights go over as LoRA
 * adapters. Each publication is exported by the trainer, fetched as an archive, unpacked where the engines can read
 * it, and loaded by every engine under a name of its own; the one before the last is then dropped, so that requests
 * that are under way during a publication finish with the weights they began with.
 */
import { execFile } from "node:child_process";
import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { EngineError, type Engine, type Sample, type SampleOptions, type SampleRequest } from "../ports.ts";
import type { InferenceEngine } from "./inference-engine.ts";
import type { TinkerEngine } from "./tinker/engine.ts";

const run = promisify(execFile);

export interface AdapterFleetOptions {
  readonly trainer: TinkerEngine;
  /** At least one. */
  readonly engines: readonly InferenceEngine[];
  /** A directory of this machine, shared with the engines. */
  readonly directory: string;
  /** The same directory as the engines see it. Default: the same path. */
  readonly engineDirectory?: string;
  /** Begins every adapter's name; two runs on one fleet have two. */
  readonly prefix: string;
}

interface Published {
  readonly name: string;
  readonly directory: string;
}

async function unpack(archive: Buffer, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const file = `${directory}.tar.gz`;
  await writeFile(file, archive);
  await run("tar", ["-xzf", file, "-C", directory, "--no-same-owner"]);
  await rm(file);
}

/** @returns an Engine whose `sample` spreads by least load; a scheduler uses `engines` themselves */
export async function openAdapterFleet(options: AdapterFleetOptions): Promise<Engine> {
  const { trainer, engines, directory, prefix } = options;
  const inFlight = new Map(engines.map((engine) => [engine, 0]));
  const published: Published[] = [];

  const handOver = async (weightsVersion: number): Promise<void> => {
    const name = `${prefix}-${String(weightsVersion).padStart(6, "0")}`;
    const archive = await trainer.downloadAdapter(await trainer.exportAdapter(name));
    const local = path.join(directory, name);
    await unpack(archive, local);
    const seen = path.join(options.engineDirectory ?? directory, name);
    await Promise.all(engines.map((engine) => engine.useAdapter({ name, path: seen, weightsVersion })));
    published.push({ name, directory: local });
    if (published.length <= 2) return;
    const old = published.shift() as Published;
    // An engine that was restarted has lost it already.
    await Promise.all(engines.map((engine) => engine.dropAdapter(old.name).catch(() => {})));
    await rm(old.directory, { recursive: true, force: true });
  };
  const idlest = (): InferenceEngine => {
    const [first, ...others] = engines;
    if (first === undefined) throw new EngineError("the fleet has no engine", { retryable: false });
    return others.reduce(
      (best, one) => ((inFlight.get(one) ?? 0) < (inFlight.get(best) ?? 0) ? one : best),
      first,
    );
  };
  await handOver(0);

  return {
    description: `${trainer.description}, sampled by ${engines.map(({ name }) => name).join(", ")}`,
    contextTokens: Math.min(trainer.contextTokens, ...engines.map((engine) => engine.contextTokens)),
    async sample(request: SampleRequest, sampleOptions?: SampleOptions): Promise<Sample> {
      const engine = idlest();
      inFlight.set(engine, (inFlight.get(engine) ?? 0) + 1);
      try {
        return await engine.sample(request, sampleOptions);
      } finally {
        inFlight.set(engine, (inFlight.get(engine) ?? 1) - 1);
      }
    },
    forwardBackward: (data, loss) => trainer.forwardBackward(data, loss),
    optimStep: (parameters) => trainer.optimStep(parameters),
    resetOptimizer: () => trainer.resetOptimizer(),
    save: (name) => trainer.save(name),
    load: (reference) => trainer.load(reference),
    async publish() {
      const version = await trainer.publish();
      await handOver(version);
      return version;
    },
    async close() {
      await Promise.all([trainer.close(), ...engines.map((engine) => engine.close())]);
    },
  };
}
