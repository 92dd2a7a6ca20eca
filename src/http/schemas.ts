/**
 * The contract's schemas as the HTTP API names them: every schema with an `$id` becomes one shared schema,
 * referred to by name, so that Ajv, the serialiser and the OpenAPI document all have it once.
 */
import { Type, type TSchema } from "typebox";
import { CallSchema } from "../contract/call.ts";
import { DescriptionSchema } from "../contract/description.ts";
import { ERROR_CODES, type ErrorCode } from "../contract/errors.ts";
import { ResultSchema } from "../contract/result.ts";
import { VerdictSchema } from "../contract/verdict.ts";
import { VerificationSchema } from "../contract/verification.ts";
import {
  ForkSpecSchema,
  SessionCallSchema,
  SessionDescriptionSchema,
  SessionSpecSchema,
} from "../contract/session.ts";

const ErrorSchema = Type.Object(
  {
    error: Type.Object(
      {
        code: Type.Enum(Object.keys(ERROR_CODES) as ErrorCode[], {
          type: "string",
          description: "Stable; what a program should look at.",
        }),
        message: Type.String({ description: "For people: what was wrong and what is allowed." }),
        fault: Type.Enum(["caller", "service"], { type: "string" }),
        retryable: Type.Boolean({ description: "Whether the same request may succeed later." }),
        path: Type.Optional(Type.String({ description: "JSON pointer to the field at fault." })),
        retry_after_ms: Type.Optional(
          Type.Number({ description: "Milliseconds after which a retry makes sense." }),
        ),
      },
      { additionalProperties: false },
    ),
  },
  { $id: "Error", additionalProperties: false },
);

const BatchItemSchema = Type.Object(
  { index: Type.Integer({ description: "Place of the call in the batch, from 0." }), result: ResultSchema },
  { $id: "BatchItem", additionalProperties: false },
);

const BatchEndSchema = Type.Object(
  { done: Type.Literal(true), count: Type.Integer({ description: "Results that were sent." }) },
  { $id: "BatchEnd", additionalProperties: false, description: "Last line of a stream that is complete." },
);

const BatchLineSchema = Type.Union([BatchItemSchema, BatchEndSchema, ErrorSchema], {
  $id: "BatchLine",
  description:
    "One line of a stream. The last line is a BatchEnd, or an Error when the stream broke; a stream without either was cut.",
});

const BatchResultSchema = Type.Object(
  {
    results: Type.Array(ResultSchema, {
      description: "One Result for each call, in the order of the calls.",
    }),
  },
  { $id: "BatchResult", additionalProperties: false },
);

/** Body of `POST /v1/batches`; how many calls it may have is configured. */
const batchSchema = (batchCallsMax: number) =>
  Type.Object(
    { calls: Type.Array(CallSchema, { minItems: 1, maxItems: batchCallsMax }) },
    { $id: "Batch", additionalProperties: false },
  );

const VerdictItemSchema = Type.Object(
  {
    index: Type.Integer({ description: "Place of the verification in the batch, from 0." }),
    verdict: VerdictSchema,
  },
  { $id: "VerdictItem", additionalProperties: false },
);

const VerdictLineSchema = Type.Union([VerdictItemSchema, BatchEndSchema, ErrorSchema], {
  $id: "VerdictLine",
  description: "One line of a stream, which ends like that of a batch of calls.",
});

const VerifyBatchResultSchema = Type.Object(
  {
    verdicts: Type.Array(VerdictSchema, {
      description: "One Verdict for each verification, in the order of the verifications.",
    }),
  },
  { $id: "VerifyBatchResult", additionalProperties: false },
);

/** Body of `POST /v1/verify/batch`; how many verifications it may have is configured. */
const verifyBatchSchema = (batchMax: number) =>
  Type.Object(
    { verifications: Type.Array(VerificationSchema, { minItems: 1, maxItems: batchMax }) },
    { $id: "VerifyBatch", additionalProperties: false },
  );

const SessionListSchema = Type.Object(
  { sessions: Type.Array(SessionDescriptionSchema) },
  { $id: "SessionList", additionalProperties: false },
);

