"""What the tinker SDK's users do, against the engine server; prints one JSON object with what came of it."""

import json
import os
import sys

import tinker
from tinker import types

END = 20
service = tinker.ServiceClient(base_url=os.environ["ENGINE_URL"], api_key="tml-any")
training = service.create_lora_training_client(base_model="rollcall/embedded-tiny", rank=8).result()


def counting(first):
    tokens = [first] + [first + i for i in range(1, 7)] + [END]
    return types.Datum(
        model_input=types.ModelInput.from_ints(tokens[:-1]),
        loss_fn_inputs={"target_tokens": tokens[1:], "weights": [1 / 56] * 7},
    )


data = [counting(first) for first in range(1, 9)]
losses = []
for _ in range(30):
    gradients = training.forward_backward(data, "cross_entropy")
    step = training.optim_step(types.AdamParams(learning_rate=1e-2, grad_clip_norm=1.0))
    losses.append(gradients.result().metrics["loss:sum"])
    step.result()

sampler = training.save_weights_and_get_sampling_client()
prompt = types.ModelInput.from_ints([3])
params = types.SamplingParams(max_tokens=12, temperature=1.0, stop=[END], seed=1)
sampled = sampler.sample(prompt=prompt, num_samples=4, sampling_params=params).result().sequences
greedy = types.SamplingParams(max_tokens=12, temperature=0.0, stop=[END])
likeliest = sampler.sample(prompt=prompt, num_samples=1, sampling_params=greedy).result().sequences[0]
scored = sampler.compute_logprobs(types.ModelInput.from_ints([3] + likeliest.tokens)).result()


def rollout(sequence):
    tokens = [3] + sequence.tokens
    return types.Datum(
        model_input=types.ModelInput.from_ints(tokens[:-1]),
        loss_fn_inputs={
            "target_tokens": tokens[1:],
            "logprobs": list(sequence.logprobs),
            "advantages": [1.0] * len(sequence.tokens),
        },
    )


clip = {"clip_low_threshold": 0.8, "clip_high_threshold": 1.28}
ppo = training.forward_backward([rollout(one) for one in sampled], "ppo", loss_fn_config=clip).result()
training.optim_step(types.AdamParams(learning_rate=1e-3)).result()
saved = training.save_state("one").result()
expected = training.forward(data, "cross_entropy").result().metrics["loss:sum"]
resumed = service.create_training_client_from_state_with_optimizer(saved.path).result()

strange = types.Datum(
    model_input=types.ModelInput.from_ints([3]),
    loss_fn_inputs={"target_tokens": [999], "weights": [1.0]},
)
try:
    resumed.forward_backward([strange], "cross_entropy").result()
    refused = ""
except tinker.RequestFailedError as error:
    refused = str(error)

print(
    json.dumps(
        {
            "losses": losses,
            "likeliest": likeliest.tokens,
            "likeliest_logprobs": list(likeliest.logprobs),
            "scored": scored,
            "sampled_tokens": sum(len(one.tokens) for one in sampled),
            "ppo_loss": ppo.metrics["loss:sum"],
            "saved": saved.path,
            "expected": expected,
            "resumed": resumed.forward(data, "cross_entropy").result().metrics["loss:sum"],
            "refused": refused,
        }
    )
)

# Without the interpreter's own end, which the SDK's threads may not live through on a busy machine.
sys.stdout.flush()
os._exit(0)
