/**
 * What the compiled schema found, as one SandboxError for people and programs: which field, what is wrong
 * with it and what is allowed.
 *
 * Needs Ajv's `verbose`, which adds the failed value and its schema to an error and costs nothing until
 * there is one.
 */
import { RUNTIME_IDS } from "../contract/call.ts";
import { SandboxError } from "../contract/errors.ts";

/** The part of Ajv's error object that is used here. */
export interface SchemaFailure {
  readonly keyword: string;
  readonly instancePath?: string;
  readonly params: Record<string, unknown>;
  readonly message?: string;
  readonly data?: unknown;
  readonly parentSchema?: Record<string, unknown>;
}

const FIELDS_SHOWN = 20;

const pointer = (name: unknown): string =>
  `/${String(name).slice(0, 200).replaceAll("~", "~0").replaceAll("/", "~1")}`;
const quoted = (value: unknown): string => {
  const json = JSON.stringify(value) ?? "nothing";
  return json.length > 80 ? `${json.slice(0, 77)}...` : json;
};

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object") return "an object";
  if (typeof value === "number") return Number.isInteger(value) ? "an integer" : `the number ${value}`;
  return `a ${typeof value}`;
}

const article = (type: string): string => (/^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`);
const types = (value: unknown): string =>
  (Array.isArray(value) ? value : String(value).split(",")).map((type) => article(String(type))).join(" or ");
const many = (count: unknown, noun: string): string => `${String(count)} ${noun}${count === 1 ? "" : "s"}`;

/** What the field may say by which one of the branches is chosen. */
function tagsOf(schema: Record<string, unknown> | undefined, tag: unknown): unknown[] {
  const properties = (schema?.["properties"] ?? {}) as Record<string, { readonly enum?: unknown[] }>;
  return properties[String(tag)]?.enum ?? [];
}

/** What each keyword asks for, said of the field. */
const SAY: Readonly<Record<string, (failure: SchemaFailure) => string>> = {
  type: ({ params, data }) => `must be ${types(params["type"])}, not ${kindOf(data)}`,
  enum: ({ params, data }) =>
    `must be one of ${(params["allowedValues"] as unknown[]).join(", ")}, not ${quoted(data)}`,
  minimum: ({ params, data }) => `must be at least ${String(params["limit"])}, not ${String(data)}`,
  maximum: ({ params, data }) => `must be at most ${String(params["limit"])}, not ${String(data)}`,
  minLength: ({ params }) => `must have at least ${many(params["limit"], "character")}`,
  maxLength: ({ params, data }) =>
    `must have at most ${many(params["limit"], "character")}, not ${String(data).length}`,
  minItems: ({ params }) => `must have at least ${many(params["limit"], "item")}`,
  maxItems: ({ params, data }) =>
    `must have at most ${many(params["limit"], "item")}, not ${(data as unknown[]).length}`,
  pattern: ({ params, data }) => `must match ${String(params["pattern"])}, not ${quoted(data)}`,
  required: () => "is missing",
  propertyNames: () => "cannot be used as a name",
  const: ({ params, data }) => `must be ${quoted(params["allowedValue"])}, not ${quoted(data)}`,
  discriminator: ({ params, parentSchema }) =>
    params["tagValue"] === undefined
      ? "is missing"
      : `must be one of ${tagsOf(parentSchema, params["tag"]).join(", ")}, not ${quoted(params["tagValue"])}`,
  additionalProperties: ({ parentSchema }) => {
    const known = Object.keys((parentSchema?.["properties"] as object | undefined) ?? {});
    const shown = known.slice(0, FIELDS_SHOWN).join(", ");
    return `is not a known field; known are ${shown}${known.length > FIELDS_SHOWN ? ", ..." : ""}`;
  },
};

const NAMED_BY: Readonly<Record<string, string>> = {
  required: "missingProperty",
  additionalProperties: "additionalProperty",
  propertyNames: "propertyName",
  discriminator: "tag",
};

function pathOf(failure: SchemaFailure): string {
  const named = NAMED_BY[failure.keyword];
  return (failure.instancePath ?? "") + (named === undefined ? "" : pointer(failure.params[named]));
}

/**
 * The failure worth telling. A union reports each of its branches and then itself: the branch that the value
 * was meant for is the one that got furthest; when the value is of no branch's type, all types are told.
 */
function choose(failures: readonly SchemaFailure[]): SchemaFailure {
  const last = failures.at(-1) as SchemaFailure;
  if (last.keyword !== "anyOf") return last;
  const branches = failures.filter((failure) => failure.keyword !== "anyOf");
  const inside = branches.filter(
    (failure) => failure.keyword !== "type" || failure.instancePath !== last.instancePath,
  );
  if (inside.length > 0)
    return inside.reduce((best, failure) => (pathOf(failure).length > pathOf(best).length ? failure : best));
  const allowed = [...new Set(branches.map((failure) => String(failure.params["type"])))];
  return { ...last, keyword: "type", params: { type: allowed } };
}

const BATCHES: ReadonlySet<string> = new Set(["/calls", "/verifications"]);

/** @param failures what the compiled schema of a body reported; not empty. */
export function validationError(failures: readonly SchemaFailure[]): SandboxError {
  const failure = choose(failures);
  const path = pathOf(failure);
  const isRuntime = path === "/runtime" || /^\/calls\/\d+\/runtime$|\/program\/runtime$/.test(path);
  if (isRuntime && failure.keyword === "enum") {
    return new SandboxError(
      "unknown_runtime",
      `there is no runtime ${quoted(failure.data)}; there are ${RUNTIME_IDS.join(", ")}`,
      { path },
    );
  }
  if (BATCHES.has(path) && failure.keyword === "maxItems") {
    return new SandboxError(
      "batch_too_long",
      `the batch has ${(failure.data as unknown[]).length} ${path.slice(1)}, the most is ${String(failure.params["limit"])}`,
      { path },
    );
  }
  const say = SAY[failure.keyword];
  const text = say === undefined ? (failure.message ?? "is not valid") : say(failure);
  return new SandboxError(
    "invalid_call",
    `${path === "" ? "the body" : path} ${text}`,
    path === "" ? {} : { path },
  );
}
