/**
 * Bounds on one call, and what was measured, in the same units.
 *
 * `_ms` fields are milliseconds, `_bytes` fields are bytes. A limit that the caller leaves out takes the
 * configured default; one above the configured ceiling is refused, never lowered in silence.
 */
import { Type, type Static } from "typebox";

export const LimitsSchema = Type.Object(
  {
    wall_ms: Type.Integer({
      minimum: 1,
      description:
        "Wall time of the run, from the start of the program; queue time is never charged. Milliseconds.",
    }),
    cpu_ms: Type.Integer({
      minimum: 1,
      description: "CPU time of the program and everything it starts. Milliseconds. Default: twice wall_ms.",
    }),
    memory_bytes: Type.Integer({
      minimum: 16 << 20,
      description:
        "Memory of all processes of the call together, files in its scratch directories included. Bytes.",
    }),
    output_bytes: Type.Integer({
      minimum: 256,
      description:
        "Bytes of stdout, and separately of stderr, that are kept. Writing more makes the outcome output_limit.",
    }),
    processes: Type.Integer({ minimum: 1, description: "Processes and threads of the call alive at once." }),
    disk_bytes: Type.Integer({
      minimum: 65536,
      description: "Bytes of files under the working directory, /tmp and /dev/shm together.",
    }),
  },
  { $id: "Limits", additionalProperties: false },
);

/** The six bounds of a call after defaults were filled in; every field in the unit its name ends with. */
export type Limits = Static<typeof LimitsSchema>;

/** For every limit what a call gets when it does not ask, and the most it may ask for. */
export interface LimitPolicy {
  readonly default: Limits;
  readonly ceiling: Limits;
}

const MiB = 1 << 20;

export const DEFAULT_LIMIT_POLICY: LimitPolicy = {
  default: {
    wall_ms: 10_000,
    cpu_ms: 20_000,
    memory_bytes: 512 * MiB,
    output_bytes: 4 * MiB,
    processes: 64,
    disk_bytes: 64 * MiB,
  },
  ceiling: {
    wall_ms: 600_000,
    cpu_ms: 1_200_000,
    memory_bytes: 4096 * MiB,
    output_bytes: 64 * MiB,
    processes: 1024,
    disk_bytes: 2048 * MiB,
  },
};

export const UsageSchema = Type.Object(
  {
    wall_ms: Type.Number({ description: "Wall time of the run. Milliseconds." }),
    cpu_ms: Type.Number({ description: "CPU time of every process of the call. Milliseconds." }),
    memory_peak_bytes: Type.Integer({ description: "Peak memory above that of the idle sandbox. Bytes." }),
    processes: Type.Integer({
      description: "Processes and threads that the call started, the program itself included.",
    }),
  },
  { $id: "Usage", additionalProperties: false },
);

/** What one run was measured to take; zeros when nothing ran. */
export type Usage = Static<typeof UsageSchema>;
