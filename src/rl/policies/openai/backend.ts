/** From a recipe's settings to an endpoint that is evaluated and cannot be trained. */
import { EngineError, type Engine, type Renderer } from "../../ports.ts";
import { PYTHON_TOOL } from "../../renderers/hermes.ts";
import { keyOf } from "../../secret.ts";
import { createChatRenderer } from "./chat-transcript.ts";
import { createOpenAiSampler } from "./sampler.ts";
import type { OpenAiSettings } from "./settings.ts";

/** @throws Error when no model is named or its key is not in the environment */
export function openOpenAiBackend(settings: OpenAiSettings): {
  engine: Engine;
  renderer: Renderer;
  rolloutsMax: number;
} {
  const { url, key, model, turnTokensMax, contextCharacters, rolloutsMax, extra } = settings;
  if (model === "") throw new Error("engine.model must be named, as the endpoint calls it");
  const sampler = createOpenAiSampler({
    baseUrl: url,
    ...keyOf(key),
    model,
    tools: [PYTHON_TOOL],
    turnTokensMax,
    contextCharacters,
    extra,
  });
  const description = `${model} at ${url}`;
  const untrainable = (): Promise<never> =>
    Promise.reject(new EngineError(`${description} only samples`, { retryable: false }));
  const engine: Engine = {
    description,
    contextTokens: sampler.contextTokens,
    sample: (request, options) => sampler.sample(request, options),
    forwardBackward: untrainable,
    optimStep: untrainable,
    resetOptimizer: untrainable,
    publish: untrainable,
    save: untrainable,
    load: untrainable,
    close: () => sampler.close(),
  };
  return { engine, renderer: createChatRenderer(), rolloutsMax };
}
