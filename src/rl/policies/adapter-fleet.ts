/**
 * A trainer that speaks the Tinker protocol, with a fleet of inference engines in front: weights go over as LoRA
 * adapters. Each publication is exported by the trainer, fetched as an archive, unpacked where the engines can read
 * it, and loaded by every engine under a name of its own; the one before the last is then dropped, so that requests
 * that are under way during a publication finish with the weights they began with. An engine that is away meanwhile
 * is given the weights when it is back.
 */
import { execFile } from "node:child_process";
import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { EngineError, type Engine } from "../ports.ts";
import { FleetMember } from "./fleet-member.ts";
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
  /** Told of an engine that is away at a publication. */
  readonly log?: (line: string) => void;
}

export interface AdapterFleet {
  /** Its `sample` spreads by least load. */
  readonly engine: Engine;
  /** For a scheduler, which spreads better. */
  readonly members: readonly FleetMember[];
}

async function unpack(archive: Buffer, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const file = `${directory}.tar.gz`;
  await writeFile(file, archive);
  await run("tar", ["-xzf", file, "-C", directory, "--no-same-owner"]);
  await rm(file);
}

/** @throws EngineError when an engine refuses the first weights for good */
export async function openAdapterFleet(options: AdapterFleetOptions): Promise<AdapterFleet> {
  const { trainer, directory, prefix, log = () => {} } = options;
  const members = options.engines.map((engine) => new FleetMember(engine));
  const published: string[] = [];

  const handOver = async (weightsVersion: number): Promise<void> => {
    const name = `${prefix}-${String(weightsVersion).padStart(6, "0")}`;
    const archive = await trainer.downloadAdapter(await trainer.exportAdapter(name));
    const local = path.join(directory, name);
    await unpack(archive, local);
    const adapter = { name, path: path.join(options.engineDirectory ?? directory, name), weightsVersion };
    const missing = await Promise.all(members.map((member) => member.want(adapter)));
    for (const why of missing)
      if (why !== null) log(`an engine is given weights ${weightsVersion} later: ${why}`);
    published.push(local);
    for (const old of published.splice(0, published.length - 2))
      await rm(old, { recursive: true, force: true });
  };
  const idlest = (): FleetMember => {
    const [first, ...others] = members;
    if (first === undefined) throw new EngineError("the fleet has no engine", { retryable: false });
    return others.reduce((best, one) => (one.inFlight < best.inFlight ? one : best), first);
  };
  await handOver(0);

  const engine: Engine = {
    description: `${trainer.description}, sampled by ${members.map(({ name }) => name).join(", ")}`,
    contextTokens: Math.min(trainer.contextTokens, ...members.map(({ sampler }) => sampler.contextTokens)),
    sample: (request, sampleOptions) => idlest().sampler.sample(request, sampleOptions),
    forwardBackward: (data, loss) => trainer.forwardBackward(data, loss),
    optimStep: (parameters) => trainer.optimStep(parameters),
    resetOptimizer: () => trainer.resetOptimizer(),
    save: (name) => trainer.save(name),
    async load(reference) {
      await trainer.load(reference);
      await handOver(await trainer.publish());
    },
    async publish() {
      const version = await trainer.publish();
      await handOver(version);
      return version;
    },
    async close() {
      await Promise.all([trainer.close(), ...members.map((member) => member.close())]);
    },
  };
  return { engine, members };
}