const StatusSchema = Type.Object(
  { status: Type.Enum(["ok", "ready", "starting", "draining"], { type: "string" }) },
  { $id: "Status", additionalProperties: false },
);

/** A reference to a shared schema. */
export const ref = (name: string): { $ref: string } => ({ $ref: `${name}#` });

type Json = Record<string, unknown>;

function replaceNamed(node: unknown, found: Map<string, Json>, top: boolean): unknown {
  if (Array.isArray(node)) return node.map((item) => replaceNamed(item, found, false));
  if (typeof node !== "object" || node === null) return node;
  const id = (node as Json)["$id"];
  if (!top && typeof id === "string") {
    addNamed(node as Json, found);
    return ref(id);
  }
  return Object.fromEntries(
    Object.entries(node).map(([key, value]) => [key, replaceNamed(value, found, false)]),
  );
}

function addNamed(schema: Json, found: Map<string, Json>): void {
  const id = schema["$id"] as string;
  if (found.has(id)) return;
  found.set(id, {});
  found.set(id, replaceNamed(schema, found, true) as Json);
}

/** All shared schemas, flat. */
export function sharedSchemas(batchCallsMax: number, verifyBatchMax: number): Json[] {
  const found = new Map<string, Json>();
  const roots: TSchema[] = [
    batchSchema(batchCallsMax),
    BatchResultSchema,
    BatchLineSchema,
    verifyBatchSchema(verifyBatchMax),
    VerifyBatchResultSchema,
    VerdictLineSchema,
    DescriptionSchema,
    SessionSpecSchema,
    SessionCallSchema,
    ForkSpecSchema,
    SessionListSchema,
    StatusSchema,
  ];
  for (const root of roots) addNamed(root as unknown as Json, found);
  return [...found.values()];
}

/** The error answers of a route by status, each saying which codes it may carry. */
export function errorResponses(codes: readonly ErrorCode[]): Record<number, object> {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of codes) {
    const { status } = ERROR_CODES[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  const responses: Record<number, object> = {};
  for (const [status, names] of byStatus) {
    responses[status] = {
      description: `\`code\` is ${names.map((name) => `\`${name}\``).join(" or ")}.`,
      content: { "application/json": { schema: ref("Error") } },
    };
  }
  return responses;
}

/** Codes that any route may answer with. */
export const COMMON_CODES: readonly ErrorCode[] = [
  "invalid_http",
  "header_too_large",
  "request_timeout",
  "not_found",
  "method_not_allowed",
  "internal",
];

/** Codes of the routes that take calls. */
export const CALL_CODES: readonly ErrorCode[] = [
  ...COMMON_CODES,
  "invalid_json",
  "invalid_call",
  "unknown_runtime",
  "limit_above_ceiling",
  "invalid_path",
  "id_conflict",
  "call_too_large",
  "body_too_large",
  "unsupported_media_type",
  "unauthorized",
  "queue_full",
  "deadline_unmeetable",
  "draining",
  "engine_unavailable",
];

const BODY_CODES: readonly ErrorCode[] = [
  ...COMMON_CODES,
  "invalid_json",
  "invalid_call",
  "body_too_large",
  "unsupported_media_type",
  "unauthorized",
  "draining",
];

/** Codes of the routes that change sessions. */
export const SESSION_CODES = {
  open: [
    ...BODY_CODES,
    "unknown_runtime",
    "limit_above_ceiling",
    "invalid_path",
    "call_too_large",
    "id_conflict",
    "queue_full",
    "sessions_full",
    "engine_unavailable",
  ],
  call: [
    ...BODY_CODES,
    "limit_above_ceiling",
    "invalid_path",
    "call_too_large",
    "queue_full",
    "session_not_found",
    "session_lost",
    "session_closed",
    "session_busy",
  ],
  fork: [
    ...BODY_CODES,
    "limit_above_ceiling",
    "queue_full",
    "sessions_full",
    "session_not_found",
    "session_lost",
    "session_closed",
    "session_busy",
    "fork_failed",
  ],
} as const satisfies Record<string, readonly ErrorCode[]>;
