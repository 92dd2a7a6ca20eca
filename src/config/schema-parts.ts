/** The kinds of keys and sections that the schema is made of. */
import { Type, type TSchema } from "typebox";

export const MiB = 1 << 20;

export type Unit = "ms" | "bytes" | "calls" | "connections" | "slots" | "sessions" | "count";

export const quantity = (unit: Unit, value: number, minimum: number, maximum: number, description: string) =>
  Type.Integer({ unit, default: value, minimum, maximum, description });
export const text = (value: string, description: string) => Type.String({ default: value, description });
export const flag = (value: boolean, description: string) => Type.Boolean({ default: value, description });
export const choice = <const T extends string[]>(
  values: readonly [...T],
  value: T[number],
  description: string,
) => Type.Enum(values, { type: "string", default: value, description });
export const section = <P extends Record<string, TSchema>>(description: string, properties: P) =>
  Type.Object(properties, { additionalProperties: false, description });

export const DAY_MS = 24 * 3600 * 1000;
export const HOUR_MS = DAY_MS / 24;
