/**
 * Bodies and errors as a FastAPI service has them: fields that are not known are ignored, numbers may come as
 * texts, and what does not fit is HTTP 422 with one entry for each field at fault, worded as pydantic words it.
 */
import type { FastifyReply } from "fastify";
import { SandboxError } from "../contract/errors.ts";

type Loc = readonly (string | number)[];

interface Issue {
  readonly type: string;
  readonly loc: Loc;
  readonly msg: string;
  readonly input: unknown;
  readonly ctx?: Readonly<Record<string, unknown>>;
}

/** Reads a value; what is wrong with it is added to the issues, and what is returned then is never used. */
export type Read<T> = (value: unknown, loc: Loc, issues: Issue[]) => T;

const UNUSED = undefined as never;

function refuse(issues: Issue[], loc: Loc, input: unknown, type: string, msg: string): never {
  issues.push({ type, loc, msg, input });
  return UNUSED;
}

export const text: Read<string> = (value, loc, issues) =>
  typeof value === "string"
    ? value
    : refuse(issues, loc, value, "string_type", "Input should be a valid string");

export const float: Read<number> = (value, loc, issues) => {
  if (typeof value === "number") return value;
  if (typeof value === "boolean") return Number(value);
  if (typeof value !== "string")
    return refuse(issues, loc, value, "float_type", "Input should be a valid number");
  const number = value.trim() === "" ? Number.NaN : Number(value);
  return Number.isFinite(number)
    ? number
    : refuse(
        issues,
        loc,
        value,
        "float_parsing",
        "Input should be a valid number, unable to parse string as a number",
      );
};

export const integer: Read<number> = (value, loc, issues) => {
  const number = typeof value === "string" && /^\s*[+-]?\d+\s*$/.test(value) ? Number(value) : value;
  if (typeof number === "boolean") return Number(number);
  if (typeof number === "string")
    return refuse(
      issues,
      loc,
      value,
      "int_parsing",
      "Input should be a valid integer, unable to parse string as an integer",
    );
  if (typeof number !== "number")
    return refuse(issues, loc, value, "int_type", "Input should be a valid integer");
  return Number.isInteger(number)
    ? number
    : refuse(
        issues,
        loc,
        value,
        "int_from_float",
        "Input should be a valid integer, got a number with a fractional part",
      );
};

export const boolean: Read<boolean> = (value, loc, issues) => {
  if (typeof value === "boolean") return value;
  if (value === 1 || value === 0) return value === 1;
  return refuse(issues, loc, value, "bool_type", "Input should be a valid boolean");
};

/** A whole number or a text. */
export const identity: Read<number | string> = (value, loc, issues) => {
  if (typeof value === "string" || Number.isInteger(value)) return value as number | string;
  issues.push({
    type: "int_type",
    loc: [...loc, "int"],
    msg: "Input should be a valid integer",
    input: value,
  });
  return refuse(issues, [...loc, "str"], value, "string_type", "Input should be a valid string");
};

export const nullable =
  <T>(read: Read<T>): Read<T | null> =>
  (value, loc, issues) =>
    value === null ? null : read(value, loc, issues);

/** One of the given texts. */
export function literal<const T extends string>(...values: readonly T[]): Read<T> {
  const quoted = values.map((value) => `'${value}'`);
  const last = quoted.at(-1) as string;
  const expected = quoted.length === 1 ? last : `${quoted.slice(0, -1).join(", ")} or ${last}`;
  return (value, loc, issues) => {
    if ((values as readonly unknown[]).includes(value)) return value as T;
    const msg = `Input should be ${expected}`;
    issues.push({ type: "literal_error", loc, msg, input: value, ctx: { expected } });
    return UNUSED;
  };
}

export function list<T>(read: Read<T>, lengthMin = 0): Read<T[]> {
  return (value, loc, issues) => {
    if (!Array.isArray(value)) return refuse(issues, loc, value, "list_type", "Input should be a valid list");
    if (value.length < lengthMin) {
      issues.push({
        type: "too_short",
        loc,
        msg: `List should have at least ${lengthMin} item${lengthMin === 1 ? "" : "s"} after validation, not ${value.length}`,
        input: value,
        ctx: { field_type: "List", min_length: lengthMin, actual_length: value.length },
      });
      return UNUSED;
    }
    return value.map((item, index) => read(item, [...loc, index], issues));
  };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export function dictionary<T>(read: Read<T>): Read<Record<string, T>> {
  return (value, loc, issues) => {
    if (!isObject(value))
      return refuse(issues, loc, value, "dict_type", "Input should be a valid dictionary");
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [name, read(item, [...loc, name], issues)]),
    );
  };
}

