/** What an executor says about itself: `Executor.describe()` and `GET /v1/info`. */
import { Type, type Static } from "typebox";
import { RUNTIME_IDS } from "./call.ts";
import { LimitsSchema } from "./limits.ts";
import { dictionary } from "./schema-parts.ts";

/**
 * Strongest first. `container`: limits of a call are the kernel's, on a cgroup. `watched_container`: a container,
 * but memory, processes and CPU time of a call are bounded by looking at them. `confined_process`: no namespaces.
 */
export const ISOLATION_TIERS = ["container", "watched_container", "confined_process", "none"] as const;
export type IsolationTier = (typeof ISOLATION_TIERS)[number];

const LayerSchema = Type.Object(
  {
    name: Type.String({ description: "A layer of isolation, e.g. seccomp." }),
    state: Type.Enum(["enforced", "absent"], { type: "string" }),
    detail: Type.String(),
  },
  { additionalProperties: false },
);

const EngineDescriptionSchema = Type.Object(
  {
    engine: Type.String(),
    tier: Type.Enum(ISOLATION_TIERS, { type: "string" }),
    layers: Type.Array(LayerSchema),
    slots: Type.Integer({ description: "Calls that run at once." }),
    detail: dictionary(Type.String(), { description: "Versions and choices, for people." }),
  },
  { additionalProperties: false },
);
export type EngineDescription = Static<typeof EngineDescriptionSchema>;

export const DescriptionSchema = Type.Object(
  {
    service: Type.Literal("rollcall"),
    version: Type.String(),
    runtimes: Type.Array(
      Type.Object(
        {
          id: Type.Enum(RUNTIME_IDS, { type: "string" }),
          version: Type.String(),
          engine: Type.String(),
          modes: Type.Array(Type.String()),
          sessions: Type.Boolean({ description: "Whether sessions of it can be opened." }),
        },
        { additionalProperties: false },
      ),
    ),
    engines: Type.Array(EngineDescriptionSchema),
    limits: Type.Object({ default: LimitsSchema, ceiling: LimitsSchema }, { additionalProperties: false }),
    queue: Type.Object(
      { calls_max: Type.Integer(), bytes_max: Type.Integer(), batch_calls_max: Type.Integer() },
      { additionalProperties: false },
    ),
    sessions: Type.Object(
      {
        max: Type.Integer({ description: "Sessions open at once." }),
        idle_ms: Type.Object(
          { default: Type.Integer(), ceiling: Type.Integer() },
          { additionalProperties: false },
        ),
        total_ms: Type.Object(
          { default: Type.Integer(), ceiling: Type.Integer() },
          { additionalProperties: false },
        ),
      },
      { additionalProperties: false },
    ),
  },
  { $id: "Description", additionalProperties: false },
);
export type Description = Static<typeof DescriptionSchema>;
