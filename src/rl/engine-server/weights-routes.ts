/** Saving, publishing, loading and listing weights. */
import type { FastifyInstance } from "fastify";
import { LoadBody, SaveBody, SaveForSamplerBody, WeightsInfoBody } from "./bodies.ts";
import { checkBody } from "./check-body.ts";
import { type Listed, parsePath, pathOf, type Reference } from "./checkpoints.ts";
import { ApiError } from "./errors.ts";
import { ephemeralName, type Hub, type Model } from "./hub.ts";
import { submittedAs } from "./submit.ts";

/** The file to save to. A name that cannot be had does not hold up the requests behind. */
async function reserve(
  hub: Hub,
  model: Model,
  seq: number | undefined,
  reference: Reference,
  overwrite: boolean,
): Promise<string> {
  try {
    return await hub.checkpoints.reserve(reference, overwrite);
  } catch (error) {
    model.sequence.passed(seq);
    throw error;
  }
}

function registerSaving(app: FastifyInstance, hub: Hub): void {
  app.post("/save_weights", {
    handler: async (request) => {
      const body = checkBody(SaveBody, request.body);
      const model = hub.model(body.model_id);
      const seq = body.seq_id ?? undefined;
      const reference: Reference = {
        model: model.id,
        kind: "weights",
        name: body.path ?? `checkpoint-${seq ?? Date.now()}`,
      };
      hub.checkpoints.file(reference);
      const id = model.sequence.once(seq, JSON.stringify(["save_weights", body.path ?? null]), () =>
        hub.futures.submit(model.session.id, async () => {
          const engine = await model.engine;
          const file = await reserve(hub, model, seq, reference, body.overwrite === true);
          await model.sequence.inOrder(seq, () => engine.save(file));
          return { json: { type: "save_weights", path: pathOf(reference) } };
        }),
      );
      return submittedAs(id);
    },
  });

  app.post("/save_weights_for_sampler", (request) => {
    const body = checkBody(SaveForSamplerBody, request.body);
    const model = hub.model(body.model_id);
    const [seq, samplingSeq] = [body.seq_id ?? undefined, body.sampling_session_seq_id ?? undefined];
    const name =
      body.path ?? (seq === undefined || samplingSeq === undefined ? null : ephemeralName(samplingSeq, seq));
    if (name === null)
      throw new ApiError(422, "either path, or both sampling_session_seq_id and seq_id are needed");
    const reference: Reference = { model: model.id, kind: "sampler_weights", name };
    hub.checkpoints.file(reference);
    const id = model.sequence.once(seq, JSON.stringify(["save_weights_for_sampler", name]), () =>
      hub.futures.submit(model.session.id, async () => {
        const engine = await model.engine;
        const file = await reserve(hub, model, seq, reference, false);
        await model.sequence.inOrder(seq, () => engine.save(file));
        const named = typeof body.path === "string";
        const sampler = named ? null : await hub.createSampler(model.session, reference);
        if (!named) await hub.pruneEphemeral(model);
        return {
          json: {
            type: "save_weights_for_sampler",
            path: sampler === null ? pathOf(reference) : null,
            sampling_session_id: sampler?.id ?? null,
          },
        };
      }),
    );
    return submittedAs(id);
  });
}

interface Loading {
  readonly model: Model;
  readonly seq: number | undefined;
  readonly path: string;
  readonly file: string;
  readonly optimizer: boolean;
}

function submitLoad(hub: Hub, { model, seq, path, file, optimizer }: Loading): string {
  return model.sequence.once(seq, JSON.stringify(["load_weights", path, optimizer]), () => {
    if (model.sequence.begun)
      throw new ApiError(
        400,
        `LoadWeights is not permitted with seq_id ${seq ?? "unset"}: only a model's first request may load`,
      );
    return hub.futures.submit(model.session.id, async () => {
      const engine = await model.engine;
      await model.sequence.inOrder(seq, async () => {
        await engine.load(file);
        if (!optimizer) await engine.resetOptimizer();
      });
      await hub.checkpoints.record(model.id, { base_model: hub.baseModel, lora_rank: model.loraRank });
      return { json: { type: "load_weights", path, model_id: model.id } };
    });
  });
}

