/** Sessions, models and what the server says of itself. */
import type { FastifyInstance } from "fastify";
import { CreateModelBody, FutureBody, ModelBody, SamplingSessionBody, SessionBody } from "./bodies.ts";
import { checkBody } from "./check-body.ts";
import { parsePath, pathOf } from "./checkpoints.ts";
import { ApiError } from "./errors.ts";
import type { Hub } from "./hub.ts";
import { type Submit, submittedAs } from "./submit.ts";

/** What the SDK asks before anything else. Chunks of a batch come one after the other, compressed. */
const CLIENT_CONFIG = {
  pjwt_auth_enabled: false,
  credential_default_source: "api_key",
  parallel_fwdbwd_chunks: false,
  proto_compress_fwdbwd: true,
  sample_use_retrieve_futures: false,
};

function registerService(app: FastifyInstance, hub: Hub): void {
  app.get("/healthz", () => ({ status: "ok" }));
  app.get("/get_server_capabilities", () => ({
    supported_models: [
      {
        model_name: hub.baseModel,
        max_context_length: hub.contextTokens,
        trainable: true,
        sampleable: true,
      },
    ],
  }));
  app.post("/client/config", () => CLIENT_CONFIG);
  app.post("/client/dynamic_config", () => ({ refresh_interval_sec: 300, sample_cancel_enabled: true }));
  app.post("/telemetry", () => ({ status: "accepted" }));
}

function registerModels(app: FastifyInstance, hub: Hub, submit: Submit): void {
  app.post("/create_model", (request) => {
    const body = checkBody(CreateModelBody, request.body);
    const session = hub.session(body.session_id);
    const rank = body.lora_config?.rank ?? 0;
    const number = body.model_seq_id ?? undefined;
    const submitted = session.created.once(number, JSON.stringify(body), () => {
      const model = hub.createModel(session, number, body.base_model, rank);
      return hub.futures.submit(session.id, async () => {
        await model.engine;
        await hub.checkpoints.record(model.id, { base_model: hub.baseModel, lora_rank: rank });
        return { json: { type: "create_model", model_id: model.id } };
      });
    });
    return { ...submittedAs(submitted), base_model: hub.baseModel };
  });

  app.post("/unload_model", (request) => {
    const model = hub.model(checkBody(ModelBody, request.body).model_id);
    const submitted = submit(model.session.id, async () => {
      await hub.unload(model);
      return { json: { type: "unload_model", model_id: model.id } };
    });
    return { ...submitted, model_id: model.id };
  });

  app.post("/get_info", (request) => {
    const model = hub.model(checkBody(ModelBody, request.body).model_id);
    return {
      type: "get_info",
      model_id: model.id,
      model_name: hub.baseModel,
      is_lora: true,
      lora_rank: model.loraRank,
      status: "created",
      model_data: {
        arch: "rollcall-embedded",
        model_name: hub.baseModel,
        tokenizer_id: hub.baseModel,
        base_model: hub.baseModel,
        lora_config: { rank: model.loraRank },
      },
    };
  });
}

function registerSamplers(app: FastifyInstance, hub: Hub): void {
  app.post("/create_sampling_session", {
    handler: async (request) => {
      const body = checkBody(SamplingSessionBody, request.body);
      const session = hub.session(body.session_id);
      const [base, path] = [body.base_model ?? null, body.model_path ?? null];
      if (base === null && path === null)
        throw new ApiError(400, "one of base_model and model_path must be given");
      if (path === null && base !== null) hub.checkBase(base);
      const reference = path === null ? null : parsePath(path, "sampler_weights");
      const sampler = await hub.createSampler(session, reference);
      return { type: "create_sampling_session", sampling_session_id: sampler.id };
    },
  });

  app.get<{ Params: { id: string } }>("/samplers/:id", (request) => {
    const sampler = hub.sampler(request.params.id);
    return {
      sampler_id: sampler.id,
      base_model: hub.baseModel,
      model_path: sampler.reference === null ? null : pathOf(sampler.reference),
    };
  });
}

export function registerSessionRoutes(app: FastifyInstance, hub: Hub, submit: Submit): void {
  registerService(app, hub);
  app.post("/create_session", () => {
    const session = hub.openSession();
    return { type: "create_session", session_id: session.id };
  });
  app.post("/session_heartbeat", (request) => {
    hub.session(checkBody(SessionBody, request.body).session_id);
    return { type: "session_heartbeat" };
  });
  registerModels(app, hub, submit);
  registerSamplers(app, hub);
  app.post("/cancel_future", (request) => {
    hub.futures.cancel(checkBody(FutureBody, request.body).request_id);
    return {};
  });
}
