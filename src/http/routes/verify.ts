/** `POST /v1/verify` and `POST /v1/verify/batch`: answers and programs judged, one Verdict each. */
import type { Verdict } from "../../contract/verdict.ts";
import type { Verification } from "../../contract/verification.ts";
import type { Verifier } from "../../contract/verifier.ts";
import type { HttpObserver } from "../../observe/metrics.ts";
import { CALL_CODES, errorResponses, ref } from "../schemas.ts";
import { answerBatch, during, NDJSON, serializer, type RouteParts } from "./parts.ts";

const DESCRIPTION = `Compares an answer, or what a program gives in test cases, with what is expected. Expectations stay in the \
service: no program sees them. \`reward\` is 1, 0, or null for what says nothing about the program.`;

const BATCH_DESCRIPTION = `All verifications are accepted by their shape or none. With \`accept: ${NDJSON}\` each Verdict is sent \
the moment it is ready, one line each, and the last line says whether the stream is complete; otherwise the answer is one \
document in the order of the verifications. Closing the connection cancels what has not ended.`;

interface VerifyParts extends Pick<RouteParts, "app" | "traffic" | "log"> {
  readonly verifier: Verifier;
  readonly observer: Pick<HttpObserver, "judged">;
  readonly answerBytesMax: number;
}

/** Counted, and one line in the log at debug. */
function tell(
  { log, observer }: Pick<VerifyParts, "log" | "observer">,
  { id, kind, verdict, outcome }: Verdict,
  tenant: string | null,
): void {
  observer.judged(kind, verdict);
  if (log.isLevelEnabled("debug")) log.debug({ id, kind, verdict, outcome, tenant, status: 200 }, "verdict");
}

function registerBatch(parts: VerifyParts): void {
  const { app, verifier, traffic, log, answerBytesMax } = parts;
  app.post<{ Body: { verifications: Verification[] } }>("/v1/verify/batch", {
    schema: {
      operationId: "verifyBatch",
      summary: "Judge many answers or programs",
      description: BATCH_DESCRIPTION,
      tags: ["verification"],
      body: ref("VerifyBatch"),
      response: {
        200: {
          description: "They were judged.",
          content: {
            "application/json": { schema: ref("VerifyBatchResult") },
            [NDJSON]: { schema: ref("VerdictLine") },
          },
        },
        ...errorResponses([...CALL_CODES, "batch_too_long", "answer_too_large"]),
      },
    },
    handler: (request, reply) =>
      during(traffic, request, reply, async (options) => {
        const { verifications } = request.body;
        const items = await verifier.verifyBatch(verifications, options);
        const serialize = serializer(reply, ref("Verdict"));
        const answer = { log, answerBytesMax, route: "/v1/verify/batch" };
        return answerBatch(answer, request, reply, verifications.length, {
          items,
          name: "verdict",
          serialize: ({ verdict }) => serialize(verdict),
          onItem: ({ verdict }) => tell(parts, verdict, request.tenant),
        });
      }),
  });
}

export function registerVerify(parts: VerifyParts): void {
  const { app, verifier, traffic } = parts;
  app.post<{ Body: Verification }>("/v1/verify", {
    schema: {
      operationId: "verify",
      summary: "Judge one answer or program",
      description: `${DESCRIPTION} Closing the connection cancels it.`,
      tags: ["verification"],
      body: ref("Verification"),
      response: {
        200: { description: "It was judged.", content: { "application/json": { schema: ref("Verdict") } } },
        ...errorResponses(CALL_CODES),
      },
    },
    handler: (request, reply) =>
      during(traffic, request, reply, async (options) => {
        const verdict = await verifier.verify(request.body, options);
        tell(parts, verdict, request.tenant);
        return verdict;
      }),
  });
  registerBatch(parts);
}