function registerLoading(app: FastifyInstance, hub: Hub): void {
  app.post("/load_weights", {
    handler: async (request) => {
      const body = checkBody(LoadBody, request.body);
      const reference = parsePath(body.path, "weights");
      const file = await hub.checkpoints.find(reference);
      const rest = { path: body.path, file, optimizer: body.optimizer ?? true };
      if (typeof body.model_id === "string")
        return submittedAs(
          submitLoad(hub, { ...rest, model: hub.model(body.model_id), seq: body.seq_id ?? undefined }),
        );
      if (typeof body.session_id !== "string")
        throw new ApiError(422, "one of model_id and session_id is needed");
      const record = await hub.checkpoints.recordOf(reference.model);
      const session = hub.session(body.session_id);
      const number = body.model_seq_id ?? undefined;
      const id = session.created.once(number, JSON.stringify(body), () => {
        const model = hub.createModel(session, number, record.base_model, record.lora_rank);
        return submitLoad(hub, { ...rest, model, seq: undefined });
      });
      return submittedAs(id);
    },
  });
}

const checkpointOf = (listed: Listed) => ({
  checkpoint_id: `${listed.kind}/${listed.name}`,
  checkpoint_type: listed.kind === "weights" ? "training" : "sampler",
  time: listed.savedAt.toISOString(),
  tinker_path: pathOf(listed),
  size_bytes: listed.bytes,
  public: false,
});

async function runOf(hub: Hub, id: string): Promise<Record<string, unknown>> {
  const record = await hub.checkpoints.recordOf(id);
  const saved = await hub.checkpoints.list(id);
  const last = (kind: string) => saved.filter((one) => one.kind === kind).at(-1);
  const [training, sampler] = [last("weights"), last("sampler_weights")];
  return {
    training_run_id: id,
    base_model: record.base_model,
    model_owner: "default",
    is_lora: true,
    corrupted: false,
    lora_rank: record.lora_rank,
    last_request_time: (saved.at(-1)?.savedAt ?? new Date()).toISOString(),
    last_checkpoint: training === undefined ? null : checkpointOf(training),
    last_sampler_checkpoint: sampler === undefined ? null : checkpointOf(sampler),
    user_metadata: null,
  };
}

function registerLists(app: FastifyInstance, hub: Hub): void {
  app.post("/weights_info", {
    handler: async (request) => {
      const reference = parsePath(checkBody(WeightsInfoBody, request.body).tinker_path, "weights");
      const record = await hub.checkpoints.recordOf(reference.model);
      await hub.checkpoints.find(reference);
      return { base_model: record.base_model, is_lora: true, lora_rank: record.lora_rank };
    },
  });

  app.get<{ Querystring: { limit?: string; offset?: string } }>("/training_runs", {
    handler: async (request) => {
      const limit = Math.min(Math.max(Number(request.query.limit ?? 20) || 20, 1), 100);
      const offset = Math.max(Number(request.query.offset ?? 0) || 0, 0);
      const all = await hub.checkpoints.models();
      const runs = await Promise.all(all.slice(offset, offset + limit).map((id) => runOf(hub, id)));
      return { training_runs: runs, cursor: { offset, limit, total_count: all.length } };
    },
  });

  app.get<{ Params: { id: string } }>("/training_runs/:id", (request) => runOf(hub, request.params.id));

  app.get<{ Params: { id: string } }>("/training_runs/:id/checkpoints", {
    handler: async (request) => {
      await hub.checkpoints.recordOf(request.params.id);
      return { checkpoints: (await hub.checkpoints.list(request.params.id)).map(checkpointOf) };
    },
  });

  app.delete<{ Params: { id: string; kind: string; name: string } }>(
    "/training_runs/:id/checkpoints/:kind/:name",
    {
      handler: async (request, reply) => {
        const { id, kind, name } = request.params;
        await hub.checkpoints.remove(
          parsePath(`tinker://${id}/${kind}/${name}`, "weights", "sampler_weights"),
        );
        return reply.code(204).send();
      },
    },
  );
}

export function registerWeightsRoutes(app: FastifyInstance, hub: Hub): void {
  registerSaving(app, hub);
  registerLoading(app, hub);
  registerLists(app, hub);
}
