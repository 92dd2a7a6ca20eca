/** `POST /v1/calls`: one call, one Result. */
import type { Call } from "../../contract/call.ts";
import { CALL_CODES, errorResponses, ref } from "../schemas.ts";
import { during, logCall, type RouteParts } from "./parts.ts";

export function registerCalls({ app, executor, traffic, log }: RouteParts): void {
  app.post<{ Body: Call }>("/v1/calls", {
    schema: {
      operationId: "execute",
      summary: "Carry one call out",
      description:
        "Answers when the call has ended. Whatever the program did is an outcome in a 200 answer; another status means that there was no run. Closing the connection cancels the call.",
      tags: ["calls"],
      body: ref("Call"),
      response: {
        200: {
          description: "The call was carried out.",
          content: { "application/json": { schema: ref("Result") } },
        },
        ...errorResponses(CALL_CODES),
      },
    },
    handler: (request, reply) =>
      during(traffic, request, reply, async (options) => {
        const result = await executor.execute(request.body, options);
        logCall(log, request.body, result, request.tenant);
        return result;
      }),
  });
}
