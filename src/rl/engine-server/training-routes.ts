/** Gradients and optimizer steps. Requests of one model take effect in the order of their seq_id. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Datum, Loss, Metrics } from "../ports.ts";
import {
  decodeForwardBackwardRequest,
  encodeForwardBackwardOutput,
} from "../tinker-wire/forward-backward-proto.ts";
import {
  type ForwardBackwardOutput,
  type ForwardBackwardRequest,
  type Tensor,
} from "../tinker-wire/messages.ts";
import { ForwardBackwardBody, ForwardBody, OptimStepBody } from "./bodies.ts";
import { checkBody } from "./check-body.ts";
import { datumOf, lossOf } from "./datum-of.ts";
import { ApiError } from "./errors.ts";
import type { Result } from "./futures.ts";
import type { Hub } from "./hub.ts";
import { submittedAs } from "./submit.ts";

type LossInput = ForwardBackwardRequest["forward_backward_input"];

interface Asked {
  readonly model: string;
  readonly seq: number | undefined;
  readonly input: LossInput;
  readonly forwardOnly: boolean;
}

/** The body as it came, JSON or protobuf. */
function read(request: FastifyRequest): Asked {
  if (!Buffer.isBuffer(request.body)) {
    const body = checkBody(ForwardBackwardBody, request.body);
    const input = body.forward_backward_input as unknown as LossInput;
    return { model: body.model_id, seq: body.seq_id ?? undefined, input, forwardOnly: false };
  }
  try {
    const { request: decoded, forwardOnly } = decodeForwardBackwardRequest(request.body);
    return {
      model: decoded.model_id,
      seq: decoded.seq_id,
      input: decoded.forward_backward_input,
      forwardOnly,
    };
  } catch (error) {
    throw new ApiError(422, `the protobuf body cannot be read: ${(error as Error).message}`);
  }
}

const float32 = (data: readonly number[]): Tensor => ({ dtype: "float32", data, shape: [data.length] });

/** -w log p for cross_entropy, the negated gain of each token otherwise. */
function elementwise(datum: Datum, logprobs: readonly number[], loss: Loss): number[] {
  return logprobs.map((logprob, at) => {
    const weight = datum.weights[at] ?? 0;
    if (loss.kind === "cross_entropy") return -weight * logprob;
    const advantage = datum.advantages?.[at] ?? 0;
    const ratio = Math.exp(logprob - (datum.logprobs?.[at] ?? 0));
    const bounded = loss.kind === "ppo" ? Math.min(Math.max(ratio, loss.clipLow), loss.clipHigh) : ratio;
    return -weight * Math.min(ratio * advantage, bounded * advantage);
  });
}

/** Metrics that are sums over the data; the others are means over their tokens. */
const SUMS = new Set(["train/tokens", "train/loss", "actor/pg_loss"]);

/** Each name says how it is combined over the parts of a batch, as clients that send parts expect. */
function named(metrics: Metrics): Record<string, number> {
  return Object.fromEntries(
    Object.entries(metrics).map(([name, value]) => [`${name}:${SUMS.has(name) ? "sum" : "mean"}`, value]),
  );
}

function resultOf(
  data: readonly Datum[],
  logprobs: readonly (readonly number[])[],
  loss: Loss,
  told: Metrics,
): Result {
  const losses = data.map((datum, index) => elementwise(datum, logprobs[index] ?? [], loss));
  const total = losses.flat().reduce((sum, one) => sum + one, 0);
  const output: ForwardBackwardOutput = {
    loss_fn_output_type: "ArrayRecord",
    loss_fn_outputs: data.map((_, index) => ({
      logprobs: float32(logprobs[index] ?? []),
      elementwise_loss: float32(losses[index] ?? []),
    })),
    metrics: { "loss:sum": total, "total_loss:sum": total, ...named(told) },
  };
  return { json: output, protobuf: () => encodeForwardBackwardOutput(output) };
}

function submitLoss(hub: Hub, asked: Asked): string {
  const model = hub.model(asked.model);
  const { data: wire, loss_fn, loss_fn_config } = asked.input;
  if (wire.length > hub.limits.dataMax)
    throw new ApiError(422, `${wire.length} data in one request; ${hub.limits.dataMax} are allowed`);
  const loss = lossOf(loss_fn, loss_fn_config ?? null);
  const data = wire.map((datum, index) => datumOf(datum, index, loss));
  const body = JSON.stringify([asked.input, asked.forwardOnly]);
  return model.sequence.once(asked.seq, body, () =>
    hub.futures.submit(model.session.id, async () => {
      const engine = await model.engine;
      if (asked.forwardOnly) {
        const logprobs = await model.sequence.inOrder(asked.seq, () => engine.logprobs(data));
        return resultOf(data, logprobs, loss, {});
      }
      const { logprobs, metrics } = await model.sequence.inOrder(asked.seq, () =>
        engine.forwardBackward(data, loss),
      );
      return resultOf(data, logprobs, loss, metrics);
    }),
  );
}

export function registerTrainingRoutes(app: FastifyInstance, hub: Hub): void {
  app.post("/forward_backward", (request) => submittedAs(submitLoss(hub, read(request))));

  app.post("/forward", (request) => {
    const body = checkBody(ForwardBody, request.body);
    const input = body.forward_input as unknown as LossInput;
    return submittedAs(
      submitLoss(hub, { model: body.model_id, seq: body.seq_id ?? undefined, input, forwardOnly: true }),
    );
  });

  app.post("/optim_step", (request) => {
    const body = checkBody(OptimStepBody, request.body);
    const model = hub.model(body.model_id);
    const seq = body.seq_id ?? undefined;
    const adam = body.adam_params;
    const parameters = {
      learningRate: adam.learning_rate ?? 1e-4,
      beta1: adam.beta1 ?? 0.9,
      beta2: adam.beta2 ?? 0.95,
      epsilon: adam.eps ?? 1e-12,
      weightDecay: adam.weight_decay ?? 0,
      gradientNormMax: adam.grad_clip_norm ?? 0,
    };
    const id = model.sequence.once(seq, JSON.stringify(adam), () =>
      hub.futures.submit(model.session.id, async () => {
        const engine = await model.engine;
        const metrics = await model.sequence.inOrder(seq, () => engine.optimStep(parameters));
        return { json: { type: "optim_step", metrics } };
      }),
    );
    return submittedAs(id);
  });
}
