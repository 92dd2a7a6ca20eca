/**
 * The model backends by name, each a row: the settings it takes from a recipe's `engine`, and how it is opened. A
 * backend's modules load when it is asked for.
 */
import { Type, type Static, type TObject } from "typebox";
import type { Finding } from "../../lib/finding.ts";
import type { Engine, Renderer } from "../ports.ts";
import type { FleetEngine } from "../scheduler/ports.ts";
import { OpenAiSettings } from "./openai/settings.ts";
import { TinkerSettings } from "./tinker/settings.ts";

export interface Opened {
  readonly engine: Engine;
  /** The language that the model writes. */
  readonly renderer: Renderer;
  /** Where rollouts are sampled. Default: the engine itself. */
  readonly fleet?: readonly FleetEngine[];
  /** Rollouts on one engine at a time, at most. Default: as many as its KV cache allows. */
  readonly rolloutsMax?: number;
}

export interface BackendContext {
  readonly seed: number;
  /** Of the run; what the backend itself must keep goes below it. */
  readonly directory: string;
}

interface Backend {
  /** Settings besides `backend`, with defaults and descriptions. */
  readonly settings: TObject;
  /** Whether its models can be trained; others can be evaluated. */
  readonly trains: boolean;
  open(settings: never, context: BackendContext): Promise<Opened>;
  /** Whether what the settings name is there, without beginning a run. */
  diagnose(settings: never): Promise<Finding[]>;
}

const closed = { additionalProperties: false } as const;

const whole = (byDefault: number, minimum: number, maximum: number, description: string) =>
  Type.Integer({ default: byDefault, minimum, maximum, description });

const EmbeddedSettings = Type.Object(
  {
    context: whole(80, 16, 4096, "Tokens of a rollout, problem included."),
    layers: whole(2, 1, 24, "Of the transformer."),
    width: whole(64, 8, 1024, "Numbers that stand for a token between layers."),
    heads: whole(4, 1, 64, "Of the attention."),
    replicas: whole(0, 0, 64, "Worker threads, each with the whole model; 0 chooses by the processors."),
    device: Type.Unsafe<"wasm" | "webgpu">({
      type: "string",
      enum: ["wasm", "webgpu"],
      default: "wasm",
      description: "Where it computes.",
    }),
  },
  closed,
);

export const BACKENDS: Readonly<Record<string, Backend>> = {
  embedded: {
    settings: EmbeddedSettings,
    trains: true,
    async open({ replicas, ...shape }: Static<typeof EmbeddedSettings>, { seed }) {
      const [{ createEmbeddedEngine }, { createTinyRenderer, TINY_VOCABULARY }] = await Promise.all([
        import("./embedded/engine.ts"),
        import("../renderers/tiny.ts"),
      ]);
      const engine = await createEmbeddedEngine({
        ...shape,
        ...(replicas === 0 ? {} : { replicas }),
        vocabulary: TINY_VOCABULARY.length,
        seed,
      });
      return { engine, renderer: createTinyRenderer() };
    },
    async diagnose(settings: Static<typeof EmbeddedSettings>) {
      const { diagnoseEmbedded } = await import("./embedded/diagnose.ts");
      return diagnoseEmbedded(settings);
    },
  },
  tinker: {
    settings: TinkerSettings,
    trains: true,
    async open(settings: TinkerSettings, context) {
      const { openTinkerBackend } = await import("./tinker/backend.ts");
      return openTinkerBackend(settings, context);
    },
    async diagnose(settings: TinkerSettings) {
      const { diagnoseTinker } = await import("./tinker/diagnose.ts");
      return diagnoseTinker(settings);
    },
  },
  openai: {
    settings: OpenAiSettings,
    trains: false,
    async open(settings: OpenAiSettings) {
      const { openOpenAiBackend } = await import("./openai/backend.ts");
      return openOpenAiBackend(settings);
    },
    async diagnose(settings: OpenAiSettings) {
      const { diagnoseOpenAi } = await import("./openai/diagnose.ts");
      return diagnoseOpenAi(settings);
    },
  },
};
