/** Whether a Tinker server, and the fleet in front of it, let the loop in and have what its recipe names. */
import { fail, ok, warn, type Finding } from "../../../lib/finding.ts";
import { keyOf } from "../../secret.ts";
import type { InferenceEngine } from "../inference-engine.ts";
import { Connection } from "./connection.ts";
import { fleetOf, rendererOf } from "./backend.ts";
import type { TinkerSettings } from "./settings.ts";

/** A doctor does not wait for a server as a run does. Milliseconds. */
const PATIENCE = { totalMs: 2000, waitMs: 250, waitMsMax: 1000 };

async function findTrainer(settings: TinkerSettings): Promise<Finding> {
  const name = "trainer";
  try {
    const connection = await Connection.open({
      baseUrl: settings.url,
      ...keyOf(settings.key),
      patience: PATIENCE,
      log: () => {},
    });
    const { models } = connection;
    await connection.close();
    const names = models.map((one) => one.model_name);
    const chosen = settings.model || (names.length === 1 ? names[0] : undefined);
    if (chosen === undefined || (names.length > 0 && !names.includes(chosen)))
      return fail(
        name,
        `${settings.url} offers ${names.join(", ") || "no model"}`,
        "name one of them: engine.model",
      );
    const told = models.find((one) => one.model_name === chosen)?.max_context_length;
    if (told === undefined && settings.contextTokens === 0)
      return fail(name, `${settings.url} does not tell the context of ${chosen}`, "set engine.contextTokens");
    return ok(name, `${settings.url} lets a session in and has ${chosen}`);
  } catch (error) {
    return fail(
      name,
      (error as Error).message,
      "start the server (docs/engines.md), or set engine.url and engine.key",
    );
  }
}

async function findTokenizer(settings: TinkerSettings): Promise<Finding> {
  const name = "tokenizer";
  if (settings.renderer === "tiny") return ok(name, "none is needed: the tiny language has its own");
  try {
    const renderer = await rendererOf(settings);
    const tokens = renderer.open({ system: "", prompt: "1 + 1?" }).length;
    return ok(name, `${settings.tokenizer}: a short problem is ${tokens} tokens with the tool's description`);
  } catch (error) {
    return fail(
      name,
      (error as Error).message,
      "put tokenizer.json, tokenizer_config.json and the chat template of the model into engine.tokenizer",
    );
  }
}

async function findEngine(engine: InferenceEngine, flags: string): Promise<Finding> {
  const name = `engine ${engine.name}`;
  if (!(await engine.isHealthy()))
    return fail(name, "/health does not answer with 200", "start it, or correct its url in engine.fleet");
  try {
    const { kvTokens } = await engine.load();
    return kvTokens === undefined
      ? warn(name, "/metrics does not tell how much the KV cache holds", `start it with ${flags}`)
      : ok(name, `healthy, with room for ${kvTokens} tokens`);
  } catch (error) {
    return warn(name, `no metrics: ${(error as Error).message}`, `start it with ${flags}`);
  }
}

export async function diagnoseTinker(settings: TinkerSettings): Promise<Finding[]> {
  const engines = fleetOf(settings, { model: settings.model, contextTokens: settings.contextTokens || 1 });
  try {
    return await Promise.all([
      findTrainer(settings),
      findTokenizer(settings),
      ...engines.map((engine, at) =>
        findEngine(
          engine,
          settings.fleet[at]?.kind === "sglang" ? "--enable-metrics" : "metrics, which vLLM has by default",
        ),
      ),
    ]);
  } finally {
    await Promise.all(engines.map((engine) => engine.close()));
  }
}
