/** A call's limits: what it asks for, else the default; above the ceiling it is refused, never lowered in silence. */
import { CALL_BOUNDS } from "../contract/call.ts";
import { SandboxError } from "../contract/errors.ts";
import type { LimitPolicy, Limits } from "../contract/limits.ts";

/** CPU time that goes with a wall time when a call names only the latter: two busy threads. */
const CPU_PER_WALL = 2;

/**
 * @param pointer JSON pointer of the call, for the message.
 * @throws SandboxError `limit_above_ceiling`.
 */
export function decideLimits(
  asked: Partial<Limits> | undefined,
  policy: LimitPolicy,
  pointer: string,
): Limits {
  if (asked === undefined) return policy.default;
  const limits = { ...policy.default };
  for (const name of Object.keys(asked) as (keyof Limits)[]) {
    const value = asked[name];
    // An embedding program may leave a field out by setting it to undefined.
    if (value === undefined) continue;
    if (value > policy.ceiling[name]) {
      throw new SandboxError(
        "limit_above_ceiling",
        `limits.${name} is ${value}, the most this service allows is ${policy.ceiling[name]}`,
        {
          path: `${pointer}/limits/${name}`,
        },
      );
    }
    limits[name] = value;
  }
  if (asked.wall_ms !== undefined && asked.cpu_ms === undefined) {
    limits.cpu_ms = Math.min(asked.wall_ms * CPU_PER_WALL, policy.ceiling.cpu_ms);
  }
  return limits;
}

/**
 * Bounds on a compile stage: a compiler needs its memory and files whatever the program is held to, so they are the
 * service's defaults, or more where the call asks for more.
 */
export function compileLimits(
  askedMs: number | undefined,
  run: Limits,
  { default: usual }: LimitPolicy,
): Limits {
  const wallMs = askedMs ?? CALL_BOUNDS.compileMsDefault;
  return {
    wall_ms: wallMs,
    cpu_ms: wallMs * CPU_PER_WALL,
    memory_bytes: Math.max(usual.memory_bytes, run.memory_bytes),
    output_bytes: usual.output_bytes,
    processes: Math.max(usual.processes, run.processes),
    disk_bytes: Math.max(usual.disk_bytes, run.disk_bytes),
  };
}
