/** From a recipe's settings to a Tinker server, its renderer, and the fleet in front of it when there is one. */
import path from "node:path";
import type { Engine, Renderer } from "../../ports.ts";
import { createHermesRenderer, PYTHON_TOOL } from "../../renderers/hermes.ts";
import { createTinyRenderer } from "../../renderers/tiny.ts";
import type { FleetEngine } from "../../scheduler/ports.ts";
import { keyOf } from "../../secret.ts";
import { openAdapterFleet } from "../adapter-fleet.ts";
import type { InferenceEngine } from "../inference-engine.ts";
import { createSglangEngine } from "../sglang.ts";
import { createVllmEngine } from "../vllm.ts";
import { openTinkerEngine, type TinkerEngine } from "./engine.ts";
import type { TinkerSettings } from "./settings.ts";

/** @throws Error that says what is missing in `tokenizer` */
export function rendererOf(settings: TinkerSettings): Renderer | Promise<Renderer> {
  if (settings.renderer === "tiny") return createTinyRenderer();
  if (settings.tokenizer === "")
    throw new Error("engine.tokenizer must name the directory with the model's tokenizer.json");
  return createHermesRenderer({ directory: settings.tokenizer, tools: [PYTHON_TOOL] });
}

/** The engines that sample, not asked yet. */
export function fleetOf(
  settings: TinkerSettings,
  trainer: Pick<TinkerEngine, "model" | "contextTokens">,
): InferenceEngine[] {
  return settings.fleet.map(({ kind, url, key }) =>
    (kind === "vllm" ? createVllmEngine : createSglangEngine)({
      baseUrl: url,
      ...keyOf(key),
      model: settings.fleetModel === "" ? trainer.model : settings.fleetModel,
      contextTokens: trainer.contextTokens,
    }),
  );
}

/** Standard output is the run's own. */
const log = (line: string): void => void process.stderr.write(`${line}\n`);

export async function openTinkerBackend(
  settings: TinkerSettings,
  { seed, directory }: { readonly seed: number; readonly directory: string },
): Promise<{
  engine: Engine;
  renderer: Renderer;
  fleet?: readonly FleetEngine[];
}> {
  const renderer = await rendererOf(settings);
  const trainer = await openTinkerEngine({
    server: settings.server,
    baseUrl: settings.url,
    ...keyOf(settings.key),
    ...(settings.model === "" ? {} : { model: settings.model }),
    loraRank: settings.loraRank,
    seed,
    ...(settings.contextTokens === 0 ? {} : { contextTokens: settings.contextTokens }),
    ...(settings.reduction === "measured" ? {} : { reduction: settings.reduction }),
    log,
  });
  if (settings.fleet.length === 0) return { engine: trainer, renderer };
  const engines = fleetOf(settings, trainer);
  const shared =
    settings.adapterDirectory === "" ? path.join(directory, "adapters") : settings.adapterDirectory;
  const { engine, members } = await openAdapterFleet({
    trainer,
    engines,
    directory: shared,
    ...(settings.adapterDirectoryThere === "" ? {} : { engineDirectory: settings.adapterDirectoryThere }),
    // A resumed run counts its weights from 0 again, and the engines may still hold the names of before.
    prefix: `rollcall-${Date.now().toString(36)}`,
    log,
  });
  return { engine, renderer, fleet: members };
}
