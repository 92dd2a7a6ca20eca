/** What a recipe's `engine` takes with `backend: openai`. */
import { type Static, Type } from "typebox";

const whole = (byDefault: number, minimum: number, maximum: number, description: string) =>
  Type.Integer({ default: byDefault, minimum, maximum, description });

export const OpenAiSettings = Type.Object(
  {
    url: Type.String({
      default: "http://127.0.0.1:8000/v1",
      description: "What comes before `/chat/completions`.",
    }),
    key: Type.String({ default: "", description: "Bearer key; `$NAME` takes it from the environment." }),
    model: Type.String({ default: "", description: "As the endpoint names it; must be given." }),
    turnTokensMax: whole(4096, 1, 10_000_000, "Tokens of one turn, as the endpoint counts them."),
    contextCharacters: whole(400_000, 100, 100_000_000, "Characters of a whole conversation."),
    rolloutsMax: whole(32, 1, 4096, "Rollouts at the same time; more get the endpoint's 429."),
    extra: Type.Record(Type.String(), Type.Unknown(), {
      default: {},
      description: "Further fields of every request, e.g. `reasoning_effort`.",
    }),
  },
  { additionalProperties: false },
);

export type OpenAiSettings = Static<typeof OpenAiSettings>;
