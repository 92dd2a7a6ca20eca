"""Makes golden.json: messages as the tinker SDK's own protobuf classes write them.

    python -m venv venv && venv/bin/pip install 'tinker==0.25.0'
    venv/bin/python test/rl/tinker-wire/golden.py > test/rl/tinker-wire/golden.json
"""

import json
import struct

from tinker.proto import tinker_public_pb2 as pb


def int32(*values):
    return struct.pack(f"<{len(values)}i", *values)


def float32(*values):
    return struct.pack(f"<{len(values)}f", *values)


def int64(*values):
    return struct.pack(f"<{len(values)}q", *values)


request = pb.ForwardBackwardRequest(model_id="model_1", seq_id=300, loss_fn="ppo", forward_only=True)
request.loss_fn_config["clip_low_threshold"] = 0.8
request.loss_fn_config["clip_high_threshold"] = 1.28
datum = request.data.add()
datum.model_input.add().encoded_text.tokens = int32(5, 151643, 7)
datum.loss_fn_inputs["target_tokens"].CopyFrom(
    pb.Tensor(dense=int64(151643, 7, 2**40), dtype=pb.DTYPE_INT64, shape=[3])
)
datum.loss_fn_inputs["advantages"].CopyFrom(
    pb.Tensor(dense=float32(0, -1.5, 0.25), dtype=pb.DTYPE_FLOAT32, shape=[3])
)

output = pb.ForwardBackwardOutput(loss_fn_output_type="scalar")
output.metrics["loss:sum"] = -2.5
record = output.loss_fn_outputs.add(num_datums=2)
record.fields["logprobs"].CopyFrom(
    pb.BatchedTensor(data=float32(-1, -2, -0.5), offsets=int64(0, 8, 12), dtype=pb.DTYPE_FLOAT32)
)
record.fields["wide"].CopyFrom(
    pb.BatchedTensor(data=int64(1, 2, 3, 4, 5, 6), offsets=int64(0, 32, 48), dtype=pb.DTYPE_INT64, trailing_shape=[2])
)

sample = pb.SampleResponse(prompt_logprobs=float32(float("nan"), -0.125), prompt_cache_hit_tokens=9)
sample.sequences.add(stop_reason=pb.STOP_REASON_STOP, tokens=int32(1, 2), logprobs=float32(-0.25, -4))
sample.sequences.add(stop_reason=pb.STOP_REASON_LENGTH, tokens=int32(3))

print(
    json.dumps(
        {
            name: message.SerializeToString(deterministic=True).hex()
            for name, message in [("request", request), ("output", output), ("sample", sample)]
        },
        indent=2,
    )
)
