/** What a recipe's `engine` takes with `backend: tinker`. */
import { type Static, Type } from "typebox";
import { TINKER_SERVERS } from "./servers.ts";

const text = (byDefault: string, description: string) => Type.String({ default: byDefault, description });

const choice = <const T extends string>(names: readonly T[], byDefault: T, description: string) =>
  Type.Unsafe<T>({ type: "string", enum: [...names], default: byDefault, description });

const FleetEngineSettings = Type.Object(
  {
    kind: choice(["vllm", "sglang"], "vllm", "Whose API it speaks."),
    url: Type.String({ description: "Scheme, host and port." }),
    key: text("", "Bearer key; `$NAME` takes it from the environment."),
  },
  { additionalProperties: false },
);

export const TinkerSettings = Type.Object(
  {
    server: choice(TINKER_SERVERS, "skyrl", "Which server it is; docs/engines.md says how they differ."),
    url: text("http://127.0.0.1:8000", "What comes before `/api/v1`."),
    key: text("", "Sent as `X-API-Key`; `$NAME` takes it from the environment."),
    model: text("", "As the server names it. Empty: the only one it has."),
    loraRank: Type.Integer({ default: 32, minimum: 0, maximum: 1024, description: "0 trains all weights." }),
    contextTokens: Type.Integer({
      default: 0,
      minimum: 0,
      maximum: 10_000_000,
      description: "Tokens of a rollout, problem included; 0 takes what the server tells.",
    }),
    reduction: choice(
      ["measured", "sum", "sequence_mean"],
      "measured",
      "How the server reduces a loss; measured at the start unless it is said.",
    ),
    renderer: choice(["hermes", "tiny"], "hermes", "The language that the model writes."),
    tokenizer: text("", "Directory with the model's tokenizer and chat template; for `hermes`."),
    fleet: Type.Array(FleetEngineSettings, {
      default: [],
      description: "Engines that sample in the server's place, with the adapters that it exports.",
    }),
    fleetModel: text("", "The base model as the fleet names it. Empty: as the server does."),
    adapterDirectory: text("", "Directory shared with the fleet. Empty: `adapters` in the run's directory."),
    adapterDirectoryThere: text("", "The same directory as the fleet sees it. Empty: the same path."),
  },
  { additionalProperties: false },
);

export type TinkerSettings = Static<typeof TinkerSettings>;
