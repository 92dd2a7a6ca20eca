/** What operators, balancers and scrapers ask: health, readiness, metrics and the description. */
import type { FastifyInstance } from "fastify";
import type { Executor } from "../../contract/executor.ts";
import type { ServerMetrics } from "../../observe/metrics.ts";
import { COMMON_CODES, errorResponses, ref } from "../schemas.ts";
import type { Traffic } from "../traffic.ts";

export interface ServiceParts {
  readonly app: FastifyInstance;
  readonly executor: Executor;
  readonly traffic: Traffic;
  readonly metrics: ServerMetrics;
  /** Whether the engines can take calls now. */
  readonly ready: () => boolean | Promise<boolean>;
}

const json = (schema: object, description: string) => ({
  description,
  content: { "application/json": { schema } },
});

export function registerService({ app, executor, traffic, metrics, ready }: ServiceParts): void {
  app.get("/healthz", {
    config: { open: true },
    schema: {
      operationId: "health",
      security: [],
      summary: "Whether the process is alive",
      tags: ["service"],
      response: { 200: json(ref("Status"), "It is."), ...errorResponses(COMMON_CODES) },
    },
    handler: () => Promise.resolve({ status: "ok" }),
  });

  app.get("/readyz", {
    config: { open: true },
    schema: {
      operationId: "readiness",
      security: [],
      summary: "Whether calls are taken now",
      tags: ["service"],
      response: {
        200: json(ref("Status"), "The engines are ready."),
        503: json(ref("Status"), "Starting or shutting down."),
        ...errorResponses(COMMON_CODES),
      },
    },
    async handler(_request, reply) {
      if (traffic.closing.aborted) return reply.code(503).send({ status: "draining" });
      return (await ready()) ? reply.send({ status: "ready" }) : reply.code(503).send({ status: "starting" });
    },
  });

  app.get("/metrics", {
    schema: {
      operationId: "metrics",
      summary: "Metrics in the Prometheus text format",
      tags: ["service"],
      response: {
        200: { description: "All metrics.", content: { "text/plain": { schema: { type: "string" } } } },
        ...errorResponses([...COMMON_CODES, "unauthorized"]),
      },
    },
    async handler(_request, reply) {
      const text = await metrics.text();
      return reply.type(metrics.contentType).send(text);
    },
  });

  app.get("/v1/info", {
    schema: {
      operationId: "describe",
      summary: "Runtimes, isolation, limits and queue of this service",
      tags: ["service"],
      response: {
        200: json(ref("Description"), "The description."),
        ...errorResponses([...COMMON_CODES, "unauthorized"]),
      },
    },
    handler: () => executor.describe(),
  });
}
