/** Bodies held against their schemas. */
import type { Static, TSchema } from "typebox";
import { Compile, type Validator } from "typebox/compile";
import { ApiError } from "./errors.ts";

const compiled = new WeakMap<TSchema, Validator>();

/** @throws ApiError 422 telling where the body is not as the schema says */
export function checkBody<S extends TSchema>(schema: S, body: unknown): Static<S> {
  let validator = compiled.get(schema);
  if (validator === undefined) compiled.set(schema, (validator = Compile(schema)));
  if (validator.Check(body)) return body as Static<S>;
  const [first] = validator.Errors(body);
  throw new ApiError(422, `${first?.instancePath || "the body"}: ${first?.message ?? "is not valid"}`);
}
