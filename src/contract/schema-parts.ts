/** The two shapes that TypeBox would write in a slower or looser way than validators and serialisers like. */
import { Type, type Static, type TSchema } from "typebox";

/**
 * The schema's value or null. A list of types, not a union: a compiled serialiser then looks at the value
 * once, where for a union it runs a validator for each branch of each answer.
 */
export function nullable<T extends TSchema & { readonly type: string }>(schema: T) {
  const { $id: _, ...rest } = schema as T & { $id?: string };
  return Type.Unsafe<Static<T> | null>({ ...rest, type: [schema.type, "null"] });
}

/**
 * Any names, one kind of value. `Type.Record` says this with the pattern `^.*$`, which a name with a line
 * break does not match: its value would go unchecked. The one name that a copy by assignment would not keep
 * as a name is refused.
 */
export function dictionary<T extends TSchema>(schema: T, options: { description?: string } = {}) {
  return Type.Unsafe<Record<string, Static<T>>>({
    type: "object",
    propertyNames: { not: { const: "__proto__" } },
    additionalProperties: schema,
    ...options,
  });
}
