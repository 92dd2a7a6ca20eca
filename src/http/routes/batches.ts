/** `POST /v1/batches`: many calls, accepted all or none; Results as a stream of lines or as one document. */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Call } from "../../contract/call.ts";
import { SandboxError } from "../../contract/errors.ts";
import type { ExecuteOptions } from "../../contract/executor.ts";
import { CALL_CODES, errorResponses, ref } from "../schemas.ts";
import { answerBatch, during, logCall, NDJSON, serializer, type RouteParts } from "./parts.ts";

const RESULT_SCHEMA = ref("Result");

const DESCRIPTION = `All calls are accepted or none. With \`accept: ${NDJSON}\` each Result is sent the moment it is ready, one line each, \
and the last line says whether the stream is complete; otherwise the answer is one document in the order of the calls. \
Closing the connection cancels the calls that have not ended.`;

function refuseDuplicates(calls: readonly Call[]): void {
  const seen = new Map<string, number>();
  for (const [index, { id }] of calls.entries()) {
    if (id === undefined) continue;
    const first = seen.get(id);
    if (first !== undefined)
      throw new SandboxError("duplicate_id", `/calls/${first} and /calls/${index} both have the id ${id}`, {
        path: `/calls/${index}/id`,
      });
    seen.set(id, index);
  }
}

type BatchRequest = FastifyRequest<{ Body: { calls: Call[] } }>;

async function answer(
  parts: RouteParts & { answerBytesMax: number },
  request: BatchRequest,
  reply: FastifyReply,
  options: ExecuteOptions,
): Promise<string | undefined> {
  const { calls } = request.body;
  const items = await parts.executor.executeBatch(calls, options);
  const serialize = serializer(reply, RESULT_SCHEMA);
  return answerBatch({ ...parts, route: "/v1/batches" }, request, reply, calls.length, {
    items,
    name: "result",
    serialize: ({ result }) => serialize(result),
    onItem: ({ index, result }) => logCall(parts.log, calls[index] as Call, result, request.tenant),
  });
}

export function registerBatches(parts: RouteParts & { readonly answerBytesMax: number }): void {
  parts.app.post<{ Body: { calls: Call[] } }>("/v1/batches", {
    schema: {
      operationId: "executeBatch",
      summary: "Carry many calls out",
      description: DESCRIPTION,
      tags: ["calls"],
      body: ref("Batch"),
      response: {
        200: {
          description: "The calls were carried out.",
          content: {
            "application/json": { schema: ref("BatchResult") },
            [NDJSON]: { schema: ref("BatchLine") },
          },
        },
        ...errorResponses([...CALL_CODES, "duplicate_id", "batch_too_long", "answer_too_large"]),
      },
    },
    async handler(request, reply) {
      refuseDuplicates(request.body.calls);
      return during(parts.traffic, request, reply, (options) => answer(parts, request, reply, options));
    },
  });
}