/** Anything at all. */
export const anything: Read<unknown> = (value) => value;

interface Field<T> {
  readonly read: Read<T>;
  /** Value of a field that is left out; a field without one is required. */
  readonly fallback?: { readonly value: T };
}

export const required = <T>(read: Read<T>): Field<T> => ({ read });
export const optional = <T>(read: Read<T>, value: NoInfer<T>): Field<T> => ({ read, fallback: { value } });

type Fields = Readonly<Record<string, Field<unknown>>>;
type Model<F extends Fields> = { readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never };

const NOT_A_MODEL = "Input should be a valid dictionary or object to extract fields from";

export function model<F extends Fields>(fields: F): Read<Model<F>> {
  return (value, loc, issues) => {
    if (!isObject(value)) return refuse(issues, loc, value, "model_attributes_type", NOT_A_MODEL);
    const found = Object.entries(fields).map(([name, { read, fallback }]) => {
      if (Object.hasOwn(value, name)) return [name, read(value[name], [...loc, name], issues)];
      if (fallback === undefined) refuse(issues, [...loc, name], value, "missing", "Field required");
      return [name, fallback?.value];
    });
    return Object.fromEntries(found) as Model<F>;
  };
}

/** As {@link model}; a field that is not known is at fault, as with pydantic's `extra="forbid"`. */
export function closedModel<F extends Fields>(fields: F): Read<Model<F>> {
  const read = model(fields);
  return (value, loc, issues) => {
    const found = read(value, loc, issues);
    for (const [name, input] of isObject(value) ? Object.entries(value) : [])
      if (!Object.hasOwn(fields, name))
        refuse(issues, [...loc, name], input, "extra_forbidden", "Extra inputs are not permitted");
    return found;
  };
}

class Unprocessable extends Error {
  override readonly name = "Unprocessable";
  readonly detail: readonly Issue[];
  constructor(detail: readonly Issue[]) {
    super("the body is not what this route takes");
    this.detail = detail;
  }
}

/**
 * @param loc where the value is, for what is wrong with it
 * @throws SandboxError that {@link sendFastapiError} answers with 422.
 */
export function readBody<T>(read: Read<T>, body: unknown, loc: Loc = ["body"]): T {
  const issues: Issue[] = [];
  const value = read(body, loc, issues);
  if (issues.length === 0) return value;
  const cause = new Unprocessable(issues);
  throw new SandboxError("invalid_call", cause.message, { cause });
}

/** What {@link readBody} found wrong; null for any other error. */
export function issuesOf(error: unknown): readonly Issue[] | null {
  const cause = error instanceof SandboxError ? error.cause : null;
  return cause instanceof Unprocessable ? cause.detail : null;
}

/** What FastAPI says of a body that it cannot read at all. */
function unreadable(error: SandboxError): Issue | null {
  if (error.code === "unsupported_media_type")
    return { type: "model_attributes_type", loc: ["body"], msg: NOT_A_MODEL, input: null };
  if (error.code !== "invalid_json") return null;
  if (error.message.startsWith("the body is empty"))
    return { type: "missing", loc: ["body"], msg: "Field required", input: null };
  const position = Number(/position (\d+)/.exec(error.message)?.[1] ?? 0);
  return {
    type: "json_invalid",
    loc: ["body", position],
    msg: "JSON decode error",
    input: {},
    ctx: { error: error.message },
  };
}

/** @param status of an answer that is neither validation nor a refusal with a status of its own */
export function sendFastapiError(error: SandboxError, reply: FastifyReply, status = error.status): void {
  const issue = unreadable(error);
  const detail = issuesOf(error) ?? (issue === null ? null : [issue]);
  if (detail === null) reply.code(status).send({ detail: error.message });
  else reply.code(422).send({ detail });
}
