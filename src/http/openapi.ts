/** `/openapi.json` and the page to browse it at `/docs`, whose assets come from this server only. */
import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { FastifyInstance } from "fastify";
import { ERROR_CODES } from "../contract/errors.ts";

const DESCRIPTION = `Carries out programs that models wrote, isolated from each other and from the machine.

Every accepted call has exactly one Result with exactly one outcome. A status other than 200 means that the call was not carried out; its body says why:

| code | status | fault | retryable |
|---|---|---|---|
${Object.entries(ERROR_CODES)
  .map(
    ([code, { status, fault, retryable }]) =>
      `| \`${code}\` | ${status} | ${fault} | ${retryable ? "yes" : "no"} |`,
  )
  .join("\n")}`;

/** To be called before the routes are registered. */
export async function registerOpenapi(
  app: FastifyInstance,
  options: { version: string; keyed: boolean },
): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Rollcall",
        version: options.version,
        description: DESCRIPTION,
        license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      },
      tags: [
        { name: "calls", description: "Carrying calls out." },
        { name: "verification", description: "Judging answers and programs." },
        { name: "sessions", description: "Interpreters that are kept between calls." },
        { name: "service", description: "Asking about the service." },
      ],
      components: { securitySchemes: { bearer: { type: "http", scheme: "bearer" } } },
      ...(options.keyed ? { security: [{ bearer: [] }] } : {}),
    },
    // Without it components would be called def-0, def-1, ...
    refResolver: {
      buildLocalReference: (json, _base, _fragment, index) =>
        typeof json["$id"] === "string" ? json["$id"] : `part-${index}`,
    },
  });
  await app.register(swaggerUi, {
    routePrefix: "/docs",
    staticCSP: true,
    uiConfig: { validatorUrl: null },
    logLevel: "silent",
  });
  app.get("/openapi.json", {
    config: { open: true },
    schema: { hide: true },
    handler: () => Promise.resolve(app.swagger()),
  });
}
