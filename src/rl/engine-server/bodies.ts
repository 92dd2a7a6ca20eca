/** Schemas of the bodies. Unknown fields are let through: newer clients send more than older servers know. */
import { Type, type Static } from "typebox";

const Seq = Type.Optional(Type.Union([Type.Integer({ minimum: 0 }), Type.Null()]));
const Text = Type.String({ minLength: 1, maxLength: 1024 });
const MaybeText = Type.Optional(Type.Union([Text, Type.Null()]));

export const SessionBody = Type.Object({ session_id: Text });

export const CreateModelBody = Type.Object({
  session_id: Text,
  model_seq_id: Seq,
  base_model: Text,
  lora_config: Type.Optional(
    Type.Union([Type.Object({ rank: Type.Integer({ minimum: 0, maximum: 65_536 }) }), Type.Null()]),
  ),
});

export const ModelBody = Type.Object({ model_id: Text, seq_id: Seq });

const Tokens = Type.Array(Type.Integer({ minimum: 0, maximum: 2 ** 31 - 1 }), { maxItems: 65_536 });

const ModelInputBody = Type.Object({
  chunks: Type.Array(Type.Object({ type: Type.Literal("encoded_text"), tokens: Tokens }), {
    maxItems: 1024,
  }),
});

const TensorBody = Type.Object({ data: Type.Array(Type.Number(), { maxItems: 65_536 }) });

const LossBody = Type.Object({
  loss_fn: Text,
  loss_fn_config: Type.Optional(Type.Union([Type.Record(Type.String(), Type.Number()), Type.Null()])),
  data: Type.Array(
    Type.Object({
      model_input: ModelInputBody,
      loss_fn_inputs: Type.Record(Type.String(), TensorBody),
    }),
    { minItems: 1 },
  ),
});

export const ForwardBackwardBody = Type.Object({
  model_id: Text,
  seq_id: Seq,
  forward_backward_input: LossBody,
});

export const ForwardBody = Type.Object({ model_id: Text, seq_id: Seq, forward_input: LossBody });

export const OptimStepBody = Type.Object({
  model_id: Text,
  seq_id: Seq,
  adam_params: Type.Object({
    learning_rate: Type.Optional(Type.Number()),
    beta1: Type.Optional(Type.Number()),
    beta2: Type.Optional(Type.Number()),
    eps: Type.Optional(Type.Number()),
    weight_decay: Type.Optional(Type.Number()),
    grad_clip_norm: Type.Optional(Type.Number()),
  }),
});

export const SamplingSessionBody = Type.Object({
  session_id: Text,
  sampling_session_seq_id: Type.Optional(Type.Integer()),
  base_model: MaybeText,
  model_path: MaybeText,
});

export const SampleBody = Type.Object({
  sampling_session_id: MaybeText,
  base_model: MaybeText,
  model_path: MaybeText,
  seq_id: Seq,
  num_samples: Type.Optional(Type.Integer({ minimum: 1 })),
  prompt: ModelInputBody,
  sampling_params: Type.Object({
    max_tokens: Type.Optional(Type.Union([Type.Integer({ minimum: 1 }), Type.Null()])),
    temperature: Type.Optional(Type.Number({ minimum: 0 })),
    top_p: Type.Optional(Type.Number()),
    top_k: Type.Optional(Type.Integer()),
    seed: Type.Optional(Type.Union([Type.Integer(), Type.Null()])),
    stop: Type.Optional(
      Type.Union([
        Type.Array(Type.Integer(), { maxItems: 256 }),
        Type.Array(Type.String({ maxLength: 256 }), { maxItems: 256 }),
        Type.String({ maxLength: 256 }),
        Type.Null(),
      ]),
    ),
  }),
  prompt_logprobs: Type.Optional(Type.Union([Type.Boolean(), Type.Null()])),
  topk_prompt_logprobs: Type.Optional(Type.Integer({ minimum: 0 })),
});

export const SaveBody = Type.Object({
  model_id: Text,
  path: MaybeText,
  seq_id: Seq,
  overwrite: Type.Optional(Type.Boolean()),
});

export const SaveForSamplerBody = Type.Object({
  model_id: Text,
  path: MaybeText,
  sampling_session_seq_id: Seq,
  seq_id: Seq,
});

/** With `session_id` instead of `model_id` a model is made for the weights. */
export const LoadBody = Type.Object({
  model_id: MaybeText,
  session_id: MaybeText,
  model_seq_id: Seq,
  path: Text,
  optimizer: Type.Optional(Type.Boolean()),
  seq_id: Seq,
});

export const FutureBody = Type.Object({ request_id: Type.String({ maxLength: 100 }) });

export const WeightsInfoBody = Type.Object({ tinker_path: Text });

export type SampleBody = Static<typeof SampleBody>;
export type OptimStepBody = Static<typeof OptimStepBody>;
